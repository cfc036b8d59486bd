"""An aggregate: one kind of stream as a handful of pure functions."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Any, Generic, TypeVar

from events.kernel.given import Given
from events.kernel.needs import Need
from events.kernel.rows import Row, Vouched

S = TypeVar("S")
C = TypeVar("C")
E = TypeVar("E")


@dataclass(frozen=True)
class Decision(Generic[E]):
    """Events together with the side rows that one of them vouches for."""

    events: Sequence[E]
    rows: Sequence[Row] = ()


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
