"""What a follow-up item is made of: why the next audit has to look, and what it saw."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from events.kernel import value
from events.words import Person, Text


class Cause(StrEnum):
    INEFFECTIVE = "ineffective"
    CLOSED = "closed"


@value
class Note:
    """Why the next audit has to look: told by the news of a corrective action."""

    at: datetime
    cause: Cause
    cycle: int
    text: Text


@value
class Conclusion:
    audit: UUID
    by: Person
    at: datetime
    text: Text
