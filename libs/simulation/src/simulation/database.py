"""One simulated database: its tables outlive the processes that use it, and can be copied and put back.

A statement happens at one instant, between two pauses: when it was asked and when it is answered. What the pauses do
to those who wait (delay them, lose the answer, end their process) is the simulator's business.
"""

from asyncio import get_running_loop
from bisect import bisect_right
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from contextvars import Context
from copy import copy
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime, timedelta
from functools import partial, wraps
from typing import Any, Concatenate, ParamSpec, TypeVar
from uuid import UUID

from events.message import Message
from events.store.bus_port import Letter, Lost, Restore
from events.store.port import OutcomeUnknown, Recorded, StoredEvent

Pause = Callable[[str], Awaitable[None]]
"""What happens to whoever waits at a moment such as "append asked" or "append answered"."""

NEVER = datetime.min.replace(tzinfo=UTC)

StreamKey = tuple[str, str, UUID]
"""(tenant, kind, id)"""
ForeignStream = tuple[str, str, UUID]
"""(tenant, source, stream)"""


@dataclass(frozen=True, slots=True)
class State:
    """A row of `states`."""

    version: int
    public_version: int
    shape: int
    state: str
    deadline: datetime | None


@dataclass(frozen=True, slots=True)
class SideRow:
    """A row of `side_rows`: it came with the event at `position`, and has this `place` among those that did."""

    body: str
    position: int
    place: int


@dataclass(frozen=True, slots=True)
class ParkedDeadline:
    """A row of `parked_deadlines`."""

    version: int
    shape: int
    reason: str


@dataclass(frozen=True, slots=True)
class Kept:
    """A row of `waiting`."""

    message: Message
    since: datetime


@dataclass(frozen=True, slots=True)
class Heard:
    """A row of `listeners`; `attached` is the database's identity when this was begun."""

    created: str
    handled: int
    attached: str


@dataclass(frozen=True, slots=True)
class Lease:
    """Who leads."""

    holder: str
    epoch: int
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Everything up to this position is on the bus, says the relay of this epoch; `sequence`: see Noted."""

    position: int = 0
    epoch: int = 0
    stream_created: str = ""
    sequence: int = 0


@dataclass(frozen=True, slots=True)
class GivenUp:
    """A row of `lost_announcements`: it counts when its restore is decided."""

    lost: Lost
    restore: int


@dataclass(kw_only=True)
class Tables:
    """All that a database holds. The rows are immutable, so a copy of the tables is a copy of everything."""

    position: int = 0
    recorded_at: datetime = NEVER
    events: list[StoredEvent] = field(default_factory=list)
    event_ids: set[UUID] = field(default_factory=set)
    states: dict[StreamKey, State] = field(default_factory=dict)
    commands: dict[tuple[str, UUID], Recorded] = field(default_factory=dict)
    claims: dict[tuple[str, str], tuple[str, UUID]] = field(default_factory=dict)
    side_rows: dict[tuple[str, str, UUID, str, str, str], SideRow] = field(default_factory=dict)
    numbers: dict[tuple[str, str], int] = field(default_factory=dict)
    parked_deadlines: dict[StreamKey, ParkedDeadline] = field(default_factory=dict)
    ahead: timedelta = timedelta(0)
    """How far business time is ahead of the database's clock."""
    lease: Lease | None = None
    checkpoint: Checkpoint = field(default_factory=Checkpoint)
    listeners: dict[str, Heard] = field(default_factory=dict)
    inbox: dict[ForeignStream, int] = field(default_factory=dict)
    waiting: dict[tuple[str, str, UUID, int], Kept] = field(default_factory=dict)
    dead_letters: dict[UUID, Letter] = field(default_factory=dict)
    restores: list[Restore] = field(default_factory=list)
    given_up: dict[tuple[UUID, int], GivenUp] = field(default_factory=dict)

    def events_after(self, position: int) -> list[StoredEvent]:
        """The log from there on."""
        return self.events[bisect_right(self.events, position, key=lambda event: event.position) :]

    def decided(self) -> list[GivenUp]:
        """What was given up by decisions that were made."""
        last = self.restores[-1].number if self.restores else 0
        return [each for each in self.given_up.values() if each.restore <= last]

    def copy(self) -> "Tables":
        """The same rows in tables of their own."""
        return Tables(**{each.name: copy(getattr(self, each.name)) for each in fields(self)})

    def become(self, other: "Tables") -> None:
        """Have the rows of another, which has them no longer to itself."""
        vars(self).update(vars(other))


class Database:
    """The simulated server and what it keeps."""

    def __init__(self, name: str, clock: Callable[[], datetime]) -> None:
        """Empty and running; `clock` tells real time, in UTC."""
        self._name = name
        self._clock = clock
        self._now = NEVER
        self._starts = 1
        self.up = True
        """Whether it answers at all."""
        self.tables = Tables(recorded_at=self.now())

    def now(self) -> datetime:
        """The database's clock. Time passes between two statements, so it never shows the same instant twice."""
        self._now = max(self._clock(), self._now + timedelta(microseconds=1))
        return self._now

    @property
    def identity(self) -> str:
        """Another after every restart of the server."""
        return f"{self._name} {self._starts}"

    def restart(self) -> None:
        """Begin again with what is on disk, which is everything."""
        self._starts += 1

    def backup(self) -> Tables:
        """A copy of everything."""
        return self.tables.copy()

    def restore(self, backup: Tables) -> None:
        """Put an older copy back, for which the server is restarted."""
        self.tables = backup.copy()
        self.restart()


class DoneLater(OutcomeUnknown):
    """No answer came in time, and the statement takes effect only then."""

    def __init__(self, moment: str, delay: float) -> None:
        super().__init__(f"{moment}: the database did not answer")
        self.delay = delay


async def undisturbed(_moment: str) -> None:
    """Nobody waits."""


class Connection:
    """What one process holds of a database."""

    def __init__(self, database: Database, pause: Pause = undisturbed) -> None:
        """`pause` is awaited before and after every statement."""
        self._database = database
        self._pause = pause

    @property
    def _tables(self) -> Tables:
        return self._database.tables

    def _is(self, identity: str) -> bool:
        """Whether this is the database that is meant; no identity means whichever it is."""
        return identity in ("", self._database.identity)

    async def passes(self, moment: str, effect: Callable[[], object] | None = None) -> None:
        """Let the simulator do what it will, if need be with the effect that was asked for."""
        try:
            await self._pause(moment)
        except DoneLater as later:
            if effect:
                identity = self._database.identity
                get_running_loop().call_later(later.delay, self._late, effect, identity, context=Context())
            raise

    def _late(self, effect: Callable[[], object], identity: str) -> None:
        """Done when nobody waits any more, not even the process that asked."""
        if self._database.up and self._is(identity):
            with suppress(Exception):  # a statement that fails leaves nothing behind
                effect()


Of = TypeVar("Of", bound=Connection)
Asked = ParamSpec("Asked")
Answer = TypeVar("Answer")


def statement(
    effect: Callable[Concatenate[Of, Asked], Answer],
) -> Callable[Concatenate[Of, Asked], Coroutine[Any, Any, Answer]]:
    """A method that takes effect at one instant, some time after it was asked and before it is answered."""

    @wraps(effect)
    async def asked(self: Of, /, *args: Asked.args, **named: Asked.kwargs) -> Answer:
        await self.passes(f"{effect.__name__} asked", partial(effect, self, *args, **named))
        try:
            return effect(self, *args, **named)
        finally:
            await self.passes(f"{effect.__name__} answered")

    return asked
