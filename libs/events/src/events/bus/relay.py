"""The relay: announcements leave the log in the order of their positions, each at least once.

PostgreSQL is the record, the bus is disposable. The checkpoint moves over the contiguous acknowledged prefix only, by
compare-and-set; whoever leads compares the JetStream stream with it at the start and at every reconnect, and rewinds.
Two leaders at once cost duplicates, never loss.
"""

import asyncio
import secrets
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from time import monotonic

import structlog

from events.bus.envelope import position_of, stream_name, stream_subject, to_message
from events.bus.port import Broker, BrokerTrouble, Fate, StreamInfo, StreamSpec
from events.bus.watch import Pulse
from events.failpoints import failpoint
from events.store.outgoing import Outgoing, Tail
from events.store.port import OutcomeUnknown, StoredEvent, Unavailable

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
    lease: float = 8.0
    renew: float = 2.0
    look: float = 5.0
    """How often the stream is looked at between reconnects: is it the same, is there room?"""
    max_bytes: int = 1 << 30
    replicas: int = 1


class Relay:
    """Publishes one service's announcements; of all replicas one leads."""

    def __init__(self, service: str, outgoing: Outgoing, broker: Broker, settings: RelaySettings, pulse: Pulse) -> None:
        """`pulse` tells the watch how it goes."""
        self._service = service
        self._outgoing = outgoing
        self._broker = broker
        self._settings = settings
        self._pulse = pulse
        self._spec = StreamSpec(stream_name(service), stream_subject(service), settings.max_bytes, settings.replicas)
        self._holder = f"{service}-{secrets.token_hex(8)}"
        self._wake = asyncio.Event()
        self._stopping = asyncio.Event()
        self._renewed = self._looked = 0.0
        self._seen: StreamInfo | None = None
        self.leads = False
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
                    self._renewed = monotonic()
                    await self._lead(epoch)
                else:
                    self._pulse.trouble = ""
                    wait = self._settings.renew
            except (BrokerTrouble, Unavailable, OutcomeUnknown, Halted) as trouble:
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

    async def republish(self, start: int, batch: int = 256) -> int:
        """Send announcements from a position up to the head once more, as new messages; how many they were."""
        sent, after = 0, start - 1
        while events := (await self._outgoing.tail(after, batch)).events:
            messages = [to_message(self._service, e, f"{e.id}-again-{secrets.token_hex(4)}") for e in events]
            fates = await self._broker.publish(self._spec.name, messages, self._settings.publish_timeout)
            acked = _prefix(fates)
            sent += acked
            if acked < len(events):
                raise BrokerTrouble(f"position {events[acked].position} was not acknowledged: {fates[acked]}")
            after = events[-1].position
        return sent

    async def _lead(self, epoch: int) -> None:
        position = await self._outgoing.take_over(epoch)
        connections = self._broker.connections
        if position is None:
            return
        position = await self._compared(epoch, position)
        while not self._stopping.is_set() and self._broker.connections == connections:
            self._pulse.beat()
            if not await self._still_leading(epoch) or not await self._same_stream():
                return
            moved = await self._forward(epoch, position)
            if moved is None:
                return
            if moved == position:
                await self._rest(self._settings.poll)
            position = moved
            self._pulse.trouble = ""

    async def _forward(self, epoch: int, position: int) -> int | None:
        """Publish the next window; the new checkpoint, or None if it is no longer ours to move."""
        tail = await self._outgoing.tail(position, self._settings.window)
        await failpoint("W3")
        if tail.head < position:
            return None  # the database under us is an older one
        acked, fate = len(tail.events), Fate.ACKED
        if tail.events:
            messages = [to_message(self._service, event) for event in tail.events]
            fates = await self._broker.publish(self._spec.name, messages, self._settings.publish_timeout)
            acked = _prefix(fates)
            fate = fates[acked] if acked < len(fates) else Fate.ACKED
        new = self._reached(tail, acked, position)
        await failpoint("W5")
        if new != position:
            if not await self._outgoing.move(epoch, position, new):
                return None
            self._pulse.moved()
        if fate is not Fate.ACKED:
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
        info = await self._broker.stream(self._spec.name)
        if info is None:
            # First the checkpoint, then the stream: a crash in between must not leave an empty stream believed full.
            position = await self._rewound(epoch, position, 0)
            await self._broker.make_stream(self._spec)
            info = await self._broker.stream(self._spec.name)
        else:
            self.warnings = await self._broker.mend_stream(self._spec)
            last = await self._last_position(info)
            if last < position:
                # Resent messages lie out of order by up to a window, so the last one vouches only for what is before.
                position = await self._rewound(epoch, position, max(0, last - self._settings.window))
        self._seen, self._looked = info, monotonic()
        return position

    async def _last_position(self, info: StreamInfo) -> int:
        """The position of the stream's last message of ours; it must be one of our log."""
        for sequence in range(info.last_sequence, max(0, info.last_sequence - self._settings.window), -1):
            message = await self._broker.message_at(self._spec.name, sequence) if info.messages else None
            position = position_of(message) if message else None
            if message is None or position is None:
                continue
            event = await self._outgoing.event_at(position)
            if str(event) != message.headers.get("ce-id"):
                head = (await self._outgoing.behind()).head
                raise Halted(
                    f"{self._spec.name} holds position {position} (event {message.headers.get('ce-id')}), our log "
                    f"{'ends at ' + str(head) if position > head else 'has another event there'}: an older database "
                    "was restored; an operator decides"
                )
            return position
        return 0

    async def _rewound(self, epoch: int, position: int, to: int) -> int:
        if to == position:
            return position
        log.warning("relay_rewinds", checkpoint=position, to=to)
        if not await self._outgoing.move(epoch, position, to):
            raise BrokerTrouble("somebody else has moved the checkpoint")
        return to

    async def _still_leading(self, epoch: int) -> bool:
        if monotonic() - self._renewed < self._settings.renew:
            return True
        self.leads = await self._outgoing.lease(self._holder, self._settings.lease) == epoch
        self._renewed = monotonic()
        return self.leads

    async def _same_stream(self) -> bool:
        """Whether the stream is the one that we compared; it is looked at every few seconds only."""
        if monotonic() - self._looked < self._settings.look:
            return True
        info, seen = await self._broker.stream(self._spec.name), self._seen
        self._seen, self._looked = info, monotonic()
        if info and info.max_bytes > 0 and info.bytes > ALARM_WHEN_FULL * info.max_bytes:
            self.warnings = [f"JetStream stream {self._spec.name} is {info.bytes / info.max_bytes:.0%} full"]
        elif self.warnings and "full" in self.warnings[0]:
            self.warnings = ()
        return bool(info and seen and info.created == seen.created and info.last_sequence >= seen.last_sequence)

    async def _rest(self, seconds: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._wake.wait()
        if not self._stopping.is_set():
            self._wake.clear()


def _prefix(fates: Sequence[Fate]) -> int:
    """How many from the first on were acknowledged."""
    return next((number for number, fate in enumerate(fates) if fate is not Fate.ACKED), len(fates))


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
