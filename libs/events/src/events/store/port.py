"""What the machinery asks of a store. PostgreSQL answers it; the conformance suite says what the answers mean."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol
from uuid import UUID

from events.kernel import Row, Unacceptable


class Origin(StrEnum):
    """Where a command comes from; only HTTP callers can reuse an id for something else, so only they are compared."""

    HTTP = "http"
    NEWS = "news"
    DEADLINE = "deadline"


@dataclass(frozen=True, slots=True)
class NewEvent:
    """One event to append, encoded; `public_*` is what others will hear of it, if anything."""

    id: UUID
    type: str
    schema: int
    data: str
    public_type: str | None = None
    public_schema: int | None = None
    public_body: str | None = None


@dataclass(frozen=True, slots=True)
class Append:
    """One decided command: 0..n events for one stream, the state after them, and what it now claims."""

    tenant: str
    command: UUID
    origin: Origin
    fingerprint: str
    status: int
    kind: str
    stream: UUID
    expected: int
    shape: int
    metadata: str
    events: Sequence[NewEvent]
    state: str
    deadline: datetime | None
    claims: Sequence[str]
    rows: Sequence[Row] = ()
    within: str = ""
    """The one database, by its identity, where this may be appended; empty: whichever it is."""


@dataclass(frozen=True, slots=True)
class Together:
    """Decided commands, each for a stream of its own, of which all are appended or none."""

    appends: tuple[Append, ...]

    @property
    def rows(self) -> Sequence[Row]:
        """Those of all of them."""
        return [row for append in self.appends for row in append.rows]


def databases_meant(batch: Sequence[Append | Together]) -> set[str]:
    """The identities of those databases where alone something of this may be appended."""
    appends = (each for one in batch for each in (one.appends if isinstance(one, Together) else (one,)))
    return {append.within for append in appends} - {""}


@dataclass(frozen=True, slots=True)
class Recorded:
    """The command stands on disk: what it came to, now or when its id was used first."""

    kind: str
    stream: UUID
    version: int
    position: int
    status: int
    fingerprint: str
    origin: Origin
    first: bool
    """False: this id was known, and this is its first answer."""


@dataclass(frozen=True, slots=True)
class AllRecorded:
    """All commands that belong together stand on disk, and none of them did before."""

    each: tuple[Recorded, ...]


@dataclass(frozen=True, slots=True)
class VersionMoved:
    """Somebody else appended to the stream in between, or carried out one of those that belong together: load and
    decide again.
    """


@dataclass(frozen=True, slots=True)
class ShapeBehind:
    """The state row was written by newer code; this process must not write it."""


ANOTHER_DATABASE = "the database was restarted, or is another one, meanwhile"


@dataclass(frozen=True, slots=True)
class AnotherDatabase:
    """This is not the database it is meant for, or its server was restarted since."""


@dataclass(frozen=True, slots=True)
class ClaimHeld:
    """Another stream holds a key."""

    key: str
    kind: str
    stream: UUID


@dataclass(frozen=True, slots=True)
class RowDiffers:
    """A side row of this table, source and id is there with another content."""

    table: str
    source: str
    id: str


Answer = Recorded | AllRecorded | VersionMoved | ShapeBehind | AnotherDatabase | ClaimHeld | RowDiffers


@dataclass(frozen=True, slots=True)
class Loaded:
    """A stream's state row (version 0: none), the business clock's lead, and what a command id came to earlier."""

    version: int
    shape: int
    state: str | None
    now: datetime
    """Business time at which this was read."""
    recorded: Recorded | None


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """One row of the log, as it is kept."""

    position: int
    tenant: str
    kind: str
    stream: UUID
    version: int
    id: UUID
    type: str
    schema: int
    data: str
    metadata: str
    recorded_at: datetime
    public_type: str | None
    public_schema: int | None
    public_body: str | None
    public_version: int | None


@dataclass(frozen=True, slots=True)
class StateRow:
    """One row of the current folds."""

    id: UUID
    version: int
    shape: int
    state: str


@dataclass(frozen=True, slots=True)
class DueStream:
    """A stream whose deadline has come."""

    tenant: str
    kind: str
    stream: UUID
    version: int
    shape: int
    deadline: datetime


class Unavailable(Exception):
    """The database cannot do it now, and nothing was done: 503, try again."""


class OutcomeUnknown(Exception):
    """No answer came back in time: it may have been done. The same id may be sent again and finds out."""


class Unstorable(Unacceptable):
    """The database refuses this data; nothing was done."""

    slug = "unstorable"


class Store(Protocol):
    """The reads and the one write that handling needs."""

    async def load(self, tenant: str, kind: str, stream: UUID, command: UUID | None) -> Loaded:
        """State row and earlier outcome in one round trip."""

    async def append(self, batch: Sequence[Append | Together]) -> list[Answer]:
        """All of a batch in one transaction and one flush, each with its own answer, in the order of the batch.

        Of commands that belong together none is appended unless all are; the answer is then why the first could not
        be, where nothing has moved that would let them be decided otherwise. What stands alone side by side is recorded
        at one instant, as is what belongs together.
        """

    async def stream(
        self, tenant: str, kind: str, stream: UUID, *, version: int | None = None, position: int | None = None
    ) -> list[StoredEvent]:
        """The events of one stream, in order, up to a version or a position."""

    async def holder(self, tenant: str, key: str) -> tuple[str, UUID] | None:
        """Kind and id of the stream that holds a claim."""

    async def where(self, tenant: str, kind: str, fields: Sequence[tuple[str, str]], limit: int) -> list[StateRow]:
        """State rows of a kind by equality of top-level fields, oldest id first."""

    async def rows(self, tenant: str, kind: str, stream: UUID, table: str) -> list[Row]:
        """The side rows of a stream, in the order of their arrival."""

    async def next_number(self, tenant: str, series: str, first: int) -> int:
        """The next of a series; taken for good, whether used or not."""

    async def due(
        self, limit: int, shapes: Mapping[str, int] | None = None, *, after: DueStream | None = None
    ) -> list[DueStream]:
        """Streams whose deadline is not after business time, earliest first, without the parked ones.

        With `shapes` (by kind) only of these kinds, and without rows of a newer shape; those that come `after` one.
        """

    async def now(self) -> datetime:
        """Business time."""

    async def position_at(self, instant: datetime) -> int:
        """The last position recorded at or before an instant, final: raises Refused for a future one."""

    async def park_deadline(self, due: DueStream, reason: str) -> None:
        """Leave this deadline alone until its stream or the code changes."""

    async def parked_deadlines(self) -> int:
        """How many are left alone now, by whichever process."""
