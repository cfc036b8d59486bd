"""The relay on a real JetStream: everything announced gets there, in order, whatever is killed, lost or restored."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from pathlib import Path
from shutil import copytree, rmtree
from typing import Any
from uuid import UUID, uuid4

import pytest
from bus_words import DEAF, QUICK, STREAM, TENANT, World, until, until_complains, until_well

from events import failpoints
from events.bus.envelope import BEHIND, MESSAGE_ID, POSITION, VERSION
from events.bus.port import Fate
from events.bus.relay import Relay, RelaySettings
from events.failpoints import Failpoint
from events.handling import Handler
from events.store.bus_port import Tail
from events.store.database import Database
from stack.nats import Nats


@pytest.fixture
async def own_world(db: Database, handler: Handler, tmp_path: Path) -> AsyncIterator[tuple[World, Nats]]:
    """A world with a NATS server of its own, which may be stopped, and lose its folder."""
    with Nats(tmp_path / "nats") as server:
        yield World(db, handler, server.url), server


def fail_at(monkeypatch: pytest.MonkeyPatch, window: str, hit: int = 1) -> Failpoint:
    point = Failpoint(window, "raise", hit)
    for module in ("events.failpoints", "events.bus.nats"):
        monkeypatch.setattr(f"{module}.armed", lambda: point)
    assert failpoints.armed() is point
    return point


async def positions(world: World) -> list[int]:
    return [int(message.headers[POSITION]) for message in await world.on_the_bus()]


async def checkpoint(world: World) -> int:
    return int((await world.row("SELECT coalesce(max(position), 0) FROM relay"))[0])


def at(world: World, position: int):  # type: ignore[no-untyped-def]
    async def there() -> bool:
        return await checkpoint(world) >= position

    return until(there)


async def reads(relay: Relay, times: int) -> None:
    """Wait until it has asked so often what is to be told."""
    asked, tail = 0, relay._outgoing.tail

    async def counted(after: int, limit: int) -> Tail:
        nonlocal asked
        asked += 1
        return await tail(after, limit)

    async def enough() -> bool:
        return asked > times

    relay._outgoing.tail = counted  # type: ignore[method-assign]
    await until(enough)


async def test_announcements_travel_as_cloud_events_and_their_bytes_are_those_stored(world: World) -> None:
    jar = uuid4()
    async with world.running(world.bus(DEAF)):
        await world.fill(jar, 2)
        await world.fill(jar, 3)
        await world.fill(jar, 4)
        await at(world, 3)
    first, second = await world.on_the_bus()
    stored = await world.row("SELECT * FROM events WHERE position = 3")
    assert second.subject == f"closeloop.{TENANT}.toy.jar.jar-filled.v1"
    assert second.data.decode() == stored.public_body
    assert second.headers == {
        MESSAGE_ID: str(stored.event_id),
        "ce-specversion": "1.0",
        "ce-id": str(stored.event_id),
        "ce-source": "/closeloop/meridian/toy",
        "ce-type": "closeloop.toy.jar-filled.v1",
        "ce-subject": str(jar),
        "ce-time": json.loads(stored.metadata)["at"],
        "ce-datacontenttype": "application/json",
        POSITION: "3",
        VERSION: "2",
        "closeloop-kind": "jar",
        "closeloop-recorded-at": stored.recorded_at.isoformat(),
        "closeloop-correlation": "a%20story",
        "Nats-Expected-Stream": STREAM,
        BEHIND: "1",
    }
    assert (first.headers[POSITION], first.headers[VERSION]) == ("1", "1")


async def test_the_stream_is_made_as_it_must_be_and_set_right_where_it_is_not(world: World) -> None:
    async with world.jetstream() as js:
        await js.add_stream(name=STREAM, subjects=["closeloop.*.toy.>"], max_bytes=1000)
        async with world.running(bus := world.bus(DEAF)):
            await until_well(bus)

            async def right() -> bool:
                config = (await js.stream_info(STREAM)).config
                return (config.discard, config.max_bytes, config.duplicate_window) == ("new", 1 << 30, 120)

            await until(right)
        config = (await js.stream_info(STREAM)).config
        assert (config.storage, config.retention, config.deny_delete, config.deny_purge) == (
            "file",
            "limits",
            True,
            True,
        )
        assert config.max_age == 0


async def test_a_thousand_announcements_arrive_in_the_order_of_their_positions(world: World) -> None:
    for _ in range(5):  # more at once would wait too long for one of the four connections on a busy machine
        await asyncio.gather(*(world.fill(uuid4()) for _ in range(200)))
    async with world.running(world.bus(DEAF)):
        await at(world, 1000)
    assert await positions(world) == list(range(1, 1001))


async def test_a_wake_shortens_the_wait_and_polling_alone_suffices(world: World) -> None:
    slow = replace(QUICK, relay=replace(QUICK.relay, poll=3.0))
    async with world.running(bus := world.bus(DEAF, settings=slow)):
        await world.fill(uuid4())
        await at(world, 1)
        await asyncio.sleep(0.3)
        started = asyncio.get_running_loop().time()
        await world.fill(uuid4())
        bus.wake()
        await at(world, 2)
        assert asyncio.get_running_loop().time() - started < 2
        await world.fill(uuid4())
        await at(world, 3)


@pytest.mark.parametrize("window", ["W3", "W4", "W5", "W9"])
async def test_a_relay_that_dies_anywhere_loses_nothing(
    world: World, window: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    point = fail_at(monkeypatch, window)
    for _ in range(5):
        await world.fill(uuid4())
    async with world.running(world.bus(DEAF)):
        await at(world, 5)
    assert point.passed >= 1
    assert await positions(world) == [1, 2, 3, 4, 5], "sent twice, kept once: the message id is the event id"


@pytest.mark.parametrize("window", ["W3", "W5"])
@pytest.mark.parametrize("private", [0, 3])
async def test_a_relay_with_nothing_to_tell_does_not_pass_where_it_tells(
    world: World, window: str, private: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever wants it to die while it tells must not hit it while it is idle."""
    point = fail_at(monkeypatch, window)
    for _ in range(private):
        await world.fill(uuid4(), things=1)
    async with world.running(bus := world.bus(DEAF)):
        await at(world, private)
        await reads(bus.relay, 3)
        assert point.passed == 0
        await world.fill(uuid4())
        await at(world, private + 1)
    assert point.passed >= 1


async def test_of_two_relays_one_leads_and_the_other_takes_over(world: World) -> None:
    one, two = world.bus(DEAF), world.bus(DEAF)
    async with world.running(two):
        async with world.running(one):
            for _ in range(20):
                await world.fill(uuid4())
            await at(world, 20)
            assert [one.status().leads, two.status().leads].count(True) == 1
        for _ in range(20):
            await world.fill(uuid4())
        await at(world, 40)
    assert await positions(world) == list(range(1, 41))


async def test_a_leader_of_an_earlier_epoch_cannot_move_the_checkpoint(world: World) -> None:
    outgoing = world.bus(DEAF).relay._outgoing
    early = await outgoing.lease("early", seconds=0.01)
    assert early
    assert await outgoing.take_over(early) == 0
    await asyncio.sleep(0.05)
    late = await outgoing.lease("late", seconds=5)
    assert late == early + 1
    assert await outgoing.lease("early", seconds=5) is None
    assert await outgoing.take_over(late) == 0
    assert not await outgoing.move(early, 0, 7)
    assert await outgoing.take_over(early) is None
    assert await outgoing.move(late, 0, 7)
    assert not await outgoing.move(late, 0, 9), "not from where it is"


async def test_nats_may_be_down_at_the_start(own_world: tuple[World, Nats]) -> None:
    world, server = own_world
    server.stop()
    async with world.running(bus := world.bus(DEAF)):
        await world.fill(uuid4())
        await until_complains(bus, "not connected")
        server.start()
        await at(world, 1)
        await until_well(bus)


async def test_nats_may_go_and_come_back(own_world: tuple[World, Nats]) -> None:
    world, server = own_world
    async with world.running(bus := world.bus(DEAF)):
        await world.fill(uuid4())
        await at(world, 1)
        server.kill()
        await world.fill(uuid4())
        await until_complains(bus, "not connected")
        server.start()
        await at(world, 2)
        await until_well(bus)
    assert await positions(world) == [1, 2]


async def test_a_stream_that_is_lost_is_published_again(own_world: tuple[World, Nats]) -> None:
    world, server = own_world
    async with world.running(world.bus(DEAF)):
        for _ in range(10):
            await world.fill(uuid4())
        await at(world, 10)
        server.kill()
        for file in sorted((server.folder / "jetstream").rglob("*"), reverse=True):
            file.unlink() if file.is_file() else file.rmdir()
        server.start()
        await world.fill(uuid4())

        async def all_there() -> bool:
            async with world.jetstream() as js:
                return bool([s for s in await js.streams_info() if s.state.messages >= 11])

        await until(all_there)
    assert await positions(world) == list(range(1, 12))


async def test_a_stream_is_compared_before_anything_is_published_to_it(
    own_world: tuple[World, Nats], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A publish was about to begin when NATS came back with older data: it would hide that something is gone."""
    world, server = own_world
    jetstream, older = server.folder / "jetstream", tmp_path / "older"
    async with world.running(bus := world.bus(DEAF)):
        await world.fill(uuid4())
        await at(world, 1)
        server.kill()
        copytree(jetstream, older)
        server.start()
        await world.fill(uuid4())
        await at(world, 2)
        publish, about_to, go = bus._broker.publish, asyncio.Event(), asyncio.Event()

        async def hesitate(*about: Any, **more: Any) -> Sequence[Fate]:
            about_to.set()
            await go.wait()
            return await publish(*about, **more)

        monkeypatch.setattr(bus._broker, "publish", hesitate)
        await world.fill(uuid4())
        await about_to.wait()
        server.kill()
        rmtree(jetstream)
        copytree(older, jetstream)
        before = bus._broker.connections
        server.start()

        async def connected_again() -> bool:
            return bus._broker.connected and bus._broker.connections > before

        await until(connected_again)
        go.set()
        await at(world, 3)
        await until_well(bus)
    assert await positions(world) == [1, 2, 3]


async def test_a_stream_that_lost_its_end_is_filled_up(world: World) -> None:
    async with world.running(world.bus(DEAF)):
        for _ in range(5):
            await world.fill(uuid4())
        await at(world, 5)
    kept = (await world.on_the_bus())[:3]
    async with world.jetstream() as js:
        config = (await js.stream_info(STREAM)).config
        await js.delete_stream(STREAM)
        await js.add_stream(config)
        for message in kept:
            await js.publish(message.subject, message.data, headers=message.headers)
    async with world.running(bus := world.bus(DEAF)):
        await until_well(bus)

        async def all_there() -> bool:
            return await positions(world) == [1, 2, 3, 4, 5]

        await until(all_there)


async def test_a_stream_deleted_without_a_reconnect_is_noticed_too(world: World) -> None:
    async with world.running(world.bus(DEAF)):
        for _ in range(3):
            await world.fill(uuid4())
        await at(world, 3)
        async with world.jetstream() as js:
            await js.delete_stream(STREAM)

            async def all_there() -> bool:
                return bool([s for s in await js.streams_info() if s.state.messages == 3])

            await until(all_there)
    assert await positions(world) == [1, 2, 3]


async def test_an_older_database_restored_stops_the_relay_until_somebody_decides(world: World) -> None:
    async with world.running(world.bus(DEAF)):
        for _ in range(5):
            await world.fill(uuid4())
        await at(world, 5)
    await world.do(
        "ALTER TABLE events DISABLE TRIGGER ALL",
        "DELETE FROM events WHERE position > 2",
        "UPDATE head SET position = 2",
        "UPDATE relay SET position = 2",
    )
    async with world.running(bus := world.bus(DEAF)):
        await until_complains(bus, "holds position 5 .*our log ends at 2.*an older database was restored")
        for _ in range(3):
            await world.fill(uuid4(), 4)
        await until_complains(bus, "holds position 5 .*has another event there")
        assert len(await world.on_the_bus()) == 5
        async with world.jetstream() as js:
            await js.delete_stream(STREAM)
        await at(world, 5)
        await until_well(bus)
    assert await positions(world) == [1, 2, 3, 4, 5]


async def test_what_is_too_large_for_the_bus_is_named_and_not_skipped(world: World) -> None:
    jar = uuid4()
    await world.fill(jar)
    await world.fill(jar)
    await world.do(
        "ALTER TABLE events DISABLE TRIGGER ALL",
        "UPDATE events SET public_body = repeat('x', 2000000) WHERE position = 1",
    )
    async with world.running(bus := world.bus(DEAF)):
        await until_complains(bus, "position 1 is too large")
        assert await checkpoint(world) == 0
        await world.do("UPDATE events SET public_body = '{}' WHERE position = 1")
        await at(world, 2)
        await until_well(bus)


async def test_a_full_stream_is_an_alarm_and_nothing_is_pushed_out(world: World) -> None:
    small = replace(QUICK, relay=replace(QUICK.relay, max_bytes=6000))
    async with world.running(bus := world.bus(DEAF, settings=small)):
        for _ in range(20):
            await world.fill(uuid4())
        await until_complains(bus, "CLOSELOOP_TOY is full")
        assert (await positions(world))[0] == 1
    async with world.running(bus := world.bus(DEAF)):
        await at(world, 20)
    assert await positions(world) == list(range(1, 21))


async def test_a_stream_that_fills_up_warns_at_four_fifths(world: World) -> None:
    for _ in range(10):
        await world.fill(uuid4())
    async with world.running(world.bus(DEAF)):
        await at(world, 10)
    async with world.jetstream() as js:
        size = (await js.stream_info(STREAM)).state.bytes
    tight = replace(QUICK, relay=replace(QUICK.relay, max_bytes=int(size * 1.2)))
    async with world.running(bus := world.bus(DEAF, settings=tight)):
        await until_complains(bus, r"8\d% full")


async def test_republish_sends_again_under_fresh_ids(world: World) -> None:
    async with world.running(bus := world.bus(DEAF)):
        for _ in range(4):
            await world.fill(uuid4())
        await at(world, 4)
        assert await bus.relay.republish(2) == 3
    messages = await world.on_the_bus()
    assert await positions(world) == [1, 2, 3, 4, 2, 3, 4]
    assert len({message.headers[MESSAGE_ID] for message in messages}) == 7
    assert len({message.headers["ce-id"] for message in messages}) == 4


async def test_a_second_tenant_has_subjects_of_its_own(world: World) -> None:
    jar = UUID(int=7)
    async with world.running(world.bus(DEAF)):
        await world.fill(jar)
        await world.fill(jar, tenant="other")
        await at(world, 2)
    assert [message.subject.split(".")[1] for message in await world.on_the_bus()] == [TENANT, "other"]


def test_the_shipped_settings_are_those_of_the_design() -> None:
    assert (RelaySettings().poll, RelaySettings().publish_timeout) == (0.2, 3.0)
