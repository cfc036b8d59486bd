"""What has happened to a corrective action."""

from datetime import date, datetime
from uuid import UUID

from contracts.improvement import Source
from events.kernel import event
from events.words import Count, Key, Line, Person, Role, Text
from improvement_service.corrective_actions.values import (
    Analysis,
    Completion,
    Correction,
    Entry,
    Extension,
    Extent,
    Need,
    Plan,
    Verification,
    Window,
)

# --- sources ---------------------------------------------------------------------------------------------------------


@event("corrective-action-opened")
class Opened:
    number: Line
    entry: Entry
    group: Line | None


@event("source-joined")
class Joined:
    entry: Entry


@event("source-regraded")
class Regraded:
    """A source has another grade, or stands again: terms of the policy at that time, counted from its first day."""

    entry: Entry
    at: datetime
    reason: Text


@event("source-withdrawn")
class SourceWithdrawn:
    source: UUID
    at: datetime
    reason: Text


@event("source-asked-for")
class AskedFor:
    """News for whoever holds this source met an empty stream; the claim leads it to the holder."""

    source: Source
    at: datetime


@event("source-let-go")
class LetGo:
    """Nobody holds the source any more: the news is for nobody."""


SourceEvent = Opened | Joined | Regraded | SourceWithdrawn | AskedFor | LetGo

# --- work ------------------------------------------------------------------------------------------------------------


@event("owner-assigned")
class Assigned:
    owner: Person
    reason: Text


@event("correction-made")
class Contained:
    correction: Correction


@event("need-decided")
class NeedDecided:
    need: Need


@event("cause-analysed")
class Analysed:
    analysis: Analysis


@event("extent-checked")
class ExtentChecked:
    extent: Extent


@event("plan-proposed")
class Planned:
    plan: Plan


@event("plan-approved")
class PlanApproved:
    by: Person
    at: datetime
    reason: Text


@event("plan-rejected")
class PlanRejected:
    by: Person
    at: datetime
    reason: Text


@event("task-completed")
class Completed:
    completion: Completion


WorkEvent = (
    Assigned | Contained | NeedDecided | Analysed | ExtentChecked | Planned | PlanApproved | PlanRejected | Completed
)

# --- effect ----------------------------------------------------------------------------------------------------------


@event("corrective-action-implemented")
class Implemented:
    window: Window


@event("window-ended")
class WindowEnded:
    at: datetime


@event("effect-verified")
class Verified:
    verification: Verification


@event("watch-ended")
class WatchEnded:
    """Nobody needs to watch the criterion of this cycle any more."""

    cycle: Count


@event("corrective-action-reopened")
class Reopened:
    cycle: Count
    at: datetime
    due_from: date
    reason: Text


@event("corrective-action-closed")
class Closed:
    at: datetime
    by: Person


EffectEvent = Implemented | WindowEnded | Verified | WatchEnded | Reopened | Closed

# --- lateness and cancellation ---------------------------------------------------------------------------------------


@event("extension-asked")
class ExtensionAsked:
    extension: Extension


@event("extension-decided")
class ExtensionDecided:
    approved: bool
    by: Person
    at: datetime
    reason: Text


@event("step-reached")
class Escalated:
    step: Key
    at: datetime
    due: date
    to_role: Role
    to: Person | None
    overdue_days: int


@event("cancellation-refused")
class CancellationRefused:
    by: Person
    at: datetime
    reason: Text


@event("corrective-action-cancelled")
class Cancelled:
    by: Person
    at: datetime
    reason: Text


LatenessEvent = ExtensionAsked | ExtensionDecided | Escalated | CancellationRefused | Cancelled

Event = SourceEvent | WorkEvent | EffectEvent | LatenessEvent
