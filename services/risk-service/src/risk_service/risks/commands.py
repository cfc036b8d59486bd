"""What can be asked of a risk."""

from uuid import UUID

from events.kernel import Due, value
from events.words import Count, Day, Instant, Key, Line, Person, Text
from risk_service.risks.values import Kind, Option, PlannedAction, Rating, Source
from risk_service.words import Trigger


@value
class Register:
    """Put an identified risk into the register; `reference` is its name in another register (R-017)."""

    title: Line
    kind: Kind = Kind.THREAT
    source: Source
    services: tuple[Key, ...]
    customer_impact: Text
    cause: Text
    event: Text
    consequence: Text
    owner: Person
    reference: Key | None = None


@value
class Assess:
    """Analyse a risk and evaluate it against the criteria in force.

    Without `residual` it is the target of the treatment under way, and the current level where nothing is done.
    """

    inherent: Rating
    current: Rating
    residual: Rating | None = None
    rationale: Text


@value
class PlanTreatment:
    """Decide how the risk is treated; a new plan replaces the one before."""

    option: Option
    target: Rating
    actions: tuple[PlannedAction, ...] = ()
    rationale: Text


@value
class CompleteTreatmentAction:
    """Report one action of the plan as done."""

    action: Count
    evidence: Text


@value
class EvaluateTreatment:
    """Judge what the treatment achieved, once its actions are done."""

    current: Rating
    rationale: Text


@value
class Accept:
    """Accept the risk as assessed, until the end of a day; `approver` is the one who asks, by name."""

    approver: Person
    assessment: Count
    reason: Text
    until: Day


@value
class Review:
    """Reviewed, unchanged: the assessment still holds, and why."""

    reason: Text


@value
class Close:
    """Stop watching the risk."""

    reason: Text


@value
class Reopen:
    """Take the risk up again; its history stays."""

    reason: Text


@value
class Reconsider:
    """Something happened that makes the risk be looked at again (K-06)."""

    trigger: Trigger
    cause: UUID
    because: Text
    service: Key | None
    happened_at: Instant


Command = (
    Register
    | Assess
    | PlanTreatment
    | CompleteTreatmentAction
    | EvaluateTreatment
    | Accept
    | Review
    | Close
    | Reopen
    | Reconsider
    | Due
)
