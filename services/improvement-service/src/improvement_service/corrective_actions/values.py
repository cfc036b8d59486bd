"""What a corrective action is made of: its sources and their terms, and the record of each cycle."""

from datetime import date, datetime
from enum import StrEnum
from uuid import UUID

from contracts.audit import Grade
from contracts.improvement import Measure, Source
from events.kernel import value
from events.words import Count, Day, Days, Figure, Instant, Key, Line, Person, Role, Text, Zone
from improvement_service.policies.rules import Priority, Step


class Standing(StrEnum):
    """Whether a source still asks for the action."""

    STANDING = "standing"
    WITHDRAWN = "withdrawn"
    KEPT = "kept"
    """Withdrawn, but somebody decided that the action goes on."""


@value
class Terms:
    """What the policy in force at the occasion says about lateness; it stays with the action."""

    policy_version: Count
    time_zone: Zone
    ladder: tuple[Step, ...]
    grace_days: Days
    extension_approvers: tuple[Role, ...]


@value
class Entry:
    """One source of an action, and what the policy made of it. `original_due` is never lost (C-10)."""

    source: Source
    occasion: UUID
    at: datetime
    summary: Text
    grade: Grade | None
    priority: Priority
    due_days: Days
    due: date
    original_due: date
    owner_role: Role
    owner: Person | None
    terms: Terms
    standing: Standing = Standing.STANDING

    @property
    def weight(self) -> tuple[int, date, datetime, str]:
        """Which source speaks for all: the highest priority, then the earliest due, then the eldest."""
        return (self.priority.rank, self.due, self.at, str(self.source.id))


# --- the record of a cycle -------------------------------------------------------------------------------------------


@value
class Correction:
    """What was done about the effect, before anybody knew the cause (C-02)."""

    what: Text
    by: Person
    at: Instant


@value
class Need:
    """The explicit decision whether the cause must be acted on, or the correction is enough (C-03)."""

    needed: bool
    rationale: Text
    by: Person
    at: Instant


class Method(StrEnum):
    """How the cause was looked for (C-04)."""

    FIVE_WHYS = "five-whys"
    ISHIKAWA = "ishikawa"
    FAULT_TREE = "fault-tree"


@value
class Cause:
    """One cause, and whether somebody has verified that it is one."""

    key: Key
    statement: Text
    verified: bool


@value
class Analysis:
    """The causes found, and the statements that lead to them; `flags` say what a reader should doubt."""

    method: Method
    chain: tuple[Text, ...]
    causes: tuple[Cause, ...]
    flags: tuple[Line, ...]
    by: Person
    at: Instant


@value
class Extent:
    """Whether similar nonconformities exist or could occur elsewhere (C-05)."""

    exists_elsewhere: bool
    could_occur: bool
    services: tuple[Key, ...]
    links: tuple[Line, ...]
    answer: Text
    by: Person
    at: Instant


@value
class Task:
    """One thing to do about a cause (C-06)."""

    key: Key
    cause: Key
    what: Text
    expected_result: Text
    owner: Person
    due: Day


@value
class Criterion:
    """How effect will be judged (C-07): in the window the measure must not exceed the threshold.

    Without a measure, the verifier judges by the statement and by evidence alone.
    """

    statement: Text
    measure: Measure | None = None
    subject: Key | None = None
    threshold: Figure | None = None
    window_days: Days
    verifier: Person


@value
class Plan:
    """Tasks and criterion as proposed; `approved_by` is null until somebody else has approved them (C-09)."""

    tasks: tuple[Task, ...]
    criterion: Criterion
    by: Person
    at: Instant
    measured_by: UUID | None
    """The stream of the measure that the criterion is bound to."""
    approved_by: Person | None = None
    approved_at: Instant | None = None


@value
class Completion:
    """A task that is done, by its owner, with evidence."""

    task: Key
    evidence: Text
    by: Person
    at: Instant


@value
class Window:
    """The time in which effect is measured; from `earliest` on a verdict may be given."""

    starts_at: Instant
    ends_at: Instant
    earliest: Day


class Verdict(StrEnum):
    """Whether what was done has worked."""

    EFFECTIVE = "effective"
    INEFFECTIVE = "ineffective"


@value
class Verification:
    """The verdict of somebody who had no part in it (C-09)."""

    verdict: Verdict
    evidence: Text
    by: Person
    at: Instant


@value
class Cycle:
    """One turn from cause to verdict; an ineffective one stays readable when the next begins (C-08)."""

    number: Count = 1
    need: Need | None = None
    analysis: Analysis | None = None
    extent: Extent | None = None
    plan: Plan | None = None
    completions: tuple[Completion, ...] = ()
    window: Window | None = None
    verification: Verification | None = None
    ended_because: Text | None = None


# --- time ------------------------------------------------------------------------------------------------------------


@value
class DueChange:
    """The due date became another one; the old one stays readable."""

    at: Instant
    was: date
    due: date
    because: Text


@value
class Extension:
    """More time was asked for; `approved` is null until somebody other than the owner has decided (C-10)."""

    until: Day
    reason: Text
    by: Person
    at: Instant
    approved: bool | None = None
    decided_by: Person | None = None
    decision: Text | None = None


@value
class Escalation:
    """A step of the ladder that was reached (C-11)."""

    step: Key
    cycle: Count
    at: Instant
    due: date
    to_role: Role
    to: Person | None
