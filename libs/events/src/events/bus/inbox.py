"""The inbox: each stream of another service is heard in order and once in effect, whatever the bus does.

A message is handled when its predecessor is; before that it waits in our database, and is acknowledged. A message that
cannot be handled is parked, which holds back only the later messages of its own stream.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

import structlog

from events.bus.envelope import place_of
from events.bus.port import Delivery
from events.bus.reacting import Permanent, Reactor, Transient
from events.failpoints import failpoint
from events.message import Message
from events.store.bus_port import Early, Incoming, Key, Mark, Waiting
from events.watch import Pulse

log = structlog.get_logger(__name__)

AT_ONCE = 16
LONGEST_DELAY = 10.0
PATIENT_FOR = 6
"""So often the broker hands a message out that cannot be handled for now. It counts those, and at some number hands out
nothing else any more; so from then on the message waits with us, and the sweep tries it again.
"""


@dataclass(eq=False)
class Item:
    """A message on its way through the inbox: the place where it belongs, and the delivery still to be acknowledged."""

    message: Message
    place: Early | None
    delivery: Delivery | None = None


@dataclass
class Round:
    """What became of a number of messages of one source."""

    heard: dict[Key, int] = field(default_factory=dict)
    early: list[Item] = field(default_factory=list)
    parked: list[tuple[Item, str]] = field(default_factory=list)
    done: list[Item] = field(default_factory=list)
    held_up: list[Item] = field(default_factory=list)
    trouble: str = ""
    identity: str = ""
    """Which database it began in."""


class Inbox:
    """Takes the messages of one source service. Any number of them may work side by side."""

    def __init__(self, source: str, incoming: Incoming, reactor: Reactor, pulse: Pulse) -> None:
        """`pulse` tells the watch how it goes."""
        self._source = source
        self._incoming = incoming
        self._reactor = reactor
        self._pulse = pulse

    async def take(self, deliveries: Sequence[Delivery]) -> None:
        """Handle, keep or park what was delivered, and whatever waited for it; acknowledge what is safe."""
        await failpoint("W6")
        delivered = items = [self._item(each.message, each) for each in deliveries]
        try:
            while items:
                items = await self._round(items)
        finally:
            for item in delivered:
                if item.delivery:
                    await item.delivery.later(_delay(item.delivery))

    async def take_up(self, waiting: Sequence[Waiting]) -> None:
        """Handle messages that waited, and have their turn now."""
        items = [self._item(each.message) for each in waiting]
        while items:
            items = await self._round(items)

    def _item(self, message: Message, delivery: Delivery | None = None) -> Item:
        place = place_of(self._source, message)
        return Item(message, Early(place.tenant, place.stream, place.version, message) if place else None, delivery)

    async def _round(self, items: list[Item]) -> list[Item]:
        """One pass over some messages; what has its turn after it."""
        result = Round()
        streams: dict[Key, list[Item]] = {}
        for item in items:
            if item.place:
                streams.setdefault((item.place.tenant, item.place.stream), []).append(item)
            else:
                result.parked.append((item, await self._why_nowhere(item)))
        marks = await self._incoming.marks(self._source, streams) if streams else {}
        result.identity = next((mark.identity for mark in marks.values()), "")
        limit = asyncio.Semaphore(AT_ONCE)
        await asyncio.gather(*(self._stream(key, of_it, marks[key], limit, result) for key, of_it in streams.items()))
        ready = await self._recorded(result)
        await _acknowledge(result.done)
        if result.trouble:
            self._pulse.trouble = result.trouble
        elif result.done:
            self._pulse.trouble = ""
        return ready

    async def _stream(self, key: Key, items: list[Item], mark: Mark, limit: asyncio.Semaphore, result: Round) -> None:
        """The messages of one stream, in order, as far as they have their turn."""
        version, parked = mark.version, mark.parked
        async with limit:
            for number, item in enumerate(ordered := sorted(items, key=_version)):
                if _version(item) <= version or (parked and _version(item) == version + 1):
                    result.done.append(item)
                elif parked or _version(item) > version + 1:
                    result.early.append(item)
                else:
                    try:
                        # In an older database, put back meanwhile, what came before it may not have been heard.
                        await self._reactor.handle(self._source, item.message, mark.identity)
                    except Transient as trouble:
                        result.trouble = str(trouble)
                        result.held_up.extend(each for each in ordered[number:] if _tried_enough(each))
                        break
                    except Permanent as refusal:
                        parked = True
                        result.parked.append((item, str(refusal)))
                    else:
                        result.done.append(item)
                        result.heard[key] = version = version + 1
                    self._pulse.moved()

    async def _recorded(self, result: Round) -> list[Item]:
        """Write down what became of the messages; what has its turn now, because of it or by somebody else's doing."""
        for item, reason in result.parked:
            if await self._incoming.park(self._source, item.message, item.place, reason):
                log.error("message_parked", source=self._source, subject=item.message.subject, reason=reason)
        result.done.extend(item for item, _ in result.parked)
        await failpoint("W7a")
        if result.heard:
            await self._incoming.advance(self._source, result.heard, identity=result.identity)
        ready: list[Item] = []
        if result.early:
            turn = {
                (e.tenant, e.stream, e.version) for e in await self._incoming.keep(self._source, _places(result.early))
            }
            for item in result.early:
                assert item.place
                at = (item.place.tenant, item.place.stream, item.place.version)
                (ready if at in turn else result.done).append(item)
        if result.held_up:
            await self._incoming.keep(self._source, _places(result.held_up), in_turn=True)
            result.done.extend(result.held_up)
        await failpoint("W7b")
        if result.heard:
            waiting = await self._incoming.ready(self._source, result.heard)
            ready.extend(self._item(each.message) for each in waiting)
        return ready

    async def _why_nowhere(self, item: Item) -> str:
        try:
            await self._reactor.handle(self._source, item.message)
        except Permanent as reason:
            return str(reason)
        raise AssertionError("a message without a place cannot be understood")


async def _acknowledge(done: Sequence[Item]) -> None:
    for item in done:
        if item.delivery:
            await item.delivery.ack()
            item.delivery = None
    if done:
        await failpoint("W8")


def _version(item: Item) -> int:
    assert item.place
    return item.place.version


def _places(items: Sequence[Item]) -> list[Early]:
    return [item.place for item in items if item.place]


def _tried_enough(item: Item) -> bool:
    return item.delivery is not None and item.delivery.attempts >= PATIENT_FOR


def _delay(delivery: Delivery) -> float:
    return float(min(LONGEST_DELAY, 0.25 * 2 ** min(delivery.attempts, 8)))
