"""What is handed in beside a command."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID

from events.kernel.needs import AllWhere, Need
from events.kernel.values import derived_id, value

T = TypeVar("T")
S = TypeVar("S")


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
