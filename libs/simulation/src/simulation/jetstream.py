"""A JetStream server in memory. It does what the real one does for us: the broker's conformance suite holds both to the
same facts.
"""

import asyncio
from copy import deepcopy
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from random import Random

from events.bus.envelope import MESSAGE_ID
from events.bus.port import DurableSpec, Fate, StreamSpec
from events.message import Message

DUPLICATE_WINDOW = 120.0
MAX_IN_FLIGHT = 1024
LARGEST = 1024 * 1024
OVERHEAD = 64
"""Bytes that a message takes beside what it says; the real figure is another, and nobody depends on it."""


@dataclass(eq=False)
class Pending:
    """A message that was handed out and not acknowledged: when it is handed out again, and how often it was."""

    due: float
    attempts: int


@dataclass(eq=False)
class Durable:
    """A pull consumer: everything before `following` was handed out; what of it is not pending was acknowledged."""

    ack_wait: float
    following: int
    pending: dict[int, Pending] = field(default_factory=dict)

    @property
    def acked(self) -> int:
        return min(self.pending, default=self.following) - 1


@dataclass(eq=False)
class Stream:
    """What one service has said, in the order in which the server heard it."""

    spec: StreamSpec
    created: str
    messages: list[Message] = field(default_factory=list)
    bytes: int = 0
    heard: dict[str, float] = field(default_factory=dict)
    """When each message id was heard; forgotten after the duplicate window."""
    durables: dict[str, Durable] = field(default_factory=dict)

    def takes(self, subject: str) -> bool:
        return fnmatchcase(subject, self.spec.subject.replace(">", "*"))


class Server:
    """The broker itself. Its data outlives its connections, until somebody loses it."""

    def __init__(self) -> None:
        self.streams: dict[str, Stream] = {}
        self.up = True
        self.starts = 1
        self._made = 0
        self._waiting: list[asyncio.Future[None]] = []

    def make_stream(self, spec: StreamSpec) -> None:
        """Make it, unless it is there."""
        if spec.name not in self.streams:
            self._made += 1
            self.streams[spec.name] = Stream(spec, f"created {self._made}")

    def publish(self, name: str, message: Message, behind: int | None = None) -> Fate:
        """Store one message, unless it is known, or would not lie right behind that sequence."""
        stream, at = self.streams.get(name), now()
        if not self.up:
            return Fate.UNKNOWN
        if _size(message) > LARGEST:
            return Fate.TOO_LARGE
        if stream is None or not stream.takes(message.subject):
            return Fate.NO_STREAM
        if behind not in (None, len(stream.messages)):
            return Fate.MOVED
        id = message.headers.get(MESSAGE_ID, "")
        if id in stream.heard and at - stream.heard[id] < DUPLICATE_WINDOW:
            return Fate.KNOWN
        if stream.spec.max_bytes > 0 and stream.bytes + _size(message) > stream.spec.max_bytes:
            return Fate.NO_ROOM
        if id:
            stream.heard[id] = at
        stream.messages.append(message)
        stream.bytes += _size(message)
        self.rouse()
        return Fate.ACKED

    def hand_out(self, spec: DurableSpec, limit: int) -> list[tuple[int, int]] | None:
        """(sequence, attempts) of what is handed out now: first what was not acknowledged in time, then what is new.

        None: there is no such durable.
        """
        durable = self.durable(spec)
        if durable is None:
            return None
        at, stream = now(), self.streams[spec.stream]
        again = [sequence for sequence, each in sorted(durable.pending.items()) if each.due <= at][:limit]
        room = min(limit - len(again), MAX_IN_FLIGHT - len(durable.pending))
        new = range(durable.following, min(durable.following + room, len(stream.messages) + 1))
        durable.following = max(durable.following, new.stop)
        for sequence in new:
            durable.pending[sequence] = Pending(0, 0)
        handed = [*again, *new]
        for sequence in handed:
            pending = durable.pending[sequence]
            pending.due, pending.attempts = at + durable.ack_wait, pending.attempts + 1
        return [(sequence, durable.pending[sequence].attempts) for sequence in handed]

    def durable(self, spec: DurableSpec) -> Durable | None:
        """The durable, if stream and durable are there."""
        stream = self.streams.get(spec.stream)
        return stream.durables.get(spec.name) if stream else None

    def next_due(self, spec: DurableSpec) -> float:
        """When something may be handed out again, if nothing else happens."""
        durable = self.durable(spec)
        return min((each.due for each in durable.pending.values()), default=float("inf")) if durable else 0.0

    def rouse(self) -> None:
        """Whoever waits for messages looks again."""
        waiting, self._waiting = self._waiting, []
        for each in waiting:
            if not each.done():
                each.set_result(None)

    async def news(self, seconds: float) -> None:
        """Wait until something has changed, and no longer than this."""
        roused: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(roused)
        timer = asyncio.get_running_loop().call_later(max(seconds, 0.001), _rouse, roused)
        try:
            await roused
        finally:
            timer.cancel()

    def forget(self, chance: Random) -> None:
        """As a kill -9 may: the latest acknowledgements and deliveries were not written down yet."""
        for stream in self.streams.values():
            for durable in stream.durables.values():
                if chance.random() < 0.5:
                    durable.following = max(1, durable.following - chance.randint(0, 5))
                    durable.pending = {at: each for at, each in durable.pending.items() if at < durable.following}
        self.rouse()

    def backup(self) -> dict[str, Stream]:
        """A copy of all that it holds."""
        return deepcopy(self.streams)

    def lose(self, stream: str | None = None) -> None:
        """All that it held, or one stream, is gone, with the durables on it."""
        self.streams = {name: each for name, each in self.streams.items() if stream and name != stream}
        self.rouse()


def _rouse(waiting: "asyncio.Future[None]") -> None:
    if not waiting.done():
        waiting.set_result(None)


def now() -> float:
    """Virtual seconds."""
    return asyncio.get_running_loop().time()


def _size(message: Message) -> int:
    headers = sum(len(key) + len(text) for key, text in message.headers.items())
    return OVERHEAD + len(message.subject) + headers + len(message.body)
