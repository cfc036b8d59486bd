"""What the SLA service tells the others: agreements, breaches, and the measures that actions are judged by."""

from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from uuid import UUID

from events.kernel import public, value
from events.words import Count, Key, Line, Person, Seconds


class Metric(StrEnum):
    """What a target is about."""

    AVAILABILITY = "availability"
    RESOLUTION_TIME = "resolution-time"


@public("sla", "service", "service-listed")
class ServiceListed:
    """A service belongs to the catalogue (8.2.4); the stream is the service's."""

    service: Key
    name: Line
    owner: Person
    supplier: Line | None


@public("sla", "service", "service-retired")
class ServiceRetired:
    """A service is delivered no more."""

    service: Key


@public("sla", "sla", "sla-activated")
class SlaActivated:
    """A version of an agreement is in force; the stream is the agreement's.

    It judges from the day `judges_from` on, which is later than `effective_from` where it was back-dated. `targets` are
    those of all versions up to this one.
    """

    number: Line
    service: Key
    customer: Key
    version: int
    effective_from: date
    judges_from: date | None = None
    targets: tuple[Key, ...] = ()


@public("sla", "sla", "sla-ended")
class SlaEnded:
    """The agreement is no longer in force after `ended_on`; `targets` are those of all its versions."""

    number: Line
    service: Key
    customer: Key
    ended_on: date
    targets: tuple[Key, ...] = ()


@public("sla", "coverage", "coverage-counted")
class CoverageCounted:
    """How many services of the catalogue have no active SLA now (S-01); a measure: `services-without-sla`."""

    without_sla: Count
    services: tuple[Key, ...]


@public("sla", "outages", "outage-measured")
class OutageMeasured:
    """An outage of a service as known now; a measure: `longest-outage`. The stream is the service's.

    Overlapping reports are one outage, named by its first report; it is told again when it grows. `ended_at` is null
    while it is open, `seconds` its length as far as it is known.
    """

    service: Key
    outage: Line
    sources: tuple[Line, ...]
    started_at: datetime
    ended_at: datetime | None
    seconds: Seconds


@public("sla", "period", "target-at-risk")
class TargetAtRisk:
    """A target of an SLA is about to be missed in a calendar month; the stream is that of target and month."""

    sla: UUID
    sla_number: Line
    version: int
    service: Key
    customer: Key
    target: Key
    metric: Metric
    month: Line
    at: datetime
    used: Line
    budget: Line


@public("sla", "period", "breach-confirmed")
class BreachConfirmed:
    """A target of an SLA was missed in a calendar month; the stream is that of both.

    Told once per target and month, and once more where it was withdrawn and is known again.

    `at` is the instant at which the budget was gone (for a share decided at the end of the month: that end), not the
    time of reporting. `used` and `budget` are for people: "75 min" of "43.2 min".
    """

    sla: UUID
    sla_number: Line
    version: int
    service: Key
    customer: Key
    target: Key
    metric: Metric
    month: Line
    at: datetime
    used: Line
    budget: Line
    sources: tuple[Line, ...]


@public("sla", "period", "breach-withdrawn")
class BreachWithdrawn:
    """By what is known now the target was not missed after all (S-05); its corrective action should be cancelled.

    The stream is that of target and month. The record of the breach stays.
    """

    sla: UUID
    sla_number: Line
    version: int
    service: Key
    customer: Key
    target: Key
    metric: Metric
    month: Line


@value
class OpenOutage:
    """An outage that lasts, as it was reported."""

    source: Key
    id: Key
    started_at: datetime
    corrects: Key | None


@public("sla", "period", "period-closed")
class PeriodClosed:
    """A calendar month of a target is over and decided; the stream is that of target and month.

    `attainment` is in percent, null where nothing was agreed or nothing happened. `open` are the outages that lasted
    beyond the end of the month: they go on in the next.
    """

    sla: UUID
    sla_number: Line
    version: int
    service: Key
    customer: Key
    target: Key
    metric: Metric
    month: Line
    at: datetime
    met: bool
    attainment: Decimal | None
    open: tuple[OpenOutage, ...]
