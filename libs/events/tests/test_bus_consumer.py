"""Consumers on a real JetStream: every announcement has its effect once, whatever comes twice, late, or not at all."""

import asyncio
import re
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from bus_words import (
    DEAF,
    STREAM,
    TENANT,
    Ear,
    World,
    clean,
    filled,
    numbered,
    publish,
    until,
    until_complains,
    until_well,
)
from toy_jar import Filled, Put, jars

from events.bus.dead_letters import DeadLetters
from events.bus.port import Message
from events.failpoints import Failpoint, FailpointHit
from events.handling import Handler
from events.kernel import CONTRACTS, News, Reaction, Refused, derived_id
from events.store.bus_port import Early
from events.store.database import Database
from events.store.incoming import PostgresIncoming
from events.store.port import Unavailable
from stack.nats import Nats

FORGET_EFFECTS = (
    "ALTER TABLE events DISABLE TRIGGER ALL",
    "DELETE FROM events",
    "DELETE FROM states",
    "DELETE FROM commands",
    "UPDATE head SET position = 0",
)


@pytest.fixture
async def world(db: Database, handler: Handler, nats_server: Nats) -> AsyncIterator[World]:
    async with clean(nats_server.url):
        yield World(db, handler, nats_server.url)


async def made(world: World) -> None:
    """The stream is there, empty."""
    async with world.running(bus := world.bus(DEAF)):
        await until_well(bus)


def heard(world: World, count: int, **states: int):  # type: ignore[no-untyped-def]
    """Wait until the inbox has moved on by so many messages in all."""

    async def there() -> bool:
        row = await world.row("SELECT coalesce(sum(version), 0) FROM inbox")
        return int(row[0]) >= count

    return until(there, 30)


async def waiting(world: World) -> int:
    return int((await world.row("SELECT count(*) FROM waiting"))[0])


async def parked(world: World) -> int:
    return int((await world.row("SELECT count(*) FROM dead_letters WHERE status = 'parked'"))[0])


def letters_of(world: World, ear: Ear | None = None) -> DeadLetters:
    return DeadLetters("toy", PostgresIncoming(world.db), world.handler, [ear or Ear()])


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
        await until(lambda: _idle(bus))
    assert await world.mirrored(jar) == 2
    assert (await world.row("SELECT version FROM inbox")).version == 2


async def test_what_comes_out_of_order_is_handled_in_order(world: World) -> None:
    await made(world)
    jar, order = uuid4(), []  # type: ignore[var-annotated]
    async with world.running(world.bus(recording(order))), world.jetstream() as js:
        for version in (4, 2, 3):
            await publish(js, [filled(jar, version, body=b'{"label":null,"things":%d}' % version)])
        await until(lambda: _waiting(world, 3))
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


@pytest.mark.parametrize(
    ("poison", "reason"),
    [
        ({"body": b"{not json"}, "BrokenMessage"),
        ({"body": b'{"label":null,"things":"2"}'}, "BrokenMessage: things"),
        ({"body": b'{"label":null,"things":2,"more":1}'}, "BrokenMessage: more"),
        ({"body": b"\xff\xfe"}, "BrokenMessage"),
        ({"name": "jar-cracked"}, "UnknownMessage: closeloop.toy.jar-cracked.v1: unknown type"),
        ({"schema": 2}, r"UnknownMessage: .*jar-filled.v2: known are versions \[1\]"),
        ({"ce_id": ""}, "BrokenMessage: ce-id"),
        ({"ce_time": "yesterday"}, "BrokenMessage: ce-id, ce-time"),
        ({"ce_source": "/closeloop/other/toy"}, "BrokenMessage: ce-source"),
    ],
)
async def test_poison_is_parked_and_holds_only_its_own_stream(
    world: World, poison: dict[str, Any], reason: str
) -> None:
    await made(world)
    bad, good = uuid4(), uuid4()
    async with world.running(bus := world.bus()), world.jetstream() as js:
        await publish(js, [filled(bad, 1, **poison), filled(bad, 2), filled(good, 1), filled(good, 2)])
        await heard(world, 2)
        await until(lambda: _waiting(world, 1))
        await until_complains(bus, "1 dead letters are parked")
        await until(lambda: _idle(bus))
        assert (await world.mirrored(bad), await world.mirrored(good)) == (0, 2)
        assert not bus.status().gaps, "what waits behind a parked message is not a gap"
        letters = letters_of(world)
        (letter,) = await letters.list()
        assert (letter.tenant, letter.stream, letter.version, letter.held) == (TENANT, bad, 1, 1)
        assert re.match(reason, letter.reason), letter.reason
        assert await letters.replay(letter.id) == letter.reason, "nothing has changed, so it stays parked"
        await letters.drop(letter.id)
        assert await world.mirrored(bad) == 1
        await publish(js, [filled(bad, 3)])
        await heard(world, 5)
        await until_well(bus)


async def test_what_an_older_release_did_not_understand_is_handled_by_the_next_one(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While old and new serve side by side, the old one may hear what only the new one knows: that needs no hand."""
    await made(world)
    jar, broken = uuid4(), uuid4()
    said = [filled(jar, 1, schema=2), filled(jar, 2), filled(broken, 1, body=b"{not json")]
    async with world.running(world.bus()), world.jetstream() as js:
        await publish(js, said)
        await until(lambda: _parked(world, 2))
    next_version = type("FilledV2", (Filled,), {"__stored_version__": 2})
    monkeypatch.setitem(CONTRACTS, ("toy", "jar-filled", 2), next_version)
    async with world.running(bus := world.bus()):
        await until(lambda: _parked(world, 1))
        await until_complains(bus, "1 dead letters are parked")
        assert await world.mirrored(jar) == 2


async def test_a_message_that_names_no_stream_is_parked_alone_and_once(world: World) -> None:
    await made(world)
    good = uuid4()
    async with world.running(world.bus()), world.jetstream() as js:
        await js.publish("closeloop.meridian.toy.jar.jar-filled.v1", b"{}")
        await publish(js, [filled(good, 1, ce_subject="no-uuid")] * 2)
        await publish(js, [filled(good, 1, closeloop_public_version="99999999999")])
        await publish(js, [filled(good, 1), filled(good, 2)])
        await heard(world, 2)
        await until(lambda: _parked(world, 3))
        letters = letters_of(world)
        assert {(each.tenant, each.stream, each.version) for each in await letters.list()} == {(None, None, None)}
        for each in await letters.list():
            await letters.drop(each.id)
        assert await parked(world) == 0
    assert await world.mirrored(good) == 2


async def test_a_refusal_is_parked_with_the_problem_and_replay_releases_what_waits(world: World) -> None:
    await made(world)
    jar, open_now = uuid4(), False

    def react(news: News) -> Sequence[Reaction]:
        limit = None if open_now else 0
        mirror = derived_id("mirror", news.tenant, news.stream)
        return [Reaction(rule="mirror", aggregate=jars, stream=mirror, command=Put(things=1, limit=limit))]

    ear = Ear(react=react)
    async with world.running(bus := world.bus(ear)), world.jetstream() as js:
        await publish(js, [filled(jar, version) for version in range(1, 101)])
        await until(lambda: _parked(world, 1))
        await until(lambda: _waiting(world, 99))
        await publish(js, [filled(jar, 1), filled(jar, 50)])
        await until(lambda: _idle(bus))
        (letter,) = await letters_of(world).list()
        assert letter.reason == "refused: the jar is full; rule: T-01; limit: 0"
        assert letter.held == 99
    open_now = True
    assert await letters_of(world, ear).replay(letter.id) is None, "the database is enough, nothing else runs"
    assert (await letters_of(world).show(letter.id)).status == "replayed"
    with pytest.raises(Refused):
        await letters_of(world).drop(letter.id)
    assert await world.mirrored(jar) == 100
    assert await waiting(world) == 0


async def test_a_bug_is_parked_at_once_with_its_last_line(world: World) -> None:
    await made(world)
    jar = uuid4()

    def react(_: News) -> Sequence[Reaction]:
        raise KeyError("forgotten")

    async with world.running(world.bus(Ear(react=react))), world.jetstream() as js:
        await publish(js, [filled(jar, 1)])
        await until(lambda: _parked(world, 1))
    (letter,) = await letters_of(world).list()
    assert letter.reason == "a bug: KeyError: 'forgotten'"


async def test_trouble_is_tried_again_and_never_parked(world: World) -> None:
    await made(world)
    first, second, tries = uuid4(), uuid4(), 0

    def react(news: News) -> Sequence[Reaction]:
        nonlocal tries
        tries += 1
        if news.stream == first and tries < 4:
            raise Unavailable("somebody was faster")
        mirror = derived_id("mirror", news.tenant, news.stream)
        return [Reaction(rule="mirror", aggregate=jars, stream=mirror, command=Put(things=1))]

    async with world.running(world.bus(Ear(react=react))), world.jetstream() as js:
        await publish(js, [filled(first, 1), filled(first, 2), filled(second, 1)])
        await heard(world, 3)
    assert (await world.mirrored(first), await world.mirrored(second)) == (2, 1)
    assert await parked(world) == 0


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
            await until(lambda: _idle(bus))
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
        await until(lambda: _waiting(world, 1))
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
        await until(lambda: _waiting(world, 2))
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


async def test_our_database_restored_older_than_the_durable_is_told_everything_again(world: World) -> None:
    await made(world)
    jar = uuid4()
    async with world.jetstream() as js:
        await publish(js, [filled(jar, version) for version in range(1, 6)])
        async with world.running(bus := world.bus()):
            await heard(world, 5)
            await until(lambda: _idle(bus))
        row = await world.row("SELECT handled, stream_created FROM listeners")
        assert row.handled == 5
        await world.do(
            *FORGET_EFFECTS,
            "UPDATE inbox SET version = 2",
            "UPDATE listeners SET handled = 2",
        )
        assert (await js.consumer_info(STREAM, "closeloop-toy")).ack_floor.stream_seq == 5
        async with world.running(world.bus()):
            await heard(world, 5)
    assert await world.mirrored(jar) == 3, "exactly the lost ones"


async def test_a_database_that_goes_back_under_a_running_consumer_is_noticed(world: World) -> None:
    await made(world)
    jar = uuid4()
    async with world.running(bus := world.bus()), world.jetstream() as js:
        await publish(js, [filled(jar, version) for version in range(1, 4)])
        await heard(world, 3)
        await until(lambda: _noted(world, 3))
        await world.do(*FORGET_EFFECTS, "UPDATE inbox SET version = 0", "UPDATE listeners SET handled = 0")
        await publish(js, [filled(jar, 4)])
        await heard(world, 4)
        await until(lambda: _idle(bus))
        seen = await bus._incoming.listener("toy")
        assert seen
        assert not await bus._incoming.heard("toy", replace(seen, identity="before the restart"), 9)


async def test_another_stream_of_the_same_name_is_heard_from_its_beginning(world: World) -> None:
    await made(world)
    jar = uuid4()
    async with world.jetstream() as js:
        await publish(js, [filled(jar, 1), filled(jar, 2)])
        async with world.running(bus := world.bus()):
            await heard(world, 2)
            await until(lambda: _idle(bus))
        await js.delete_stream(STREAM)
        await made(world)
        await publish(js, [filled(jar, version) for version in (1, 2, 3)])
        async with world.running(world.bus()):
            await heard(world, 3)
            await until(lambda: _noted(world, 3))
        assert await world.mirrored(jar) == 3
        # A database from the time of the first stream, where more had been heard than the second one holds.
        await world.do(
            *FORGET_EFFECTS,
            "UPDATE inbox SET version = 1",
            "UPDATE listeners SET handled = 100, stream_created = 'the first'",
        )
        async with world.running(world.bus()):
            await heard(world, 3)
    assert await world.mirrored(jar) == 2


async def test_a_durable_that_is_deleted_while_running_is_made_again(world: World) -> None:
    jar = uuid4()
    async with world.running(world.bus()), world.jetstream() as js:
        await world.fill(jar)
        await heard(world, 1)
        await js.delete_consumer(STREAM, "closeloop-toy")
        await world.fill(jar)
        await heard(world, 2)
    assert await world.mirrored(jar) == 2


async def test_a_durable_is_set_right_where_it_differs(world: World) -> None:
    async with world.running(bus := world.bus()), world.jetstream() as js:
        await until_well(bus)
        config = (await js.consumer_info(STREAM, "closeloop-toy")).config
        assert (config.ack_policy, config.max_deliver, config.ack_wait) == ("explicit", -1, 2.0)
        await bus.stop()
        await js.add_consumer(STREAM, config.evolve(max_deliver=3))
    async with world.running(bus := world.bus()), world.jetstream() as js:
        await until_well(bus)
        assert (await js.consumer_info(STREAM, "closeloop-toy")).config.max_deliver == -1


async def test_a_source_without_a_stream_is_named_and_then_heard(world: World) -> None:
    jar = uuid4()
    async with world.running(bus := world.bus(service="another")):
        await until_complains(bus, "consumer of toy: toy has no JetStream stream yet")
        async with world.jetstream() as js:
            await js.add_stream(name=STREAM, subjects=["closeloop.*.toy.>"])
            await publish(js, [filled(jar, 1)])
            await heard(world, 1)
        await until_well(bus)


async def test_nats_restarts_in_mid_stream(db: Database, handler: Handler, tmp_path: Path) -> None:
    with Nats(tmp_path / "nats") as server:
        world, jar = World(db, handler, server.url), uuid4()
        async with world.running(bus := world.bus()):
            for number in range(1, 31):
                await world.fill(jar)
                if number % 10 == 5:
                    server.kill()
                    server.start()
            await heard(world, 30)
            await until_well(bus)
    assert await world.mirrored(jar) == 30


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
        monkeypatch.setattr("events.bus.watch.STUCK_AFTER", 0.3)
        (consumer,) = [task for task in bus._tasks if task.pulse.name == "consumer of toy"]
        assert consumer.task
        consumer.task.cancel()
        await until_complains(bus, "consumer of toy has stopped")
        monkeypatch.setattr(bus.relay, "_outgoing", None)
        await until_complains(bus, "relay: failed, beginning again")


async def _idle(bus: Any) -> bool:
    info = bus._consumers["toy"]
    durable = await bus._broker.durable(info._spec)
    return bool(durable and durable.pending == durable.in_flight == 0) and info.pending == 0


async def _waiting(world: World, count: int) -> bool:
    return await waiting(world) == count


async def _noted(world: World, sequence: int) -> bool:
    return bool((await world.row(f"SELECT count(*) FROM listeners WHERE handled = {sequence}"))[0])


async def _parked(world: World, count: int) -> bool:
    return await parked(world) == count
