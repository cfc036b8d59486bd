"""What the improvement service tells the others: what became of each finding, breach and risk."""

from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from uuid import UUID

from events.kernel import public, value
from events.words import Count, Key, Line, Person, Role, Text


class SourceKind(StrEnum):
    """Where a corrective action comes from (C-01)."""

    FINDING = "finding"
    BREACH = "breach"
    RISK = "risk"


@value
class Source:
    """One reason for a corrective action; `id` is the stream of the finding, of target and month, or of the risk."""

    kind: SourceKind
    id: UUID
    label: Line
    service: Key | None
    clause: Key | None = None


class Measure(StrEnum):
    """What effectiveness can be judged by: measures that the SLA service announces."""

    SERVICES_WITHOUT_SLA = "services-without-sla"
    LONGEST_OUTAGE = "longest-outage"


@public("improvement", "corrective-action", "corrective-action-opened")
class CorrectiveActionOpened:
    """A corrective action was opened; the stream is the action's."""

    number: Line
    sources: tuple[Source, ...]
    priority: Line
    due: date
    owner_role: Role


@public("improvement", "corrective-action", "source-joined")
class SourceJoined:
    """One more source belongs to an action that was open already."""

    number: Line
    source: Source


@public("improvement", "corrective-action", "criterion-bound")
class CriterionBound:
    """The plan of an action was approved with this criterion: in the window the measure must not exceed the threshold.

    `subject` is the service for `longest-outage` (threshold in minutes), and null for `services-without-sla` (a count).
    The window starts when the actions were implemented; it is announced then.
    """

    number: Line
    cycle: int
    measure: Measure
    subject: Key | None
    threshold: Decimal
    starts_at: datetime
    ends_at: datetime


@public("improvement", "corrective-action", "criterion-released")
class CriterionReleased:
    """Nobody watches the criterion of that cycle any more: the action was re-opened or cancelled."""

    number: Line
    cycle: int
    measure: Measure
    subject: Key | None


@public("improvement", "measure", "criterion-contradicted")
class CriterionContradicted:
    """A reading lies above the threshold of a watched criterion; the stream is the measure's."""

    action: UUID
    cycle: int
    measure: Measure
    subject: Key | None
    reading: Line
    value: Decimal
    threshold: Decimal
    at: datetime


@public("improvement", "corrective-action", "corrective-action-reopened")
class CorrectiveActionReopened:
    """An action turned out not to be effective: a new cycle begins with a new analysis of the cause (C-08)."""

    number: Line
    cycle: int
    sources: tuple[Source, ...]
    reason: Text
    owner: Person | None = None


@public("improvement", "corrective-action", "corrective-action-escalated")
class CorrectiveActionEscalated:
    """A step of the escalation ladder was reached, once per cycle (C-11); `to` is null where nobody is known."""

    number: Line
    cycle: int
    step: Line
    to_role: Role
    to: Person | None
    due: date
    overdue_days: int


@public("improvement", "corrective-action", "corrective-action-cancelled")
class CorrectiveActionCancelled:
    """An action was cancelled by somebody who may; its sources are free again."""

    number: Line
    sources: tuple[Source, ...]
    approver: Person
    reason: Text


@public("improvement", "corrective-action", "corrective-action-closed")
class CorrectiveActionClosed:
    """An action was verified by somebody else and found effective."""

    number: Line
    cycle: int
    sources: tuple[Source, ...]
    verified_by: Person
    cycles: Count
    owner: Person | None = None
