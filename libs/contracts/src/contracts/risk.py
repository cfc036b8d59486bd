"""What the risk service tells the others: levels, limits, and acceptances that no longer hold."""

from datetime import date, datetime
from uuid import UUID

from events.kernel import public
from events.words import Count, Key, Line, Person, Text


@public("risk", "risk", "risk-assessed")
class RiskAssessed:
    """A risk has a new current level; the stream is the risk's."""

    number: Line
    title: Line
    services: tuple[Key, ...]
    assessment: int
    level: Count
    limit: Count
    trigger: Line


@public("risk", "risk", "risk-above-limit")
class RiskAboveLimit:
    """A risk lies above the limit of the criteria and is neither treated nor accepted: somebody must act."""

    number: Line
    title: Line
    services: tuple[Key, ...]
    assessment: int
    level: Count
    limit: Count
    owner: Person


@public("risk", "risk", "risk-accepted")
class RiskAccepted:
    """Somebody with authority accepted a risk as assessed, until a date (K-05)."""

    number: Line
    assessment: int
    by: Person
    until: date


@public("risk", "risk", "acceptance-voided")
class AcceptanceVoided:
    """An acceptance no longer holds: expired, or the risk changed materially."""

    number: Line
    assessment: int
    reason: Text
    cause: UUID | None


@public("risk", "risk", "risk-registered")
class RiskRegistered:
    """A risk was identified that concerns these services; the stream is the risk's (K-02)."""

    number: Line
    reference: Key | None
    title: Line
    services: tuple[Key, ...]
    owner: Person


@public("risk", "service-risks", "risk-triggered")
class RiskTriggered:
    """Something happened to a service that makes this risk be looked at again (K-06); the stream is the service's.

    `cause` is the public event that reported it; `happened_at` the instant that it reported.
    """

    risk: UUID
    service: Key
    trigger: Line
    cause: UUID
    because: Text
    happened_at: datetime
