"""The relay: announcements leave the log in the order of their positions, each at least once.

PostgreSQL is the record, the bus is disposable. The checkpoint moves over the contiguous acknowledged prefix only, by
compare-and-set; whoever leads compares the JetStream stream with it at the start and at every reconnect, and rewinds.
Two leaders at once cost duplicates, never loss. What the stream got since our log last agreed with it is read back
first, so that a log which is older than what others have heard says nothing.
"""

import asyncio
from collections.abc import Sequence, Set
from contextlib import suppress
from dataclasses import dataclass, replace
from math import inf
from random import Random, SystemRandom

import structlog

from events.bus.envelope import sent_again, stream_name, stream_subject, to_message
from events.bus.port import Broker, BrokerTrouble, Fate, StreamInfo, StreamSpec
from events.bus.read_back import ReadBack, Whose, agreed_up_to
from events.failpoints import failpoint
from events.message import Message
from events.store.bus_port import Noted, Outgoing, Tail
from events.store.port import OutcomeUnknown, StoredEvent, Unavailable
from events.watch import Pulse, now

log = structlog.get_logger(__name__)

ALARM_WHEN_FULL = 0.8


class Halted(Exception):
    """The relay must not go on until an operator has decided."""


@dataclass(frozen=True, kw_only=True)
class RelaySettings:
    """Times in seconds."""

    poll: float = 0.2
    window: int = 256
    """How many announcements are under way at once."""
    publish_timeout: float = 3.0
    lease: float = 3.0
    renew: float = 1.0
    look: float = 5.0
    """How often the stream is looked at between reconnects: is it the same, is there room?"""
    max_bytes: int = 1 << 30
    replicas: int = 1


class Relay:
    """Publishes one service's announcements; of all replicas one leads."""

    def __init__(
        self,
        service: str,
        outgoing: Outgoing,
        broker: Broker,
        settings: RelaySettings,
        pulse: Pulse,
        chance: Random | None = None,
    ) -> None:
        """`pulse` tells the watch how it goes; `chance` makes names that nobody else has."""
        self._service = service
        self._outgoing = outgoing
        self._broker = broker
        self._settings = settings
        self._pulse = pulse
        self._spec = StreamSpec(stream_name(service), stream_subject(service), settings.max_bytes, settings.replicas)
        self._chance = chance or SystemRandom()
        self._holder = f"{service}-{self._chance.getrandbits(64):016x}"
        self._wake = asyncio.Event()
        self._stopping = asyncio.Event()
        self._renewed = self._looked = 0.0
        self._read_back = ReadBack(service, broker, outgoing)
        self._noted = Noted()
        self._last = 0
        """The sequence up to which the stream was compared with our log or filled by us. We publish right behind it and
        nowhere else: so nothing of a log that is no more, however late it arrives, gets between ours, or behind them.
        """
        self._there: Set[int] = frozenset()
        """The positions of ours that the stream's end was seen to hold: they are not sent again."""
        self._connection = 0
        """Over which the stream was compared with our log. Nothing is published over another: should the stream have
        lost its end, what we publish would stand where the end was, and nobody would see that it is missing."""
        self.leads = self.halted = False
        self.warnings: Sequence[str] = ()
        """What is amiss with the stream, but does not hold the relay up."""

    def wake(self) -> None:
        """Something was appended: do not wait for the next poll."""
        self._wake.set()

    def stop(self) -> None:
        """End after the step under way."""
        self._stopping.set()
        self._wake.set()

    async def run(self) -> None:
        """Lead whenever nobody else does."""
        while not self._stopping.is_set():
            self._pulse.beat()
            wait = self._settings.poll
            try:
                epoch = await self._outgoing.lease(self._holder, self._settings.lease)
                self.leads = epoch is not None
                if epoch is not None:
                    self._renewed = now()
                    await self._lead(epoch)
                else:
                    self._pulse.trouble, self.halted = "", False
                    wait = self._settings.renew
            except (BrokerTrouble, Unavailable, OutcomeUnknown, Halted) as trouble:
                self.halted = isinstance(trouble, Halted)
                if self._pulse.trouble != str(trouble):
                    log.warning("relay_held_up", why=str(trouble))
                self._pulse.trouble = str(trouble)
                wait = 1.0
            with suppress(TimeoutError):  # not to be woken: each try to lead is a write, and appends may be many
                async with asyncio.timeout(wait):
                    await self._stopping.wait()
        self.leads = False
        with suppress(Unavailable, OutcomeUnknown):
            await self._outgoing.release(self._holder)

    async def republish(self, start: int) -> int:
        """Send announcements from a position up to the head once more, as new messages; how many they were.

        Raises Halted where others have heard what our log does not have.
        """
        self._connection = self._broker.connections
        noted, info = await self._outgoing.noted(), await self._broker.stream(self._spec.name)
        if info:
            await self._agreed(noted, info)
        again = f"again-{self._chance.getrandbits(32):08x}"
        sent = await self._tell_given_up(start, again)
        while events := (await self._outgoing.tail(start - 1, self._settings.window)).events:
            await self._tell([to_message(self._service, e, f"{e.id}-{again}") for e in events])
            sent, start = sent + len(events), events[-1].position + 1
        return sent

    async def _tell(self, messages: Sequence[Message]) -> None:
        """All of them, or BrokerTrouble."""
        self._pulse.beat()
        for message, fate in zip(messages, await self._publish(messages), strict=True):
            if not fate.safe:
                raise BrokerTrouble(f"{message.headers.get('ce-id')} was not acknowledged: {fate}")

    async def _publish(self, messages: Sequence[Message], behind: int | None = None) -> Sequence[Fate]:
        within, connection = self._settings.publish_timeout, self._connection
        return await self._broker.publish(self._spec.name, messages, within, connection=connection, behind=behind)

    async def _publish_missing(self, events: Sequence[StoredEvent]) -> tuple[int, Fate]:
        """(how many from the first on are on the bus by now, what became of the one behind them)."""
        missing = [event for event in events if event.position not in self._there]
        messages = [to_message(self._service, event) for event in missing]
        fates = await self._publish(messages, self._last) if messages else ()
        safe = _prefix(fates)
        self._last += fates[:safe].count(Fate.ACKED)
        return (len(events), Fate.ACKED) if safe == len(missing) else (events.index(missing[safe]), fates[safe])

    async def _tell_given_up(self, start: int, again: str) -> int:
        """What was given up after a restore is told on: without it, whoever listens anew would wait for its numbers."""
        lost = await self._outgoing.lost_announcements(start)
        for first in range(0, len(lost), self._settings.window):
            some = lost[first : first + self._settings.window]
            fresh = [sent_again(each.message.headers, f"{each.event}-{again}") for each in some]
            await self._tell([replace(e.message, headers=headers) for e, headers in zip(some, fresh, strict=True)])
        return len(lost)

    async def _lead(self, epoch: int) -> None:
        position = await self._outgoing.take_over(epoch)
        self._connection = self._broker.connections
        if position is None:
            return
        position = await self._compared(epoch, position)
        while not self._stopping.is_set() and self._broker.connections == self._connection:
            self._pulse.beat()
            if not await self._still_leading(epoch) or not await self._same_stream(epoch):
                return
            moved = await self._forward(epoch, position)
            if moved is None:
                return
            if moved == position:
                await self._rest(self._settings.poll)
            position, self.halted = moved, False
            self._pulse.trouble = ""

    async def _forward(self, epoch: int, position: int) -> int | None:
        """Publish the next window; the new checkpoint, or None if it is no longer ours to move."""
        tail = await self._outgoing.tail(position, self._settings.window)
        if (tail.identity, tail.checkpoint) != (self._noted.identity, position) or tail.head < position:
            return None  # the database under us is another one, or another process leads
        acked, fate = len(tail.events), Fate.ACKED
        if tail.events:
            await failpoint("W3")
            acked, fate = await self._publish_missing(tail.events)
            await failpoint("W5")
        new = self._reached(tail, acked, position)
        if new != position:
            if not await self._outgoing.move(epoch, position, new, tail.identity):
                return None
            self._pulse.moved()
        if fate is Fate.MOVED:
            self._looked = -inf
        elif fate is not Fate.ACKED:
            raise BrokerTrouble(_why(fate, tail.events[acked], self._spec.name))
        return new

    def _reached(self, tail: Tail, acked: int, position: int) -> int:
        """Everything up to here is on the bus or was never for it."""
        if acked < len(tail.events):
            return tail.events[acked].position - 1
        if len(tail.events) == self._settings.window:
            return tail.events[-1].position
        return max(tail.head, position)

    async def _compared(self, epoch: int, position: int) -> int:
        """The checkpoint after a look at the stream: what it has lost is published again."""
        self._noted = noted = await self._outgoing.noted()
        info = await self._broker.stream(self._spec.name)
        if info is None:
            # First the checkpoint, then the stream: a crash in between must not leave an empty stream believed full.
            position = await self._rewound(epoch, position, 0)
            await self._broker.make_stream(self._spec)
            info = await self._broker.stream(self._spec.name)
            if info is None:
                raise BrokerTrouble(f"{self._spec.name} was made, and is not there")
        self.warnings = await self._broker.mend_stream(self._spec)
        last = await self._agreed(noted, info, epoch)
        if info.created != noted.created or info.last_sequence < noted.sequence:
            await self._tell_given_up(0, info.created)
        if last < position:
            # Resent messages lie out of order by up to a window, so the last one vouches only for what is before.
            position = await self._rewound(epoch, position, max(0, last - self._settings.window))
        await self._note(epoch, info)
        return position

    async def _agreed(self, noted: Noted, info: StreamInfo, epoch: int | None = None) -> int:
        """The position of the stream's last message of ours. Raises Halted if one not known yet is not of our log."""
        ours: Sequence[int] = ()
        enough = agreed_up_to(noted, info)
        async for read, page in self._read_back.pages(0, info.last_sequence):
            self._pulse.beat()
            if epoch is not None and not await self._still_leading(epoch):
                raise BrokerTrouble("somebody else leads by now")
            for each in page:
                if each.whose is Whose.STRANGE:
                    raise Halted(await self._read_back.why(each))
            ours = ours or [each.position for each in page if each.whose is Whose.OURS]
            if ours and read <= enough:
                break
        self._there = frozenset(ours)
        return ours[0] if ours else 0

    async def _note(self, epoch: int, info: StreamInfo) -> None:
        """All that the stream holds by now is of our log."""
        noted = Noted(info.created, info.last_sequence, self._noted.identity)
        if noted != self._noted and not await self._outgoing.note(epoch, noted):
            raise BrokerTrouble("somebody else leads, or the database is another one")
        self._noted, self._last, self._looked = noted, info.last_sequence, now()

    async def _rewound(self, epoch: int, position: int, to: int) -> int:
        if to == position:
            return position
        log.warning("relay_rewinds", checkpoint=position, to=to)
        if not await self._outgoing.move(epoch, position, to, self._noted.identity):
            raise BrokerTrouble("somebody else has moved the checkpoint")
        return to

    async def _still_leading(self, epoch: int) -> bool:
        if now() - self._renewed < self._settings.renew:
            return True
        self.leads = await self._outgoing.lease(self._holder, self._settings.lease) == epoch
        self._renewed = now()
        return self.leads

    async def _same_stream(self, epoch: int) -> bool:
        """Whether the stream is the one that we compared; it is looked at every few seconds only."""
        if now() - self._looked < self._settings.look:
            return True
        info = await self._broker.stream(self._spec.name)
        self._warn_when_full(info)
        if info is None or info.created != self._noted.created or info.last_sequence < self._last:
            return False
        if info.last_sequence > self._last:  # somebody else has published here
            await self._agreed(self._noted, info, epoch)
        await self._note(epoch, info)
        return True

    def _warn_when_full(self, info: StreamInfo | None) -> None:
        if info and info.max_bytes > 0 and info.bytes > ALARM_WHEN_FULL * info.max_bytes:
            self.warnings = [f"JetStream stream {self._spec.name} is {info.bytes / info.max_bytes:.0%} full"]
        elif self.warnings and "full" in self.warnings[0]:
            self.warnings = ()

    async def _rest(self, seconds: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._wake.wait()
        if not self._stopping.is_set():
            self._wake.clear()


def _prefix(fates: Sequence[Fate]) -> int:
    """How many from the first on were acknowledged."""
    return next((number for number, fate in enumerate(fates) if not fate.safe), len(fates))


def _why(fate: Fate, event: StoredEvent, stream: str) -> str:
    what = f"event {event.id} at position {event.position}"
    match fate:
        case Fate.TOO_LARGE:
            return f"{what} is too large for the bus; nothing behind it is published until the limit is raised"
        case Fate.NO_ROOM:
            return f"JetStream stream {stream} is full; {what} waits"
        case Fate.NO_STREAM:
            return f"JetStream stream {stream} is gone; {what} waits"
    return f"{what} was not acknowledged; it is sent again"
