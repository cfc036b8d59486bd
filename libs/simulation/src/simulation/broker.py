"""A process's connection to the simulated JetStream, which loses, doubles, delays and breaks as it is told."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Protocol, TypeVar

from events.bus.port import (
    BrokerRefused,
    BrokerTrouble,
    Delivery,
    DurableInfo,
    DurableSpec,
    Fate,
    StreamInfo,
    StreamSpec,
    Subscription,
)
from events.message import Message
from simulation.jetstream import Durable, Server, Stream, now

T = TypeVar("T")


class Line(Protocol):
    """What happens between a process and the server."""

    async def pause(self, moment: str) -> None:
        """Pass a moment; may take its time, raise BrokerTrouble, or never come back."""

    def send(self, deliver: Callable[[], Fate]) -> Fate | None:
        """Bring one message to the server; what the sender comes to know of it.

        None: it does not get there, or only later, and on the same line nothing overtakes it.
        """

    def hand_over(self, handed: Sequence[tuple[int, int]]) -> Sequence[tuple[int, int]]:
        """What arrives of what was handed out, in which order."""

    def loses(self) -> bool:
        """Whether a word that nobody waits for gets lost."""


class Calm:
    """A line on which nothing goes wrong."""

    async def pause(self, moment: str) -> None:
        await asyncio.sleep(0)

    def send(self, deliver: Callable[[], Fate]) -> Fate | None:
        return deliver()

    def hand_over(self, handed: Sequence[tuple[int, int]]) -> Sequence[tuple[int, int]]:
        return handed

    def loses(self) -> bool:
        return False


class SimulatedBroker:
    """Implements `events.bus.port.Broker`."""

    def __init__(self, server: Server, line: Line | None = None) -> None:
        """Nothing is connected yet."""
        self._server = server
        self._line = line or Calm()
        self._started = False
        self._connected = False
        self.connections = 0

    @property
    def name(self) -> str:
        return "the simulated NATS"

    @property
    def connected(self) -> bool:
        return self._connected and self._server.up

    def start(self) -> None:
        self._started = True
        self.connect()

    async def stop(self) -> None:
        self._started = self._connected = False

    def connect(self) -> None:
        """Connect, if it is not connected, and the server is there."""
        if self._started and self._server.up and not self._connected:
            self._connected = True
            self.connections += 1

    def cut(self) -> None:
        """The connection breaks."""
        if self._connected:
            self._connected = False
            self.connections += 1

    async def publish(
        self,
        stream: str,
        messages: Sequence[Message],
        within: float,
        *,
        connection: int | None = None,
        behind: int | None = None,
    ) -> Sequence[Fate]:
        self._require(connection)
        connection, starts = self.connections, self._server.starts
        fates: list[Fate] = []
        for number, message in enumerate(messages):
            await self._line.pause("publish")
            if not self.connected or self.connections != connection:
                break
            place = None if behind is None else behind + number
            fate = self._line.send(partial(self._store, starts, stream, message, place))
            fates.append(fate or Fate.UNKNOWN)
            if fate is None:
                break
        if Fate.UNKNOWN in fates:
            await asyncio.sleep(within)
        await self._line.pause("published")
        return [*fates, *[Fate.UNKNOWN] * (len(messages) - len(fates))]

    def _store(self, starts: int, stream: str, message: Message, behind: int | None) -> Fate:
        """What was sent to a server does not reach the next one."""
        return self._server.publish(stream, message, behind) if self._server.starts == starts else Fate.UNKNOWN

    async def stream(self, name: str) -> StreamInfo | None:
        def look() -> StreamInfo | None:
            stream = self._server.streams.get(name)
            if stream is None:
                return None
            count = len(stream.messages)
            return StreamInfo(stream.created, count, count, stream.bytes, stream.spec.max_bytes)

        return await self._asked("stream", look)

    async def make_stream(self, spec: StreamSpec) -> None:
        await self._asked("make_stream", lambda: self._server.make_stream(spec))

    async def mend_stream(self, spec: StreamSpec) -> Sequence[str]:
        def mend() -> Sequence[str]:
            self._found(spec.name).spec = spec
            return []

        return await self._asked("mend_stream", mend)

    async def message_at(self, stream: str, sequence: int) -> Message | None:
        def look() -> Message | None:
            found = self._server.streams.get(stream)
            return found.messages[sequence - 1] if found and 0 < sequence <= len(found.messages) else None

        return await self._asked("message_at", look)

    async def durable(self, spec: DurableSpec) -> DurableInfo | None:
        def look() -> DurableInfo | None:
            durable = self._server.durable(spec)
            if durable is None:
                return None
            pending = len(self._server.streams[spec.stream].messages) - durable.following + 1
            return DurableInfo(durable.acked, len(durable.pending), max(0, pending))

        return await self._asked("durable", look)

    async def make_durable(self, spec: DurableSpec, start: int) -> None:
        def remove() -> None:
            stream = self._server.streams.get(spec.stream)
            if stream:
                stream.durables.pop(spec.name, None)
                self._server.rouse()

        def make() -> None:
            self._found(spec.stream).durables[spec.name] = Durable(spec.ack_wait, start)

        await self._asked("remove_durable", remove)
        await self._asked("make_durable", make)

    async def mend_durable(self, spec: DurableSpec) -> None:
        def mend() -> None:
            durable = self._server.durable(spec)
            if durable is None:
                raise BrokerRefused(f"there is no durable {spec.name} on {spec.stream}")
            durable.ack_wait = spec.ack_wait

        await self._asked("mend_durable", mend)

    async def subscribe(self, spec: DurableSpec) -> Subscription:
        self._require()
        return SimulatedSubscription(self, self._server, self._line, spec)

    def _found(self, name: str) -> Stream:
        if name not in self._server.streams:
            raise BrokerRefused(f"there is no stream {name}")
        return self._server.streams[name]

    async def _asked(self, what: str, question: Callable[[], T]) -> T:
        self._require()
        connections = self.connections
        await self._line.pause(f"{what} asked")
        self._require(connections)
        answer = question()
        await self._line.pause(f"{what} answered")
        self._require(connections)
        return answer

    def _require(self, connections: int | None = None) -> None:
        if not self.connected or connections not in (None, self.connections):
            raise BrokerTrouble("NATS is not connected")


@dataclass(eq=False)
class SimulatedDelivery:
    """Implements `events.bus.port.Delivery`."""

    message: Message
    attempts: int
    _sequence: int
    _durable: Durable
    _subscription: "SimulatedSubscription"

    async def ack(self) -> None:
        if await self._subscription.arrives("ack"):
            self._durable.pending.pop(self._sequence, None)

    async def later(self, delay: float) -> None:
        if await self._subscription.arrives("nak") and self._sequence in self._durable.pending:
            self._durable.pending[self._sequence].due = now() + delay


class SimulatedSubscription:
    """Implements `events.bus.port.Subscription`."""

    def __init__(self, broker: SimulatedBroker, server: Server, line: Line, spec: DurableSpec) -> None:
        self._broker = broker
        self._server = server
        self._line = line
        self._spec = spec

    async def fetch(self, limit: int, within: float) -> Sequence[Delivery]:
        await self._line.pause("fetch")
        until = now() + within
        while True:
            if not self._broker.connected:
                raise BrokerTrouble("NATS is not connected")
            handed = self._server.hand_out(self._spec, limit)
            if handed is None:
                raise BrokerTrouble("the durable is gone")
            if handed or now() >= until:
                break
            await self._server.news(min(until, self._server.next_due(self._spec)) - now())
        arrived = self._deliveries(self._line.hand_over(handed))
        await self._line.pause("fetched")
        return arrived

    def _deliveries(self, handed: Sequence[tuple[int, int]]) -> list[Delivery]:
        stream = self._server.streams[self._spec.stream]
        durable = stream.durables[self._spec.name]
        return [
            SimulatedDelivery(stream.messages[sequence - 1], attempts, sequence, durable, self)
            for sequence, attempts in handed
        ]

    async def arrives(self, word: str) -> bool:
        """Whether an acknowledgement reaches the server; whoever sends it is not told."""
        await asyncio.sleep(0)
        try:
            await self._line.pause(word)
        except BrokerTrouble:
            return False
        return self._broker.connected and not self._line.loses()

    async def close(self) -> None:
        """There is nothing to let go of."""
