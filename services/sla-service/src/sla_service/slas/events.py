"""What has happened to a service level agreement."""

from datetime import date, datetime

from events.kernel import event
from events.words import Count, Key, Line, Person, Text
from sla_service.slas.terms import Side, Terms


@event("sla-drafted")
class Drafted:
    number: Line
    service: Key
    customer: Key
    terms: Terms


@event("sla-amended")
class Amended:
    version: Count
    terms: Terms
    reason: Text


@event("sla-signed")
class Signed:
    version: Count
    side: Side
    person: Person
    on: date


@event("sla-agreed")
class Agreed:
    """Both sides have signed. `applies_from` is the first day, or for a back-dated amendment the day of agreement."""

    version: Count
    applies_from: date
    activates_at: datetime
    back_dated: bool


@event("sla-activated")
class Activated:
    version: Count
    at: datetime


@event("sla-restatement-called-for")
class RestatementCalledFor:
    """A back-dated amendment touches months that were judged by an earlier version; they are to be restated."""

    version: Count
    months: tuple[Line, ...]


@event("sla-termination-set")
class TerminationSet:
    ends_on: date
    reason: Text


@event("sla-ended")
class Ended:
    ended_on: date
    at: datetime


@event("sla-abandoned")
class Abandoned:
    """It was terminated before it ever was in force."""

    reason: Text


Event = Drafted | Amended | Signed | Agreed | Activated | RestatementCalledFor | TerminationSet | Ended | Abandoned
