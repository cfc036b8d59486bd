"""What can be asked of a service level agreement."""

from events.kernel import Due, value
from events.words import Day, Key, Person, Text
from sla_service.slas.terms import Side, Terms


@value
class Draft:
    """A first version of an agreement between a service and a customer is proposed."""

    service: Key
    customer: Key
    terms: Terms


@value
class Amend:
    """A next version is proposed; those before stay as they are. A proposal not yet agreed is replaced."""

    terms: Terms
    reason: Text


@value
class Sign:
    """One side signs the version that is proposed; with both signatures it is agreed."""

    side: Side
    person: Person
    on: Day


@value
class Activate:
    """The agreed version is in force; by itself it is so from the start of its first day."""


@value
class Terminate:
    """The agreement ends with this day."""

    ends_on: Day
    reason: Text


Command = Draft | Amend | Sign | Activate | Terminate | Due
