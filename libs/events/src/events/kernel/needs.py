"""What a decision must know that lies outside its own stream; each need is declared with the command."""

from dataclasses import dataclass
from typing import Generic, TypeVar
from uuid import UUID

from events.kernel.rows import Row
from events.kernel.values import value

T = TypeVar("T")
S = TypeVar("S")


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


@dataclass(frozen=True)
class RowsOf(Need[tuple[Row, ...]]):
    """The side rows that the stream under decision has in a table, in the order of their arrival."""

    table: str
