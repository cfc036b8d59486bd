"""A database is restored older than what it has heard: what it has forgotten comes again, by itself, and once."""

import asyncio
from contextlib import suppress
from uuid import UUID, uuid4

import nats.js.errors
import pytest
from bus_past import Past, past, world
from bus_words import STREAM, Ear, World, filled, publish, until, until_well

from events.bus.envelope import VERSION
from events.bus.inbox import Inbox
from events.bus.port import Delivery
from events.bus.reacting import Reactor, Transient
from events.message import Message
from events.store.bus_port import Mark
from events.store.incoming import PostgresIncoming
from events.store.port import OutcomeUnknown, Unavailable
from events.watch import Pulse

__all__ = ["past", "world"]


def mirrored(world: World, jar: UUID, count: int):  # type: ignore[no-untyped-def]
    async def there() -> bool:
        with suppress(Unavailable, OutcomeUnknown):
            return await world.mirrored(jar) == count
        return False

    return until(there, 20)


async def noted(world: World, sequence: int) -> bool:
    with suppress(Unavailable, OutcomeUnknown):
        return int((await world.row("SELECT coalesce(max(handled), 0) FROM listeners"))[0]) == sequence
    return False


async def said(world: World, *messages: tuple[str, bytes, dict[str, str]]) -> None:
    async with world.jetstream() as js:
        with suppress(nats.js.errors.BadRequestError):
            await js.add_stream(name=STREAM, subjects=["closeloop.*.toy.>"])
        await publish(js, messages)


async def test_a_database_put_back_while_nothing_comes_hears_again_what_it_has_forgotten(
    world: World, past: Past
) -> None:
    """Nothing new is said, so nothing new is acknowledged: it is noticed all the same."""
    early, late = uuid4(), uuid4()
    await said(world, filled(early, 1))
    async with world.running(bus := world.bus(service="hearer")):
        await mirrored(world, early, 1)
        await until(lambda: noted(world, 1))
        await past.is_kept()
        await said(world, filled(late, 1))
        await mirrored(world, late, 1)
        await until(lambda: noted(world, 2))
        await past.comes_back()
        await mirrored(world, late, 1)
        await until_well(bus)
        assert await world.mirrored(early) == 1


async def test_a_database_put_back_to_before_it_listened_hears_everything(world: World, past: Past) -> None:
    jars = [uuid4() for _ in range(5)]
    await past.is_kept()
    await said(world, *(filled(jar, 1) for jar in jars))
    async with world.running(bus := world.bus(service="hearer")):
        for jar in jars:
            await mirrored(world, jar, 1)
        await until(lambda: noted(world, 5))
        await past.comes_back()
        for jar in jars:
            await mirrored(world, jar, 1)
        await until_well(bus)


async def test_what_was_acknowledged_out_of_turn_is_heard_again_too(
    world: World, past: Past, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first message is in trouble all the while, so the durable's floor is no further than the old database."""
    stuck, late = uuid4(), uuid4()
    in_trouble = True
    handle = Reactor.handle

    async def troubled(reactor: Reactor, source: str, message: Message, within: str = "") -> None:
        if in_trouble and message.headers["ce-subject"] == str(stuck):
            raise Transient("not now")
        await handle(reactor, source, message, within)

    monkeypatch.setattr(Reactor, "handle", troubled)
    await said(world, filled(stuck, 1))
    async with world.running(world.bus(service="hearer")):
        await until(lambda: noted(world, 0))
        await asyncio.sleep(0.5)
        await past.is_kept()
        await said(world, filled(late, 1))
        await mirrored(world, late, 1)
    await past.comes_back()
    async with world.running(bus := world.bus(service="hearer")):
        await mirrored(world, late, 1)
        in_trouble = False
        await mirrored(world, stuck, 1)
        await until_well(bus)


async def test_what_was_handled_in_another_database_is_not_passed_in_this_one(world: World, past: Past) -> None:
    """The database changes between the effect of a message and the note that it was heard."""
    jar = uuid4()
    subject, body, headers = filled(jar, 1)
    incoming = PostgresIncoming(world.db)
    await past.is_kept()

    class Swapped(Reactor):
        async def handle(self, source: str, message: Message, within: str = "") -> None:
            await super().handle(source, message, within)
            await past.comes_back()

    inbox = Inbox("toy", incoming, Swapped("hearer", world.handler, [Ear()]), Pulse("test"))
    delivery = Received(Message(subject, headers, body))
    with pytest.raises(Unavailable):
        await inbox.take([delivery])
    assert not delivery.acknowledged
    assert delivery.put_off
    assert await incoming.marks("toy", [("meridian", jar)]) == {("meridian", jar): Mark(0, False)}
    assert await world.mirrored(jar) == 0


async def test_nothing_is_done_in_another_database_than_the_one_that_has_heard_what_came_before(
    world: World, past: Past
) -> None:
    """The database changes before the effect of a message: done now, it would be done before its predecessor's."""
    jar = uuid4()
    incoming = PostgresIncoming(world.db)
    await past.is_kept()

    class Swapped(Reactor):
        async def handle(self, source: str, message: Message, within: str = "") -> None:
            if message.headers[VERSION] == "2":
                await past.comes_back()
            await super().handle(source, message, within)

    inbox = Inbox("toy", incoming, Swapped("hearer", world.handler, [Ear()]), Pulse("test"))
    for version in (1, 2):
        subject, body, headers = filled(jar, version)
        await inbox.take([delivery := Received(Message(subject, headers, body))])
    assert (delivery.acknowledged, delivery.put_off) == (False, True)
    assert await world.mirrored(jar) == 0
    assert await world.row("SELECT count(*) FROM commands") == (0,)


class Received(Delivery):
    """A message as it was handed out, and what became of it."""

    def __init__(self, message: Message) -> None:
        self._message = message
        self.acknowledged = self.put_off = False

    @property
    def message(self) -> Message:
        return self._message

    @property
    def attempts(self) -> int:
        return 1

    async def ack(self) -> None:
        self.acknowledged = True

    async def later(self, delay: float) -> None:
        self.put_off = True
