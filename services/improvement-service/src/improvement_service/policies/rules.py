"""What a policy says: which occasions call for a corrective action, how urgent it is, who is told when it is late."""

from datetime import date, datetime, timedelta
from enum import StrEnum
from uuid import UUID

from contracts.audit import NONCONFORMITIES, Grade
from contracts.improvement import Source, SourceKind
from contracts.sla import Metric
from events.kernel import value
from events.words import Days, DayShift, Key, Person, Role, Text, Zone, end_of, start_of


class Priority(StrEnum):
    """How much it matters; the first is the highest."""

    CRITICAL = "critical"
    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"

    @property
    def rank(self) -> int:
        return list(Priority).index(self)


class Grouping(StrEnum):
    """Which sources share one corrective action while its plan is not yet made."""

    NONE = "none"
    CLAUSE = "clause"
    SERVICE = "service"


@value
class Occasion:
    """What happened that may call for a corrective action, in the words that rules judge by."""

    source: Source
    event: UUID
    at: datetime
    summary: Text
    grade: Grade | None = None
    metric: Metric | None = None
    target: Key | None = None
    owner: Person | None = None
    """Who answers for it, where the source itself says so (the owner of a risk)."""


@value
class Call:
    """A corrective action is needed: this urgent, due so many days after the occasion, answered for by this role."""

    priority: Priority
    due_days: Days
    owner_role: Role


@value
class Rule:
    """What follows from an occasion of one kind; a condition that is null holds for all, `call` null asks for nothing.

    A clause stands for its sub-clauses too.
    """

    kind: SourceKind
    grade: Grade | None = None
    clause: Key | None = None
    service: Key | None = None
    metric: Metric | None = None
    target: Key | None = None
    call: Call | None

    def matches(self, occasion: Occasion) -> bool:
        source = occasion.source
        return (
            self.kind == source.kind
            and self.grade in (None, occasion.grade)
            and (self.clause is None or f"{source.clause}.".startswith(f"{self.clause}."))
            and self.service in (None, source.service)
            and self.metric in (None, occasion.metric)
            and self.target in (None, occasion.target)
        )


@value
class Step:
    """One rung of the escalation ladder: so many days before (negative) or after the due date, this role is told.

    A reminder (negative) falls on the start of its day, the others on the end of theirs, because a due date ends with
    its day. `role` null means the owner.
    """

    key: Key
    days: DayShift
    role: Role | None = None

    def instant(self, due: date, zone: str, grace_days: int) -> datetime:
        """When the step is reached; days of grace postpone what comes after the due date."""
        if self.days < 0:
            return start_of(due + timedelta(days=self.days), zone)
        return end_of(due + timedelta(days=self.days + grace_days), zone)


@value
class Policy:
    """The rules of one version; the first rule that matches an occasion decides."""

    rules: tuple[Rule, ...]
    grouping: Grouping
    time_zone: Zone
    ladder: tuple[Step, ...]
    grace_days: Days
    extension_approvers: tuple[Role, ...]
    """Who may give more time: the process owner, or a role above."""

    def call_for(self, occasion: Occasion) -> Call | None:
        """What the occasion calls for; observations, opportunities and strengths never call for anything (A-10)."""
        if occasion.grade is not None and occasion.grade not in NONCONFORMITIES:
            return None
        return next((rule.call for rule in self.rules if rule.matches(occasion)), None)

    def group_of(self, source: Source) -> str:
        """The name under which sources meet in one action; empty where this one stands alone."""
        match self.grouping:
            case Grouping.CLAUSE if source.clause is not None:
                return f"clause:{source.clause}"
            case Grouping.SERVICE if source.service is not None:
                return f"service:{source.service}"
            case _:
                return ""


SERVICE_LEVELS = "8.3.3"
"""The clause on service level management: its owner answers for findings there."""

DEFAULT = Policy(
    rules=(
        Rule(
            kind=SourceKind.FINDING,
            grade=Grade.MAJOR,
            clause=SERVICE_LEVELS,
            call=Call(priority=Priority.HIGH, due_days=90, owner_role="service-level-manager"),
        ),
        Rule(
            kind=SourceKind.FINDING,
            grade=Grade.MAJOR,
            call=Call(priority=Priority.HIGH, due_days=90, owner_role="process-owner"),
        ),
        Rule(
            kind=SourceKind.FINDING,
            grade=Grade.MINOR,
            clause=SERVICE_LEVELS,
            call=Call(priority=Priority.MEDIUM, due_days=180, owner_role="service-level-manager"),
        ),
        Rule(
            kind=SourceKind.FINDING,
            grade=Grade.MINOR,
            call=Call(priority=Priority.MEDIUM, due_days=180, owner_role="process-owner"),
        ),
        Rule(
            kind=SourceKind.BREACH,
            call=Call(priority=Priority.HIGH, due_days=30, owner_role="service-level-manager"),
        ),
        Rule(kind=SourceKind.RISK, call=Call(priority=Priority.MEDIUM, due_days=60, owner_role="risk-owner")),
    ),
    grouping=Grouping.NONE,
    time_zone="Europe/Berlin",
    ladder=(
        Step(key="reminder", days=-7),
        Step(key="owner", days=0),
        Step(key="process-owner", days=7, role="process-owner"),
        Step(key="cio", days=14, role="cio"),
    ),
    grace_days=0,
    extension_approvers=("process-owner", "cio"),
)
"""In force without any set-up; the day counts are practice of certification bodies (A-15), not of the standard."""
