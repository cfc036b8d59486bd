"""A service's part of the bus: its relay, its consumers, and a watch over all of them."""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from random import Random

import structlog

from events.bus.consumer import Consumer
from events.bus.dead_letters import DeadLetters
from events.bus.inbox import Inbox
from events.bus.port import Broker
from events.bus.reacting import Listening, Reactor, Transient
from events.bus.read_back import ReadBack
from events.bus.relay import Relay, RelaySettings
from events.handling import Handler
from events.store.bus_port import Behind, Gap, Incoming, Outgoing, Waiting
from events.store.port import OutcomeUnknown, Unavailable
from events.watch import Pulse, Watched, now

log = structlog.get_logger(__name__)

SWEEP_EVERY = 1.0
LONGEST_REST = 5.0
LETTERS_EVERY = 10.0
STOP_WITHIN = 10.0


@dataclass(frozen=True, kw_only=True)
class BusSettings:
    """What may differ from installation to installation; times in seconds."""

    relay: RelaySettings = field(default_factory=RelaySettings)
    ack_wait: float = 5.0
    gap_after: float = 10.0
    look_every: float = 2.0
    """How often what only database and broker know is asked for."""
    late_after: float = 15.0
    """An announcement that is not on the bus after this time is an alarm."""


@dataclass(frozen=True, kw_only=True)
class Status:
    """How the bus is doing; `degraded` says in words what is not as it should be, and is empty when all is well."""

    degraded: tuple[str, ...]
    connected: bool
    leads: bool
    halted: bool
    """The relay waits for an operator's decision: an older database was restored."""
    lag: int
    """Positions between the relay's checkpoint and the head of the log."""
    oldest_unpublished: float
    pending: Mapping[str, int]
    """Per source service: messages that are not yet dealt with."""
    gaps: tuple[Gap, ...]
    parked: int
    idle: Mapping[str, float]
    """Per task: seconds since it last got something done."""


class Bus:
    """Everything of a service that talks to the bus. One per process."""

    def __init__(
        self,
        handler: Handler,
        service: str,
        features: Sequence[Listening],
        *,
        broker: Broker,
        incoming: Incoming,
        outgoing: Outgoing,
        settings: BusSettings | None = None,
        chance: Random | None = None,
    ) -> None:
        """Nothing is connected yet; the broker is started and stopped with the bus. `chance`: see Relay."""
        settings = settings or BusSettings()
        self._settings = settings
        self._incoming, self._outgoing, self._broker = incoming, outgoing, broker
        relay_pulse = Pulse("relay")
        self.relay = Relay(service, outgoing, broker, settings.relay, relay_pulse, chance)
        self._tasks = [Watched(relay_pulse, self.relay.run)]
        reactor = Reactor(service, handler, features, ReadBack(service, broker, outgoing).knows)
        self._consumers: dict[str, Consumer] = {}
        self._inboxes: dict[str, Inbox] = {}
        sweep = Pulse("sweep")
        for source in reactor.sources:
            pulse = Pulse(f"consumer of {source}")
            inbox = Inbox(source, self._incoming, reactor, pulse)
            consumer = Consumer(
                service,
                source,
                self._broker,
                self._incoming,
                inbox,
                pulse,
                ack_wait=settings.ack_wait,
                note_every=settings.look_every,
            )
            self._consumers[source] = consumer
            self._inboxes[source] = Inbox(source, self._incoming, reactor, sweep)
            self._tasks.append(Watched(pulse, consumer.run))
        self._letters = DeadLetters(service, incoming, handler, features, reactor)
        self._letters_due = 0.0
        self._sweep_pulse, self._look_pulse = sweep, Pulse("bus watch")
        self._tasks += [Watched(sweep, self._sweep), Watched(self._look_pulse, self._look)]
        self._stopping = asyncio.Event()
        self._behind = Behind()
        self._gaps: tuple[Gap, ...] = ()
        self._parked = 0

    def start(self) -> None:
        """Begin; also while NATS is down."""
        self._broker.start()
        for task in self._tasks:
            task.start()

    async def stop(self) -> None:
        """Fetch no more, finish what was fetched, acknowledge it, and close."""
        self._stopping.set()
        self.relay.stop()
        for consumer in self._consumers.values():
            consumer.stop()
        await asyncio.gather(*(task.stop(STOP_WITHIN) for task in self._tasks))
        await self._broker.stop()

    def wake(self) -> None:
        """Something was appended."""
        self.relay.wake()

    async def undelivered(self) -> tuple[Behind, int]:
        """(how far the bus is behind the log, messages not yet dealt with), asked at this moment."""
        unheard = await asyncio.gather(*(consumer.unheard() for consumer in self._consumers.values()))
        return await self._outgoing.behind(), sum(unheard)

    def status(self) -> Status:
        """What is known now; it asks nobody, so it answers also when nobody else does."""
        return Status(
            degraded=tuple(self._complaints()),
            connected=self._broker.connected,
            leads=self.relay.leads,
            halted=self.relay.halted,
            lag=max(0, self._behind.head - self._behind.checkpoint),
            oldest_unpublished=self._behind.oldest,
            pending={source: consumer.pending for source, consumer in self._consumers.items()},
            gaps=self._gaps,
            parked=self._parked,
            idle={task.pulse.name: now() - task.pulse.progress for task in self._tasks},
        )

    def _complaints(self) -> list[str]:
        found = [] if self._broker.connected else [f"{self._broker.name} is not connected"]
        found += [each for task in self._tasks for each in task.complaints()]
        found += self.relay.warnings
        if self._behind.oldest > self._settings.late_after:
            found.append(f"an announcement has waited {self._behind.oldest:.0f} s for the bus")
        found += [
            f"{gap.source} {gap.stream}: version {gap.missing} is missing, others have waited "
            f"{gap.seconds:.0f} s for it"
            for gap in self._gaps
        ]
        if self._parked:
            found.append(f"{self._parked} dead letters are parked")
        return found

    async def _sweep(self) -> None:
        """Take up, at the start and every second, what waits and has its turn: a crash left it, or nobody could."""
        while not self._stopping.is_set():
            self._sweep_pulse.beat()
            began = now()
            try:
                await self._incoming.tidy()
                self._sweep_pulse.trouble = ""
                await self._take_up_all()
            except (Unavailable, OutcomeUnknown) as trouble:
                self._sweep_pulse.trouble = str(trouble)
            await self._rest(min(max(SWEEP_EVERY, now() - began), LONGEST_REST))

    async def _take_up_all(self) -> None:
        """Page by page to the end: streams that cannot go on for now keep none behind them from their turn."""
        last: Waiting | None = None
        while (ready := await self._incoming.ready(after=last)) and not self._stopping.is_set():
            self._sweep_pulse.beat()
            for source, inbox in self._inboxes.items():
                await inbox.take_up([each for each in ready if each.source == source])
            last = ready[-1]

    async def _look(self) -> None:
        """Ask the database what only it knows."""
        while not self._stopping.is_set():
            self._look_pulse.beat()
            try:
                self._behind = await self._outgoing.behind()
                self._gaps = tuple(await self._incoming.gaps(self._settings.gap_after))
                self._parked = await self._incoming.parked()
                await self._try_letters()
                self._look_pulse.trouble = ""
                self._look_pulse.moved()
            except (Unavailable, OutcomeUnknown, Transient) as trouble:
                self._look_pulse.trouble = str(trouble)
            await self._rest(self._settings.look_every)

    async def _try_letters(self) -> None:
        if self._parked and now() >= self._letters_due:
            self._letters_due = now() + LETTERS_EVERY
            await self._letters.replay_understood()

    async def _rest(self, seconds: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._stopping.wait()
