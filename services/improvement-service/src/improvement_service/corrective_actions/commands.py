"""What can be asked of a corrective action: by people over HTTP, and by what other services announce."""

from datetime import datetime
from decimal import Decimal
from uuid import UUID

from contracts.audit import Grade
from contracts.improvement import Measure, Source
from events.kernel import Due, value
from events.words import Count, Day, Key, Line, Person, Text
from improvement_service.corrective_actions.values import Cause, Criterion, Method, Task, Verdict
from improvement_service.policies.rules import Occasion

# --- said by other services ------------------------------------------------------------------------------------------


@value
class Open:
    """Something happened that may call for a corrective action; the policy says whether, and under which terms."""

    occasion: Occasion


@value
class Regrade:
    """A finding was amended; `occasion` is its new face, at the time of the amendment."""

    occasion: Occasion
    previous_grade: Grade
    reason: Text


@value
class Withdraw:
    """A source no longer stands."""

    source: Source
    at: datetime
    reason: Text


@value
class Contradict:
    """The measure of a criterion was read above its threshold."""

    action: UUID
    cycle: Count
    measure: Measure
    reading: Line
    value: Decimal
    threshold: Decimal
    read_at: datetime
    at: datetime


FromOthers = Open | Regrade | Withdraw | Contradict

# --- said by people --------------------------------------------------------------------------------------------------


@value
class Assign:
    """Name the person who answers for the action."""

    owner: Person
    reason: Text


@value
class Contain:
    """Record what was done about the effect."""

    correction: Text


@value
class DecideNeed:
    """Decide whether the cause must be acted on."""

    needed: bool
    rationale: Text


@value
class Analyse:
    """Record the causes and how they were found."""

    method: Method
    chain: tuple[Text, ...]
    causes: tuple[Cause, ...]


@value
class CheckExtent:
    """Record whether the same exists or could occur elsewhere."""

    exists_elsewhere: bool
    could_occur: bool
    services: tuple[Key, ...] = ()
    links: tuple[Line, ...] = ()
    answer: Text


@value
class MakePlan:
    """Propose what to do about the causes, and how its effect will be judged."""

    tasks: tuple[Task, ...]
    criterion: Criterion


@value
class DecidePlan:
    """Approve a plan of somebody else, or send it back."""

    approved: bool
    reason: Text


@value
class Complete:
    """Report an own task as done."""

    task: Key
    evidence: Text


@value
class Verify:
    """Give the verdict on the effect."""

    verdict: Verdict
    evidence: Text


@value
class AskExtension:
    """Ask for more time."""

    until: Day
    reason: Text


@value
class DecideExtension:
    """Give somebody else more time, or not."""

    approved: bool
    reason: Text


@value
class DecideCancellation:
    """Cancel an action whose sources are gone, or let it go on."""

    approved: bool
    reason: Text


FromPeople = (
    Assign
    | Contain
    | DecideNeed
    | Analyse
    | CheckExtent
    | MakePlan
    | DecidePlan
    | Complete
    | Verify
    | AskExtension
    | DecideExtension
    | DecideCancellation
)

Command = FromOthers | FromPeople | Due
