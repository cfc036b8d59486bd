"""What the bus keeps in the store: how far it has come, what waits, and what was parked.

PostgreSQL keeps it (`incoming`, `outgoing`); all of this raises Unavailable or OutcomeUnknown where it does not answer.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol
from uuid import UUID

from events.codec import canonical
from events.kernel import derived_id
from events.message import Message
from events.store.port import StoredEvent

Key = tuple[str, UUID]
"""(tenant, stream) of a source service."""


@dataclass(frozen=True, slots=True)
class Mark:
    """How far a stream was heard, whether its next message is parked, and which database says so."""

    version: int
    parked: bool
    identity: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class Early:
    """A message that comes before its turn, and its place."""

    tenant: str
    stream: UUID
    version: int
    message: Message


@dataclass(frozen=True, slots=True)
class Waiting:
    """A message whose turn has come, and the stream that it belongs to."""

    source: str
    message: Message
    key: Key


@dataclass(frozen=True, slots=True)
class Gap:
    """A message that others have waited for, for so many seconds."""

    source: str
    tenant: str
    stream: UUID
    missing: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Listener:
    """Which JetStream stream we heard, and the sequence up to which all is safe with us, says which database.

    `identity` is another after every restart of the server and after every restore; `attached` is what it was when we
    began to listen.
    """

    created: str
    handled: int
    identity: str = ""
    attached: str = ""


@dataclass(frozen=True, slots=True)
class Letter:
    """A message that could not be handled, and why; `held` later ones of its stream wait behind it."""

    id: UUID
    source: str
    tenant: str | None
    stream: UUID | None
    version: int | None
    message: Message
    reason: str
    status: str
    parked_at: datetime
    settled_at: datetime | None
    held: int


def letter_id(source: str, message: Message, place: Early | None) -> UUID:
    """The same message is parked once: known by its place, or by its content where it names none."""
    if place:
        return derived_id("dead letter", source, place.tenant, place.stream, place.version)
    headers = {key: text for key, text in message.headers.items() if not key.lower().startswith("nats-")}
    return derived_id("dead letter", source, message.subject, canonical(headers), message.body.hex())


@dataclass(frozen=True, slots=True)
class Tail:
    """The next announcements as they are told, the last position of the log, and the relay's checkpoint, all in one
    snapshot of the database that is named.
    """

    head: int
    events: Sequence[StoredEvent]
    checkpoint: int = 0
    identity: str = ""


@dataclass(frozen=True, slots=True)
class Behind:
    """How far the bus is behind the log; `oldest` is the age in seconds of the first announcement not on it."""

    head: int = 0
    checkpoint: int = 0
    oldest: float = 0.0


@dataclass(frozen=True, slots=True)
class Noted:
    """Up to which sequence of which JetStream stream everything is known to be of our log, says which database."""

    created: str = ""
    sequence: int = 0
    identity: str = ""


@dataclass(frozen=True, slots=True)
class Lost:
    """What others have heard from us and our log does not have, since an older database was restored."""

    event: UUID
    position: int
    tenant: str
    stream: UUID
    version: int
    message: Message


@dataclass(frozen=True, slots=True)
class Restore:
    """A decision to go on with an older database; positions after `last_position` up to `goes_on_after` stay empty."""

    number: int
    decided_at: datetime
    last_position: int
    goes_on_after: int
    lost: int


class Incoming(Protocol):
    """The consumers' side of the store."""

    async def marks(self, source: str, keys: Iterable[Key]) -> dict[Key, Mark]:
        """How far each of these streams was heard."""

    async def keep(self, source: str, early: Sequence[Early], *, in_turn: bool = False) -> list[Early]:
        """Store messages until their turn; those are returned whose turn it is by now.

        With `in_turn` those are stored, too, and what was handled is returned.
        """

    async def advance(
        self, source: str, heard: Mapping[Key, int], settled: str = "replayed", identity: str = ""
    ) -> None:
        """All up to these versions is done with; what was parked among it is settled.

        Raises Unavailable where this is another database than the one named: what was done is not in it.
        """

    async def ready(
        self, source: str | None = None, keys: Iterable[Key] = (), *, after: Waiting | None = None
    ) -> list[Waiting]:
        """What waits and has its turn now, with what waits behind it: of some streams, or (no source) of all.

        No more than a page of it, stream by stream; of all streams, those that come `after` the stream of another one.
        """

    async def tidy(self) -> None:
        """Forget what waits, and settle what is parked, although it was handled: others at work leave such rows."""

    async def park(self, source: str, message: Message, place: Early | None, reason: str) -> bool:
        """Set a message aside, unless it was handled meanwhile; True when it was not there before."""

    async def gaps(self, older: float) -> list[Gap]:
        """Messages that others have waited for longer than so many seconds; parked ones are not missing."""

    async def listener(self, source: str) -> Listener | None:
        """How far we have heard a service's JetStream stream."""

    async def listen(self, source: str, created: str, handled: int, identity: str = "") -> Listener:
        """From now on we hear this stream, from there. Raises Unavailable in another database than the one named."""

    async def heard(self, source: str, seen: Listener, handled: int) -> bool:
        """Move on from where we last were; False if the row is elsewhere, or in another database."""

    async def letters(
        self, status: str | None = "parked", *, reasons: Sequence[str] = (), after: Letter | None = None
    ) -> list[Letter]:
        """A page of dead letters, oldest first: of every status where none is given; whose reasons begin so, if any."""

    async def letter(self, id: UUID) -> Letter | None:
        """One dead letter."""

    async def parked(self) -> int:
        """How many messages are parked."""

    async def settle(self, id: UUID, status: str) -> None:
        """A letter that belongs to no stream is done with."""


class Outgoing(Protocol):
    """The relay's side of the store."""

    async def lease(self, holder: str, seconds: float) -> int | None:
        """Take or renew the lead; the epoch, or None while somebody else leads. Time is the database's."""

    async def release(self, holder: str) -> None:
        """Let somebody else lead at once."""

    async def take_over(self, epoch: int) -> int | None:
        """The checkpoint, which from now on only this epoch or a later one moves; None if a later one has it."""

    async def move(self, epoch: int, old: int, new: int, identity: str = "") -> bool:
        """Move the checkpoint, if it is where, whose, and in which database we believe."""

    async def tail(self, after: int, limit: int) -> Tail:
        """Announcements after a position, in order, as they are told."""

    async def at(self, positions: Iterable[int]) -> Mapping[int, StoredEvent]:
        """The announcements at these positions, as they are told."""

    async def behind(self) -> Behind:
        """How far the bus is behind the log."""

    async def noted(self) -> Noted:
        """How much of the JetStream stream is known to be of our log."""

    async def note(self, epoch: int, noted: Noted) -> bool:
        """So much is known now; False if another epoch leads, or in another database."""

    async def lost(self, ids: Iterable[UUID]) -> set[UUID]:
        """Which of these were given up after a restore."""

    async def lost_announcements(self, start: int = 0) -> Sequence[Lost]:
        """What was given up, from a position on, in the order of positions."""

    async def give_up(self, lost: Sequence[Lost], noted: Noted) -> Restore:
        """An operator's decision: others keep what they have heard, we go on behind it."""
