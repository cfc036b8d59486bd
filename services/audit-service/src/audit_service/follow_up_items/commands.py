"""What can be asked of a follow-up item."""

from uuid import UUID

from audit_service.follow_up_items.values import Note
from events.kernel import value
from events.words import Key, Line, Person, Text


@value
class TakeNote:
    action: UUID
    action_number: Line
    service: Key | None
    owner: Person | None = None
    note: Note


@value
class Conclude:
    """Say what the audit that was prepared to look at this item has seen."""

    audit: UUID
    text: Text


Command = TakeNote | Conclude
