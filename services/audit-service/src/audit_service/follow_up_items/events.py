"""What has happened to a follow-up item; stored for ever."""

from uuid import UUID

from audit_service.follow_up_items.values import Conclusion, Note
from events.kernel import event
from events.words import Key, Line, Person


@event("follow-up-noted")
class Noted:
    action: UUID
    action_number: Line
    service: Key | None
    owner: Person | None = None
    note: Note


@event("follow-up-concluded")
class Concluded:
    conclusion: Conclusion


Event = Noted | Concluded
