"""What has happened to a risk."""

from uuid import UUID

from events.kernel import event
from events.words import Count, Day, Instant, Key, Line, Person, Role, Text, Zone
from risk_service.risks.values import Action, Kind, Option, Rating, Source
from risk_service.words import Level, Trigger


@event("risk-registered")
class Registered:
    number: Line
    reference: Key | None
    title: Line
    kind: Kind
    source: Source
    services: tuple[Key, ...]
    customer_impact: Text
    cause: Text
    event: Text
    consequence: Text
    owner: Person
    by: Person
    at: Instant


@event("risk-assessed")
class Assessed:
    """`settles` names the triggers that this assessment answers; `breaches_counted` what counts to the next step."""

    assessment: Count
    inherent: Rating
    current: Rating
    residual: Rating
    level: Level
    limit: Level
    criteria_version: Count
    trigger: Trigger
    cause: UUID | None
    rationale: Text
    settles: tuple[UUID, ...]
    breaches_counted: Count
    reviewed_on: Day
    next_review: Day
    zone: Zone
    by: Person
    at: Instant


@event("trigger-heard")
class TriggerHeard:
    """The risk must be looked at again; pending until an assessment or a review settles it."""

    trigger: Trigger
    cause: UUID
    because: Text
    service: Key | None
    on: Day
    at: Instant


@event("risk-reviewed")
class Reviewed:
    """Reviewed, unchanged: by a person, or by the rule that a trigger does not (yet) change the assessment."""

    assessment: Count
    reason: Text
    settles: tuple[UUID, ...]
    reviewed_on: Day
    next_review: Day
    by: Person
    at: Instant


@event("treatment-planned")
class TreatmentPlanned:
    plan: Count
    option: Option
    target: Rating
    actions: tuple[Action, ...]
    rationale: Text
    by: Person
    at: Instant


@event("treatment-action-completed")
class TreatmentActionCompleted:
    action: Count
    evidence: Text
    by: Person
    at: Instant


@event("treatment-evaluated")
class TreatmentEvaluated:
    plan: Count
    achieved: Rating
    effective: bool
    rationale: Text
    by: Person
    at: Instant


@event("risk-accepted")
class Accepted:
    """`role` is the duty that gave the authority, held on that day; `criteria_version` says up to which level."""

    assessment: Count
    level: Level
    role: Role
    criteria_version: Count
    reason: Text
    until: Day
    zone: Zone
    by: Person
    at: Instant


@event("acceptance-voided")
class AcceptanceVoided:
    assessment: Count
    reason: Text
    cause: UUID | None
    at: Instant


@event("risk-found-above-limit")
class FoundAboveLimit:
    """Above the limit, neither treated nor accepted."""

    assessment: Count
    level: Level
    limit: Level
    at: Instant


@event("risk-closed")
class Closed:
    reason: Text
    by: Person
    at: Instant


@event("risk-reopened")
class Reopened:
    reason: Text
    by: Person
    at: Instant


Event = (
    Registered
    | Assessed
    | TriggerHeard
    | Reviewed
    | TreatmentPlanned
    | TreatmentActionCompleted
    | TreatmentEvaluated
    | Accepted
    | AcceptanceVoided
    | FoundAboveLimit
    | Closed
    | Reopened
)
