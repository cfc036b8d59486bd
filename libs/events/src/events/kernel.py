"""The kernel that domains are written with: values, events, refusals, and what a decision may know.

A domain is pure. `decide` says what becomes true, `evolve` what is true now; `deadline`, `claims` and `announce` say
when somebody must look again, what nobody else may hold, and what other services hear; `react` says what we do when
they speak. Everything else is machinery and lives elsewhere.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from types import MappingProxyType
from typing import Any, ClassVar, Generic, TypeVar, dataclass_transform
from uuid import UUID, uuid5

T = TypeVar("T")
S = TypeVar("S")
C = TypeVar("C")
E = TypeVar("E")

NAMESPACE = UUID("6b0d6f7e-0f53-5c1e-9d1c-c105e100c105")
"""Root of every derived id; changing it would open every corrective action a second time."""


def derived_id(*parts: object) -> UUID:
    """The one id that follows from these parts: the same parts give the same id, in every process, for ever."""
    return uuid5(NAMESPACE, "\x1f".join(str(part) for part in parts))


# --- values and events -----------------------------------------------------------------------------------------------


@dataclass_transform(frozen_default=True, kw_only_default=True)
def value(cls: type[T]) -> type[T]:
    """A frozen, keyword-only dataclass that refuses unknown fields when it is read from JSON."""
    cls.__pydantic_config__ = {"extra": "forbid"}  # type: ignore[attr-defined]
    return dataclass(frozen=True, kw_only=True, slots=True)(cls)


@dataclass_transform(frozen_default=True, kw_only_default=True)
def event(name: str, version: int = 1) -> Callable[[type[T]], type[T]]:
    """A value that is stored for ever under this name and version, whatever the class is called later."""

    def store_under(cls: type[T]) -> type[T]:
        cls.__stored_name__ = name  # type: ignore[attr-defined]
        cls.__stored_version__ = version  # type: ignore[attr-defined]
        return value(cls)

    return store_under


def stored_name(of: object) -> tuple[str, int]:
    """Name and version under which an event, or a class of events, is stored or announced."""
    return of.__stored_name__, of.__stored_version__  # type: ignore[attr-defined]


@dataclass_transform(frozen_default=True, kw_only_default=True)
def public(service: str, aggregate: str, name: str, version: int = 1) -> Callable[[type[T]], type[T]]:
    """A value that other services hear, on `closeloop.<tenant>.<service>.<aggregate>.<name>.v<version>`."""

    def announce_as(cls: type[T]) -> type[T]:
        key = (service, name, version)
        if key in CONTRACTS:
            raise TypeError(f"{service} already announces {name} version {version}")
        made = event(name, version)(cls)
        made.__announced_by__ = (service, aggregate)  # type: ignore[attr-defined]
        CONTRACTS[key] = made
        return made

    return announce_as


CONTRACTS: dict[tuple[str, str, int], type] = {}
"""Every public event by (service, name, version); filled where the contracts are declared."""


# --- refusals --------------------------------------------------------------------------------------------------------


class Refused(Exception):
    """The state of things does not allow it; nothing was changed."""

    status: ClassVar[int] = 409
    slug: ClassVar[str] = "refused"

    def __init__(self, detail: str, *, rule: str = "", **members: object) -> None:
        """`detail` is said to the caller; `rule` names the requirement (docs/rules.md); members join the problem."""
        super().__init__(detail)
        self.detail = detail
        self.members = {"rule": rule, **members} if rule else members


class NotFound(Refused):
    """There is no such thing here."""

    status = 404
    slug = "not-found"


class Forbidden(Refused):
    """Somebody else may do this, but not the one who asks."""

    status = 403
    slug = "forbidden"


class Unacceptable(Refused):
    """Each field is well formed, but together they do not make sense."""

    status = 422
    slug = "unacceptable"


# --- what a decision may know ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Need(Generic[T]):
    """Something that a decision must know and that lies outside its own stream; `given[need]` is what was found.

    It is read from the service's own database at each attempt and is not guarded: a rule that must hold under a race
    is a claim. Streams are named by the class of their state (`of`), so that two aggregates can ask for each other.
    """


@value
class Found(Generic[S]):
    """The current state of another stream of the same service; version 0 where there is none."""

    id: UUID
    version: int
    state: S


@dataclass(frozen=True)
class StateOf(Need[Found[S]], Generic[S]):
    """The current state of one stream (its aggregate's initial state at version 0, where there is none)."""

    of: type[S]
    id: UUID


@dataclass(frozen=True)
class HolderOf(Need[Found[S] | None], Generic[S]):
    """The stream of this state that holds a claim now, or None."""

    of: type[S]
    key: str


@dataclass(frozen=True)
class AllWhere(Need[tuple[Found[S], ...]], Generic[S]):
    """All streams of this state that have these values in these (declared, indexed) fields, oldest first."""

    of: type[S]
    where: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class NextNumber(Need[int]):
    """The next human number of a series (CA-101): may have gaps, is never an id."""

    series: str
    first: int = 1


@value
class Row:
    """A side row: evidence kept beside the stream, which an event of that stream vouches for.

    `body` is canonical JSON. A row is unique by tenant, table, source and id: the same id with another body is refused.
    """

    table: str
    source: str
    id: str
    body: str


def fingerprint(rows: Iterable[Row]) -> str:
    """The SHA-256 by which an event vouches for the side rows that came with it, in their order."""
    return sha256("\n".join(row.body for row in rows).encode()).hexdigest()


@value
class Vouched:
    """What an event says of the side rows that came with it: how many, and their `fingerprint` where it has one."""

    rows: int
    sha256: str | None


@dataclass(frozen=True)
class RowsOf(Need[tuple[Row, ...]]):
    """The side rows that the stream under decision has in a table, in the order of their arrival."""

    table: str


@value
class Actor:
    """Who acts: an opaque person id and the roles of the token; `system:<service>` for reactions and deadlines."""

    person: str
    roles: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Given:
    """What is handed in beside the command: who, when (business time), which stream, and the facts it asked for."""

    tenant: str
    stream: UUID
    command: UUID
    at: datetime
    by: Actor
    facts: Mapping[Need[Any], Any] = field(default_factory=dict)

    def __getitem__(self, need: Need[T]) -> T:
        return self.facts[need]  # type: ignore[no-any-return]

    def only(self, need: AllWhere[S]) -> S:
        """The state of the one stream that this need can find; the initial one, as long as there is none."""
        found = self[need]
        return found[0].state if found else need.of()

    def new_id(self, *parts: object) -> UUID:
        """An id that stays the same when the command is decided again."""
        return derived_id(self.command, *parts)


@value
class Due:
    """The command of a deadline that has come; `given.at` is the business time up to which everything is due."""


@dataclass(frozen=True)
class Decision(Generic[E]):
    """Events together with the side rows that one of them vouches for."""

    events: Sequence[E]
    rows: Sequence[Row] = ()


# --- aggregates ------------------------------------------------------------------------------------------------------


def _nothing(*_: object) -> tuple[()]:
    return ()


def _never(_: object) -> None:
    return None


def _silence(_state: object, _event: object) -> None:
    return None


Upcaster = Callable[[dict[str, Any]], dict[str, Any]]


@dataclass(frozen=True, eq=False, kw_only=True)
class Aggregate(Generic[S, C, E]):
    """One kind of stream: its pure functions, by name.

    `decide` returns events (an empty sequence means: already so), or a Decision when side rows come with them.
    `events` lists every event class; `upcasters` turn the data of (name, version) into that of version + 1;
    `vouches` reads off an event how many side rows came with it, and their fingerprint;
    `shape` rises whenever the state, `evolve`, `deadline` or `claims` changes.
    """

    kind: str
    initial: S
    decide: Callable[[S, C, Given], Sequence[E] | Decision[E]]
    evolve: Callable[[S, E], S]
    events: tuple[type[Any], ...]
    needs: Callable[[S, C], Iterable[Need[Any]]] = _nothing
    deadline: Callable[[S], datetime | None] = _never
    claims: Callable[[S], Iterable[str]] = _nothing
    announce: Callable[[S, E], object | None] = _silence
    vouches: Callable[[E], Vouched | None] = _never
    shape: int = 1
    upcasters: Mapping[tuple[str, int], Upcaster] = field(default_factory=lambda: MappingProxyType({}))

    def fold(self, events: Iterable[E], state: S | None = None) -> S:
        """The state after these events."""
        state = self.initial if state is None else state
        for each in events:
            state = self.evolve(state, each)
        return state


# --- reactions -------------------------------------------------------------------------------------------------------


@value
class News:
    """A public event as a listener hears it: whose stream said it, and when it happened (business time)."""

    tenant: str
    service: str
    stream: UUID
    event: UUID
    at: datetime
    body: Any


@dataclass(frozen=True, kw_only=True)
class Reaction:
    """One command that follows from one public event.

    Its id follows from tenant, event, `rule` and `key`, never from the stream: redelivery finds the first decision.
    When a claim of `command` is held by another stream, it is handled again against that holder.
    """

    rule: str
    aggregate: Aggregate[Any, Any, Any]
    stream: UUID
    command: Any
    key: str = ""


React = Callable[[News], Iterable[Reaction]]
