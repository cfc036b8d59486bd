"""What has happened to a period."""

from datetime import datetime
from uuid import UUID

from events.kernel import Vouched, event
from events.words import Count, Key, Line, Sha256
from sla_service.periods.basis import Basis
from sla_service.periods.figures import Figures


@event("period-governed")
class Governed:
    """The month is judged by this version: told when something is first measured, and when it is another one."""

    sla: UUID
    sla_number: Line
    service: Key
    customer: Key
    month: Line
    basis: Basis


@event("period-measured")
class Measured:
    """So many samples were reported; the hash is that of their rows, and the figures are those after them."""

    rows: Count
    sha256: Sha256
    samples: tuple[Line, ...]
    figures: Figures
    at_risk: bool
    next_at: datetime | None


@event("period-went-on")
class WentOn:
    """Time alone changed the figures: an outage lasted, an incident became too old, the month was over."""

    figures: Figures
    at_risk: bool
    next_at: datetime | None


@event("period-at-risk")
class CameAtRisk:
    at: datetime
    used: Line
    budget: Line


@event("period-breached")
class Breached:
    """The target was missed; `at` is when that became a fact, however late it was reported."""

    at: datetime
    used: Line
    budget: Line
    sources: tuple[Line, ...]


@event("period-breach-restated")
class BreachRestated:
    """By what is known now the target was missed at another instant, or (null) not at all; the breach stays."""

    at: datetime | None
    used: Line | None
    budget: Line | None
    sources: tuple[Line, ...]


@event("period-finalised")
class Finalised:
    """The month, or the part of it in which the agreement was in force, is over: these figures are the final ones."""

    at: datetime
    figures: Figures
    met: bool


@event("period-restated")
class Restated:
    """Something was reported after the final figures; those stay readable (S-05)."""

    number: Count
    figures: Figures
    met: bool


@event("period-lapsed")
class Lapsed:
    """The agreement, or the target, is not in force in this month after all: nothing is judged."""


Event = Governed | Measured | WentOn | CameAtRisk | Breached | BreachRestated | Finalised | Restated | Lapsed


def vouches(event: Event) -> Vouched | None:
    """For the rows that came with a report."""
    return Vouched(rows=event.rows, sha256=event.sha256) if isinstance(event, Measured) else None
