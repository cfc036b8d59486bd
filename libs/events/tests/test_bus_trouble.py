"""The bus where the broker behaves badly: what it sends away comes back, and nobody storms in the meantime."""

import asyncio
from uuid import UUID, uuid4

import pytest
from bus_words import TENANT, Ear, World, filled, publish, until, until_complains, until_well

from events.bus.dead_letters import DeadLetters
from events.bus.reacting import Reactor, Transient
from events.handling import Handler
from events.message import Message
from events.store.bus_port import Early
from events.store.database import Database
from events.store.incoming import PostgresIncoming


async def test_a_server_that_sends_us_away_is_asked_again(world: World) -> None:
    """Maximum connections exceeded, authorization violation: nats-py closes for good, and cancels whoever waits."""
    async with world.running(bus := world.bus()):
        await until_well(bus)
        await bus._broker._client._process_err("'maximum connections exceeded'")
        await until_complains(bus, "is not connected")
        await world.fill(jar := uuid4())
        await until_well(bus)

        async def mirrored() -> bool:
            return await world.mirrored(jar) == 1

        await until(mirrored)


async def test_a_relay_that_cannot_lead_tries_once_a_second_however_much_is_appended(
    db: Database, handler: Handler, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each try writes the lease: at the rate of the appends it would double the load of a service in trouble."""
    bus = World(db, handler, "nats://127.0.0.1:9").bus()
    tries = 0
    lease = bus.relay._outgoing.lease

    async def counted(holder: str, seconds: float) -> int | None:
        nonlocal tries
        tries += 1
        return await lease(holder, seconds)

    monkeypatch.setattr(bus.relay._outgoing, "lease", counted)
    bus.start()
    for _ in range(150):
        bus.wake()
        await asyncio.sleep(0.01)
    await bus.stop()
    assert 1 <= tries <= 4


async def test_what_somebody_else_has_handled_by_now_is_no_trouble_any_more(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A message that waited failed when its turn came, and the sweep took it up: nothing is left to complain about."""
    handle, failed = Reactor.handle, False

    async def fail_once(self: Reactor, source: str, message: Message, within: str = "") -> None:
        nonlocal failed
        if message.headers["closeloop-public-version"] == "2" and not failed:
            failed = True
            raise Transient("the database did not answer")
        await handle(self, source, message, within)

    monkeypatch.setattr(Reactor, "handle", fail_once)
    async with world.running(bus := world.bus()), world.jetstream() as js:
        await until_well(bus)
        await publish(js, [filled(jar := uuid4(), 2)])
        await asyncio.sleep(0.5)
        await publish(js, [filled(jar, 1)])

        async def mirrored() -> bool:
            return failed and await world.mirrored(jar) == 2

        await until(mirrored)
        await until_well(bus, 5.0)


@pytest.mark.parametrize("count", [1, 103])
async def test_letters_that_cannot_be_handled_for_now_keep_none_behind_them_from_being_tried(
    db: Database, handler: Handler, monkeypatch: pytest.MonkeyPatch, count: int
) -> None:
    world, stuck, other = World(db, handler, ""), [uuid4() for _ in range(count)], uuid4()
    incoming, handle = PostgresIncoming(db), Reactor.handle

    async def not_now(self: Reactor, source: str, message: Message, within: str = "") -> None:
        if UUID(message.headers["ce-subject"]) in stuck:
            raise Transient("this object was written by a newer version of the service")
        await handle(self, source, message, within)

    monkeypatch.setattr(Reactor, "handle", not_now)
    for jar in (*stuck, other):
        subject, body, headers = filled(jar, 1)
        message = Message(subject, headers, body)
        await incoming.park("toy", message, Early(TENANT, jar, 1, message), "UnknownMessage: by the release before")
    letters = DeadLetters("toy", incoming, handler, [Ear()])
    looks = range(1 + count // 100)
    for _ in looks:
        with pytest.raises(Transient):
            await letters.replay_understood()
    assert await world.mirrored(other) == 1
    assert [letter.stream for letter in await letters.list()] == stuck
    stuck.clear()
    for _ in looks:
        await letters.replay_understood()
    assert await letters.list() == []


async def test_streams_that_cannot_go_on_for_now_keep_the_sweep_from_no_other(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What newer code wrote before it was taken back, say, stays as it is for days."""
    stuck, behind = [UUID(int=n) for n in range(1, 6)], UUID(int=9)
    incoming, handle = PostgresIncoming(world.db), Reactor.handle

    async def not_now(self: Reactor, source: str, message: Message, within: str = "") -> None:
        if UUID(message.headers["ce-subject"]) in stuck:
            raise Transient("this object was written by a newer version of the service")
        await handle(self, source, message, within)

    monkeypatch.setattr(Reactor, "handle", not_now)
    for jar in (*stuck, behind):
        news = [filled(jar, version) for version in range(2, 82 if jar in stuck else 3)]
        await incoming.keep("toy", [Early(TENANT, jar, n, Message(s, h, b)) for n, (s, b, h) in enumerate(news, 2)])
        await incoming.advance("toy", {(TENANT, jar): 1})

    async def mirrored() -> bool:
        return await world.mirrored(behind) == 1

    async with world.running(bus := world.bus()):
        await until(mirrored, 6.0)
        await until_complains(bus, "sweep: this object was written by a newer version")


async def test_as_many_messages_as_the_broker_hands_out_at_once_that_cannot_be_handled_for_now_keep_no_other_from_us(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The broker counts what we have not acknowledged, and at some number waits for us: so we keep it ourselves."""
    monkeypatch.setattr("events.bus.nats.MAX_IN_FLIGHT", 4)
    stuck, other, handle, held_up = [uuid4() for _ in range(6)], uuid4(), Reactor.handle, True

    async def not_now(self: Reactor, source: str, message: Message, within: str = "") -> None:
        if held_up and UUID(message.headers["ce-subject"]) in stuck:
            raise Transient("this object was written by a newer version of the service")
        await handle(self, source, message, within)

    async def mirrored() -> bool:
        return await world.mirrored(other) == 1

    async def all_mirrored() -> bool:
        return [await world.mirrored(jar) for jar in stuck] == [1] * len(stuck)

    monkeypatch.setattr(Reactor, "handle", not_now)
    monkeypatch.setattr("events.bus.inbox.LONGEST_DELAY", 0.5)
    async with world.running(bus := world.bus()), world.jetstream() as js:
        await until_well(bus)
        await publish(js, [filled(jar, 1) for jar in stuck])
        await publish(js, [filled(other, 1)])
        await until(mirrored, 20)
        await until_complains(bus, "this object was written by a newer version")
        held_up = False
        await until(all_mirrored)
        await until_well(bus)
        assert tuple(await world.row("SELECT count(*) FROM waiting")) == (0,)
