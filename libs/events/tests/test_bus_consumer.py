"""Consumers on a real JetStream: every announcement has its effect once, whatever comes twice, late, or not at all."""

import asyncio
from collections.abc import Sequence
from typing import Any
from uuid import uuid4

import pytest
from bus_words import (
    TENANT,
    Ear,
    World,
    are_waiting,
    filled,
    heard,
    idle,
    made,
    numbered,
    publish,
    until,
    until_complains,
    until_well,
    waiting,
)
from toy_jar import Put, jars

from events.failpoints import Failpoint, FailpointHit
from events.kernel import News, Reaction, derived_id
from events.message import Message
from events.store.bus_port import Early


def recording(order: list[tuple[Any, int]]) -> Ear:
    """A reaction that notes what it hears, in the order of hearing."""

    def react(news: News) -> Sequence[Reaction]:
        order.append((news.stream, news.body.things))
        mirror = derived_id("mirror", news.tenant, news.stream)
        return [Reaction(rule="mirror", aggregate=jars, stream=mirror, command=Put(things=1))]

    return Ear(react=react)


async def test_a_service_hears_its_own_announcements_and_reacts_by_name_and_cause(world: World) -> None:
    jar = uuid4()
    async with world.running(bus := world.bus()):
        await world.fill(jar)
        await world.fill(jar)
        await heard(world, 2)
        await until_well(bus)
    assert await world.mirrored(jar) == 2
    source = await world.row("SELECT event_id FROM events WHERE public_version = 1")
    mirror = await world.row("SELECT metadata::jsonb AS about FROM events WHERE public_body IS NULL ORDER BY 1 LIMIT 1")
    assert mirror.about["by"] == {"person": "system:toy", "roles": []}
    assert mirror.about["correlation"] == "a story"
    command = await world.row("SELECT * FROM commands WHERE origin = 'news' ORDER BY position LIMIT 1")
    assert command.id == derived_id(TENANT, source.event_id, "mirror", "")


async def test_a_hundred_copies_under_fresh_ids_have_one_effect(world: World) -> None:
    await made(world)
    jar = uuid4()
    async with world.jetstream() as js:
        await publish(js, [filled(jar, version) for version in (1, 2) for _ in range(100)])
    async with world.running(bus := world.bus()):
        await heard(world, 2)
        await until(lambda: idle(bus))
    assert await world.mirrored(jar) == 2
    assert (await world.row("SELECT version FROM inbox")).version == 2


async def test_what_comes_out_of_order_is_handled_in_order(world: World) -> None:
    await made(world)
    jar, order = uuid4(), []  # type: ignore[var-annotated]
    async with world.running(world.bus(recording(order))), world.jetstream() as js:
        for version in (4, 2, 3):
            await publish(js, [filled(jar, version, body=b'{"label":null,"things":%d}' % version)])
        await until(lambda: are_waiting(world, 3))
        assert await world.mirrored(jar) == 0
        await publish(js, [filled(jar, 1, body=b'{"label":null,"things":1}')])
        await heard(world, 4)
    assert [things for _, things in order] == [1, 2, 3, 4]
    assert await waiting(world) == 0


async def test_a_gap_is_named_until_it_is_filled(world: World) -> None:
    await made(world)
    jar = uuid4()
    async with world.running(bus := world.bus()), world.jetstream() as js:
        await publish(js, [filled(jar, 2)])
        await until_complains(bus, f"toy {jar}: version 1 is missing")
        assert TENANT not in " ".join(bus.status().degraded)  # /readyz tells it to everybody
        assert bus.status().gaps[0].missing == 1
        await publish(js, [filled(jar, 1)])
        await until_well(bus)
    assert await world.mirrored(jar) == 2


@pytest.mark.parametrize("window", ["W6", "W7a", "W7b", "W8"])
async def test_a_consumer_that_dies_anywhere_neither_loses_nor_doubles(
    world: World, window: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await made(world)
    jar = uuid4()
    point = Failpoint(window, "raise", 1)
    monkeypatch.setattr("events.failpoints.armed", lambda: point)
    async with world.jetstream() as js:
        await publish(js, [filled(jar, version) for version in (2, 1, 4, 3)])
        async with world.running(bus := world.bus()):
            await heard(world, 4)
            await until(lambda: idle(bus))
    assert point.passed >= point.hit
    assert await world.mirrored(jar) == 4


async def test_a_consumer_that_dies_before_it_keeps_a_waiting_message_gets_it_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await made(world)
    jar, point = uuid4(), Failpoint("W9", "raise", 1)

    async def failpoint(window: str) -> None:
        point.passed += 1
        if point.passed == point.hit:
            raise FailpointHit(window)

    monkeypatch.setattr("events.store.incoming.failpoint", failpoint)
    async with world.running(world.bus()), world.jetstream() as js:
        await publish(js, [filled(jar, 2)])
        await until(lambda: are_waiting(world, 1))
        await publish(js, [filled(jar, 1)])
        await heard(world, 2)
    assert point.passed == 2
    assert await world.mirrored(jar) == 2


async def test_whoever_comes_to_keep_a_message_and_finds_its_predecessor_handled_gets_it_back(world: World) -> None:
    incoming, jar = world.bus()._incoming, uuid4()
    early = [Early(TENANT, jar, version, Message("s", {}, b"")) for version in (2, 3, 4)]
    await incoming.advance("toy", {(TENANT, jar): 2})
    assert [each.version for each in await incoming.keep("toy", early)] == [2, 3]
    assert await waiting(world) == 1
    assert await incoming.ready("toy", [(TENANT, jar)]) == []
    await incoming.advance("toy", {(TENANT, jar): 3})
    await incoming.advance("toy", {(TENANT, jar): 1})
    assert (await world.row("SELECT version FROM inbox")).version == 3, "it never goes back"
    assert len(await incoming.ready("toy", [(TENANT, jar)])) == 1
    assert not await incoming.park("toy", early[1].message, early[1], "late"), "what was handled is not parked"


async def test_what_a_crash_left_waiting_is_swept_up(world: World) -> None:
    await made(world)
    jar = uuid4()
    async with world.running(world.bus()), world.jetstream() as js:
        await publish(js, [filled(jar, 2), filled(jar, 3)])
        await until(lambda: are_waiting(world, 2))
    await world.do("UPDATE inbox SET version = 1")
    async with world.running(world.bus()):
        await heard(world, 3)
    assert await world.mirrored(jar) == 2


async def test_two_consumers_at_once_keep_the_order_and_double_nothing(world: World) -> None:
    await made(world)
    order: list[tuple[Any, int]] = []
    every = list(numbered(20))
    messages = [
        filled(jar, version, body=b'{"label":null,"things":%d}' % version) for version in range(1, 11) for jar in every
    ]
    async with world.running(world.bus(recording(order)), world.bus(recording(order))), world.jetstream() as js:
        await publish(js, messages[::2] + messages[1::2] + messages[::3])
        await heard(world, 200)
    for jar in every:
        assert await world.mirrored(jar) == 10
        firsts = list(dict.fromkeys(things for stream, things in order if stream == jar))
        assert firsts == sorted(firsts)
    assert await waiting(world) == 0


async def test_a_thousand_waiting_messages_drain_well_within_thirty_seconds(world: World) -> None:
    await made(world)
    async with world.jetstream() as js:
        await publish(js, [filled(jar, version) for version in (1, 2) for jar in numbered(500)])
    started = asyncio.get_running_loop().time()
    async with world.running(world.bus()):
        await heard(world, 1000)
    seconds = asyncio.get_running_loop().time() - started
    print(f"drained in {seconds:.1f} s")
    assert seconds < 30, seconds


async def test_a_second_tenant_hears_and_moves_nothing_of_the_first(world: World) -> None:
    await made(world)
    jar = uuid4()
    async with world.running(world.bus()), world.jetstream() as js:
        await publish(js, [filled(jar, 1), filled(jar, 1, tenant="other"), filled(jar, 2)])
        await heard(world, 3)
    assert (await world.mirrored(jar), await world.mirrored(jar, "other")) == (2, 1)


async def test_a_dead_or_stuck_task_is_named(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    async with world.running(bus := world.bus()):
        await until_well(bus)
        monkeypatch.setattr("events.watch.STUCK_AFTER", 0.3)
        (consumer,) = [task for task in bus._tasks if task.pulse.name == "consumer of toy"]
        assert consumer.task
        consumer.task.cancel()
        await until_complains(bus, "consumer of toy has stopped")
        monkeypatch.setattr(bus.relay, "_outgoing", None)
        await until_complains(bus, "relay: failed, beginning again")
