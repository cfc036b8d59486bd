"""What other services say, and the commands that follow from it."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from events.kernel.aggregate import Aggregate
from events.kernel.values import value


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
