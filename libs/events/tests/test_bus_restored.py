"""A database is restored older than what others have heard: it is noticed before anything is said."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from subprocess import run
from typing import Any
from uuid import uuid4

import pytest
from bus_past import Past, bus_holds, past, strange, stubbornly, the_desk, told, true, world
from bus_words import DEAF, QUICK, World, until, until_complains, until_well

from events.bus.envelope import POSITION, sent_again
from events.bus.port import BrokerTrouble, Fate
from events.store.outgoing import PostgresOutgoing
from stack.backup import client

__all__ = ["past", "world"]


async def test_others_at_the_same_positions_are_noticed_also_when_the_relay_looks_late(
    world: World, past: Past
) -> None:
    """Five events were lost, five others have taken their positions before any relay looks."""
    jar = uuid4()
    async with world.running(world.bus(DEAF)):
        await world.fill(jar)
        await told(world, 1)
        await past.is_kept()
        for _ in range(5):
            await world.fill(uuid4())
        await told(world, 6)
    await past.comes_back()
    for _ in range(5):
        await world.fill(uuid4())
    held = await bus_holds(world)
    async with world.running(bus := world.bus(DEAF)):
        await until_complains(bus, "holds position 6 .*another event there: an older database was restored")
        assert bus.status().halted
        await asyncio.sleep(1)
        assert await bus_holds(world) == held


async def test_one_strange_announcement_among_later_ones_of_ours_is_noticed(world: World, past: Past) -> None:
    """Ours were sent again behind it, so the last message alone would show nothing."""
    async with world.running(bus := world.bus(DEAF)):
        await world.fill(uuid4())
        await world.fill(uuid4())
        await told(world, 2)
        await past.is_kept()
        await world.fill(uuid4())
        await told(world, 3)
    await past.comes_back()
    async with world.jetstream() as js:
        for message in (await world.on_the_bus())[:2]:
            headers = sent_again(message.headers, str(uuid4()))
            await js.publish(message.subject, message.data, headers=headers)
    async with world.running(bus := world.bus(DEAF)):
        await until_complains(bus, "holds position 3 .*our log ends at 2")


async def test_a_database_swapped_under_a_running_relay_is_noticed_before_it_says_anything(
    world: World, past: Past
) -> None:
    async with world.running(bus := world.bus(DEAF)):
        await world.fill(uuid4())
        await told(world, 1)
        await past.is_kept()
        for _ in range(3):
            await stubbornly(world)
        await told(world, 4)
        await past.comes_back()
        for _ in range(6):  # the log gets longer than the relay has read, with others at the same positions
            await stubbornly(world)
        await until_complains(bus, "holds position 4 .*an older database was restored")
        assert [position for position, _, _ in await bus_holds(world)] == [1, 2, 3, 4]


async def test_the_window_that_a_relay_has_read_is_not_sent_from_another_database(world: World, past: Past) -> None:
    """The checkpoint is where it was, by chance; what lies behind it is not."""
    for _ in range(2):
        await world.fill(uuid4())
    async with world.running(world.bus(DEAF)):
        await told(world, 2)
    await past.is_kept()
    outgoing = PostgresOutgoing(world.db)
    before = await outgoing.tail(2, 10)
    await past.comes_back()
    after = await outgoing.tail(2, 10)
    assert (before.head, before.checkpoint) == (after.head, after.checkpoint)
    assert before.identity != after.identity
    epoch = int((await world.row("SELECT epoch FROM relay"))[0])
    assert not await outgoing.move(epoch, 2, 3, before.identity)
    assert await outgoing.move(epoch, 2, 3, after.identity)


async def test_what_is_read_in_another_database_than_the_one_compared_is_not_sent(world: World) -> None:
    await world.fill(uuid4())
    relay = world.bus(DEAF).relay
    epoch = await relay._outgoing.lease("somebody", 5)
    assert epoch
    assert await relay._outgoing.take_over(epoch) == 0
    relay._noted = replace(await relay._outgoing.noted(), identity="another database")
    assert await relay._forward(epoch, 0) is None
    relay._noted = await relay._outgoing.noted()
    with pytest.raises(BrokerTrouble):  # here it would be sent, if somebody were connected
        await relay._forward(epoch, 0)


async def test_the_log_of_another_installation_is_noticed_while_both_run(world: World) -> None:
    """Somebody starts a copy beside the original, on the same broker."""
    async with world.running(bus := world.bus(DEAF)):
        await world.fill(uuid4())
        await told(world, 1)
        async with world.jetstream() as js:
            (message,) = await world.on_the_bus()
            headers = sent_again(message.headers, "other") | {"ce-id": str(uuid4()), POSITION: "2"}
            await js.publish(message.subject, message.data, headers=headers)
            for _ in range(3):
                await world.fill(uuid4())
        await until_complains(bus, "holds position 2 .*has another event there")


async def test_a_strange_announcement_is_noticed_also_beside_ours_that_were_there(world: World) -> None:
    """The relay had sent ours again, which changes nothing: one more message on the stream is not one of them."""
    seldom = replace(QUICK, relay=replace(QUICK.relay, look=2.0))
    async with world.running(world.bus(DEAF)):
        for _ in range(2):
            await world.fill(uuid4())
        await told(world, 2)
    await world.do("UPDATE relay SET position = 0")
    async with world.running(bus := world.bus(DEAF, settings=seldom)):
        await told(world, 2)
        async with world.jetstream() as js:
            await js.publish(*strange(await world.on_the_bus(), 3))
        await until_complains(bus, "holds position 3 .*our log ends at 2")


async def test_what_a_process_of_the_lost_log_has_sent_finds_its_place_taken(
    world: World, past: Past, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It arrives when the restored log has gone on, and would bear positions and numbers that others have heard."""
    jar = uuid4()
    async with world.running(world.bus(DEAF)):
        await world.fill(uuid4())
        await told(world, 1)
    await past.is_kept()
    late: list[tuple[Any, Any]] = []

    async def delayed(*about: Any, **more: Any) -> Sequence[Fate]:
        late.append((about, more | {"connection": None}))
        return [Fate.UNKNOWN] * len(about[1])

    async with world.running(old := world.bus(DEAF)):
        monkeypatch.setattr(old._broker, "publish", delayed)
        await stubbornly(world, jar)
        await until(lambda: true(bool(late)))
    await past.comes_back()
    async with world.running(bus := world.bus(DEAF)):
        await stubbornly(world, jar)
        await told(world, 2)
        about, more = late[0]
        assert await bus._broker.publish(*about, **more) == [Fate.MOVED]
        await until_well(bus)
    assert [position for position, _, _ in await bus_holds(world)] == [1, 2]


async def test_tables_that_are_restored_in_place_are_another_database_too(world: World, tmp_path: Path) -> None:
    """`pg_restore --clean`, under a running relay: server and database are those of before."""
    url = world.db.reads.url.render_as_string(hide_password=False)
    dump = tmp_path / "toy.dump"
    async with world.running(bus := world.bus(DEAF)):
        await world.fill(uuid4())
        await told(world, 1)
        before = await PostgresOutgoing(world.db).noted()
        await asyncio.to_thread(run, client("pg_dump", url, "--format=custom", f"--file={dump}"), check=True)
        await world.fill(uuid4())
        await told(world, 2)
        back = client("pg_restore", url, "--clean", "--if-exists", "--single-transaction", str(dump))
        await asyncio.to_thread(_until_it_succeeds, back)
        await stubbornly(world)
        await until_complains(bus, "holds position 2 .*has another event there")
        assert (await PostgresOutgoing(world.db).noted()).identity != before.identity
        async with the_desk(world) as desk:
            assert (await desk.accept()).lost == 1
        await until_well(bus)
    assert [position for position, _, _ in await bus_holds(world)] == [1, 2, 2]


def _until_it_succeeds(command: Sequence[str]) -> None:
    """It wants all tables at once, which the relay reads: PostgreSQL breaks a deadlock by refusing either of them."""
    for _ in range(5):
        if run(command, check=False).returncode == 0:
            return
    raise AssertionError("it was refused each time")
