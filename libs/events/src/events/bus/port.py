"""What the relay and the consumers ask of a broker, so that a simulator can stand in for NATS."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from events.message import Message


class BrokerTrouble(Exception):
    """The broker is away, does not answer, or is not as it should be; what was asked may still have been done."""


class BrokerRefused(BrokerTrouble):
    """The broker has answered: no."""


class Fate(StrEnum):
    """What is known of a message that was sent."""

    ACKED = "acked"
    KNOWN = "known"
    """A message with its id is there already."""
    MOVED = "moved"
    """It was to lie behind a certain message, and by now another one lies there."""
    UNKNOWN = "unknown"
    """No answer in time. It may be there, or arrive later: send it again."""
    NO_STREAM = "no-stream"
    NO_ROOM = "no-room"
    TOO_LARGE = "too-large"

    @property
    def safe(self) -> bool:
        """The broker has it."""
        return self in (Fate.ACKED, Fate.KNOWN)


@dataclass(frozen=True, slots=True)
class StreamSpec:
    """The JetStream stream of one service: kept in files, nothing removed, nothing pushed out."""

    name: str
    subject: str
    max_bytes: int
    replicas: int


@dataclass(frozen=True, slots=True)
class StreamInfo:
    """A JetStream stream as it is; `created` tells one from another of the same name."""

    created: str
    messages: int
    last_sequence: int
    bytes: int
    max_bytes: int


@dataclass(frozen=True, slots=True)
class DurableSpec:
    """One service's pull consumer on the stream of another."""

    stream: str
    name: str
    ack_wait: float


@dataclass(frozen=True, slots=True)
class DurableInfo:
    """A durable as it is: everything up to sequence `acked` was acknowledged."""

    acked: int
    in_flight: int
    pending: int


class Delivery(Protocol):
    """A message as the broker handed it to us."""

    @property
    def message(self) -> Message:
        """What was sent."""

    @property
    def attempts(self) -> int:
        """How often it was handed out, this time included."""

    async def ack(self) -> None:
        """It is safe with us. The answer may get lost, then it comes again."""

    async def later(self, delay: float) -> None:
        """Hand it out again after so many seconds."""


class Subscription(Protocol):
    """A pull subscription on a durable. After any error it is closed and made anew."""

    async def fetch(self, limit: int, within: float) -> Sequence[Delivery]:
        """What is there, as soon as something is; nothing when the time is over."""

    async def close(self) -> None:
        """Let go of it."""


class Broker(Protocol):
    """A connection to the broker, which looks after itself. Everything may raise BrokerTrouble."""

    @property
    def name(self) -> str:
        """What it is and where, in words for people; nothing secret."""

    def start(self) -> None:
        """Connect in the background, for as long as it takes."""

    async def stop(self) -> None:
        """Send what is under way, and close."""

    @property
    def connected(self) -> bool:
        """Whether there is a connection at this moment."""

    @property
    def connections(self) -> int:
        """How often a connection was made or lost: behind another number may stand another server, with other data."""

    async def publish(
        self,
        stream: str,
        messages: Sequence[Message],
        within: float,
        *,
        connection: int | None = None,
        behind: int | None = None,
    ) -> Sequence[Fate]:
        """Send all, pipelined and in order, and wait at most so long for the answer to each.

        `connection`: only over this one (of `connections`), not over one that was made since. `behind`: only where the
        first comes to lie right behind this sequence and each behind the one before it, however late they arrive.
        """

    async def stream(self, name: str) -> StreamInfo | None:
        """The stream, if there is one."""

    async def make_stream(self, spec: StreamSpec) -> None:
        """Make the stream that is missing."""

    async def mend_stream(self, spec: StreamSpec) -> Sequence[str]:
        """Compare the stream with what it should be, and set right what can be; the differences that stay."""

    async def message_at(self, stream: str, sequence: int) -> Message | None:
        """One message of a stream."""

    async def durable(self, spec: DurableSpec) -> DurableInfo | None:
        """The durable, if there is one."""

    async def make_durable(self, spec: DurableSpec, start: int) -> None:
        """Make the durable, anew if it is there, from this sequence on."""

    async def mend_durable(self, spec: DurableSpec) -> None:
        """Compare the durable with what it should be, and set it right."""

    async def subscribe(self, spec: DurableSpec) -> Subscription:
        """Begin to pull from a durable."""
