"""A database was restored older than what others have heard: what an operator decides, and what holds from then on."""

from collections.abc import Sequence
from contextlib import suppress
from uuid import UUID, uuid4

import pytest
from bus_past import Past, bus_holds, past, strange, stubbornly, the_desk, told, true, world
from bus_words import DEAF, STREAM, Ear, World, until, until_complains, until_well
from toy_jar import Put, jars

from events.bus.relay import Halted
from events.kernel import News, NotFound, Reaction, Refused, derived_id
from events.store.port import Unavailable

__all__ = ["past", "world"]


async def test_what_an_operator_gives_up_is_kept_and_announcements_go_on_behind_it(world: World, past: Past) -> None:
    jar, gone = uuid4(), uuid4()
    async with world.running(world.bus(DEAF)):
        await world.fill(jar)
        await told(world, 1)
        await past.is_kept()
        for stream in (jar, gone, jar):
            await stubbornly(world, stream)
        await told(world, 4)
    await past.comes_back()
    await world.fill(jar)
    async with world.running(bus := world.bus(DEAF)):
        await until_complains(bus, "an older database was restored")
        async with the_desk(world) as desk:
            lost = await desk.lost()
            assert [(each.position, each.stream, each.version) for each in lost] == [
                (2, jar, 2),
                (3, gone, 1),
                (4, jar, 3),
            ]
            restore = await desk.accept()
            assert (restore.last_position, restore.goes_on_after, restore.lost) == (2, 4, 3)
            with pytest.raises(Refused):
                await desk.accept()
            assert await desk.given_up() == lost
        await world.fill(jar)
        await world.fill(gone)
        await told(world, 6)
        await until_well(bus)
    assert (await bus_holds(world))[4:] == [(2, jar, 4), (5, jar, 5), (6, gone, 2)]
    again = await world.row("SELECT array_agg(position ORDER BY position) FROM events")
    assert again[0] == [1, 2, 5, 6]


async def test_before_the_decision_nothing_counts(world: World, past: Past) -> None:
    async with world.running(world.bus(DEAF)):
        await world.fill(uuid4())
        await told(world, 1)
        await past.is_kept()
        await stubbornly(world)
        await told(world, 2)
    await past.comes_back()
    await world.do(
        "INSERT INTO lost_announcements (event_id, position, tenant, stream, public_version, subject, headers, body,"
        " restore) SELECT gen_random_uuid(), 2, 'meridian', gen_random_uuid(), 1, '', '{}', '', 1"
    )
    async with world.running(bus := world.bus(DEAF)):
        await until_complains(bus, "an older database was restored")
        async with the_desk(world) as desk:
            assert await desk.given_up() == []
            assert (await desk.accept()).lost == 1, "and what an earlier try has left is forgotten"
        await until_well(bus)


async def test_where_nothing_was_lost_there_is_nothing_to_decide(world: World) -> None:
    async with the_desk(world) as desk:
        with pytest.raises(NotFound):
            await desk.accept()
        async with world.running(world.bus(DEAF)):
            await world.fill(uuid4())
            await told(world, 1)
        assert await desk.lost() == []
        with pytest.raises(Refused):
            await desk.accept()
    assert (await world.row("SELECT count(*) FROM restores"))[0] == 0


async def test_what_arrives_after_the_decision_is_noticed_and_decided_again(world: World, past: Past) -> None:
    async with world.running(world.bus(DEAF)):
        await world.fill(uuid4())
        await told(world, 1)
        await past.is_kept()
        await stubbornly(world)
        await told(world, 2)
    await past.comes_back()
    async with world.running(bus := world.bus(DEAF)):
        for position in (2, 3):
            await until_complains(bus, f"holds position {position} .*an older database was restored")
            async with the_desk(world) as desk:
                assert (await desk.accept()).lost == 1
            await until_well(bus)
            if position == 2:
                async with world.jetstream() as js:
                    await js.publish(*strange(await world.on_the_bus(), 3))
        await world.fill(jar := uuid4())
        await told(world, 4)
        assert (await bus_holds(world))[-1] == (4, jar, 1)


async def test_a_newer_backup_needs_no_word(world: World, past: Past) -> None:
    async with world.running(bus := world.bus(DEAF)):
        await world.fill(uuid4())
        await told(world, 1)
        await past.is_kept("old")
        await stubbornly(world)
        await told(world, 2)
        await past.is_kept("new")
        await past.comes_back("old")
        await until_complains(bus, "an older database was restored")
        await past.comes_back("new")
        await stubbornly(world)
        await told(world, 3)
        await until_well(bus)
        assert not bus.status().halted
    assert [position for position, _, _ in await bus_holds(world)] == [1, 2, 3]


async def test_a_lost_command_that_is_sent_again_is_heard_as_something_new(world: World, past: Past) -> None:
    """Its event has the id of the lost one; the broker, and whoever listens, must not take it for that one."""
    jar, other, command = uuid4(), uuid4(), uuid4()
    heard: list[tuple[UUID, UUID]] = []
    async with world.running(world.bus(noting(heard))):
        await world.fill(jar)
        await told(world, 1)
        await past.is_kept()
        await stubbornly(world, jar, command)
        await until(lambda: true(len(heard) == 2))
        await told(world, 2)
    await past.comes_back()
    async with world.running(bus := world.bus(noting(heard))):
        await world.fill(other, command=command)
        await until_complains(bus, "an older database was restored")
        async with the_desk(world) as desk:
            await desk.accept()
        await until(lambda: true(heard[-1][0] == other))
    ids = [m.headers["ce-id"] for m in await world.on_the_bus()]
    assert len(set(ids)) == 3
    stored = (await world.row(f"SELECT event_id FROM events WHERE stream = '{other}'"))[0]
    assert ids[1] == str(stored)
    assert heard[-1][1] != stored


async def test_our_own_lost_announcements_have_no_effect_on_us(world: World, past: Past) -> None:
    """A service hears itself: what its log does not have must not come back as the effect of nothing."""
    jar, gone = uuid4(), uuid4()
    async with world.running(world.bus()):
        await world.fill(jar)
        await until(lambda: _mirrored(world, jar, 1))
        await told(world, 2)
        await past.is_kept()
        await stubbornly(world, gone)
        await until(lambda: _mirrored(world, gone, 1))
        await told(world, 4)
    await past.comes_back()
    async with world.running(bus := world.bus()):
        await until_complains(bus, "consumer of toy: .*an older database was restored")
        assert await world.mirrored(gone) == 0
        async with the_desk(world) as desk:
            await desk.accept()
        await world.fill(gone)
        await until(lambda: _mirrored(world, gone, 1))
        await until_well(bus)
    assert (await world.row(f"SELECT version FROM inbox WHERE stream = '{gone}'")).version == 2
    assert await world.mirrored(gone) == 1


async def test_a_broker_that_is_new_is_told_what_was_given_up_too(world: World, past: Past) -> None:
    """Its numbers were used: without it, whoever listens from the beginning would wait for them for ever."""
    jar = uuid4()
    async with world.running(world.bus(DEAF)):
        await world.fill(jar)
        await told(world, 1)
        await past.is_kept()
        await stubbornly(world, jar)
        await told(world, 2)
    await past.comes_back()
    heard: list[tuple[UUID, UUID]] = []
    async with world.running(bus := world.bus(DEAF)):
        await until_complains(bus, "an older database was restored")
        async with the_desk(world) as desk:
            await desk.accept()
        await world.fill(jar)
        await told(world, 3)
        async with world.jetstream() as js:
            await js.delete_stream(STREAM)
        await told(world, 3)
        await until_well(bus)
        assert sorted(version for _, _, version in await bus_holds(world)) == [1, 2, 3]
        async with world.running(listener := world.bus(noting(heard), service="hearer")):
            await until(lambda: true(len(heard) == 3))
            await until_well(listener)


async def test_republish_says_nothing_before_the_decision_and_all_of_it_afterwards(world: World, past: Past) -> None:
    jar = uuid4()
    async with world.running(bus := world.bus(DEAF)):
        await world.fill(jar)
        await told(world, 1)
        await past.is_kept()
        await stubbornly(world, jar)
        await told(world, 2)
    await past.comes_back()
    async with world.running(bus := world.bus(DEAF)):
        await until_complains(bus, "an older database was restored")
        with pytest.raises(Halted):
            await bus.relay.republish(1)
        async with the_desk(world) as desk:
            await desk.accept()
        await world.fill(jar)
        await told(world, 3)
        held = await bus_holds(world)
        assert await bus.relay.republish(1) == 3
        assert sorted((await bus_holds(world))[len(held) :]) == [(1, jar, 1), (2, jar, 2), (3, jar, 3)]
        await until_well(bus)


def noting(heard: list[tuple[UUID, UUID]]) -> Ear:
    """An ear that notes stream and event."""

    def react(news: News) -> Sequence[Reaction]:
        heard.append((news.stream, news.event))
        mirror = derived_id("mirror", news.tenant, news.stream)
        return [Reaction(rule="mirror", aggregate=jars, stream=mirror, command=Put(things=1))]

    return Ear(react=react)


async def _mirrored(world: World, jar: UUID, count: int) -> bool:
    with suppress(Unavailable):
        return await world.mirrored(jar) == count
    return False
