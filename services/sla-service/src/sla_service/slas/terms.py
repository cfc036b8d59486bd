"""What an agreement says: targets, service hours, exclusions, how it is measured, from when until when (S-02)."""

from decimal import Decimal
from enum import StrEnum
from typing import Literal

from contracts.sla import Metric
from events.kernel import Unacceptable, value
from events.words import Count, Day, Days, Key, Line, Percent, Seconds, Text, Zone
from sla_service.agreed_time import AROUND_THE_CLOCK, Hours


class Side(StrEnum):
    """Who signs."""

    PROVIDER = "provider"
    CUSTOMER = "customer"


class Weekday(StrEnum):
    """A day of the week."""

    MONDAY = "mon"
    TUESDAY = "tue"
    WEDNESDAY = "wed"
    THURSDAY = "thu"
    FRIDAY = "fri"
    SATURDAY = "sat"
    SUNDAY = "sun"


@value
class Party:
    """Somebody bound by the agreement, and as what: provider, customer, internal group."""

    name: Line
    role: Line


@value
class AvailabilityTarget:
    """The service is usable for at least so many percent of the agreed time of a month."""

    metric: Literal[Metric.AVAILABILITY] = Metric.AVAILABILITY
    key: Key
    percent: Percent
    at_risk_percent: Percent | None = None
    """At how many percent of the budget the target is at risk; null: as the agreement says."""


@value
class ResolutionTarget:
    """Incidents are resolved within a time: at least so many percent of a month's, or all but so many.

    The time runs round the clock from the opening. Exactly one of `percent` and `misses_allowed` is given.
    """

    metric: Literal[Metric.RESOLUTION_TIME] = Metric.RESOLUTION_TIME
    key: Key
    within: Seconds
    priority: Line | None = None
    """Only incidents of this priority; null: all."""
    percent: Percent | None = None
    at_risk_after: Count = 10
    """How many incidents must have been counted before the running share says anything."""
    misses_allowed: Count | None = None
    at_risk_percent: Percent | None = None


Target = AvailabilityTarget | ResolutionTarget


@value
class WorkloadLimit:
    """The targets hold up to this load."""

    subject: Line
    limit: Line


@value
class Window:
    """Hours of service on some weekdays, by the wall clock of the agreement's zone: 08:00 to 18:00, or to 24:00."""

    days: tuple[Weekday, ...]
    opens: Key
    closes: Key


@value
class Measurement:
    """Where the figures come from, and how they are taken."""

    source: Line
    method: Text


@value
class Terms:
    """The content of one version of an agreement."""

    parties: tuple[Party, ...]
    targets: tuple[Target, ...]
    workload_limits: tuple[WorkloadLimit, ...] = ()
    exclusions: tuple[Text, ...] = ()
    service_hours: tuple[Window, ...] = ()
    """Weekly windows; none: round the clock."""
    holidays: tuple[Day, ...] = ()
    """Days on which no service is agreed."""
    time_zone: Zone
    measurement: Measurement
    review_every_days: Days
    audience: tuple[Line, ...]
    """Who receives the reports."""
    effective_from: Day
    effective_to: Day | None = None
    """The last day; null: until terminated."""
    at_risk_percent: Percent = Decimal(75)

    @property
    def hours(self) -> Hours:
        """The service hours as weekday and minutes."""
        weekdays = list(Weekday)
        windows = (
            (weekdays.index(day), minute_of_day(window.opens), minute_of_day(window.closes))
            for window in self.service_hours
            for day in window.days
        )
        return tuple(windows) or AROUND_THE_CLOCK

    def target(self, key: str) -> Target | None:
        """The target of this name."""
        return next((target for target in self.targets if target.key == key), None)


def minute_of_day(written: str) -> int:
    """08:30 -> 510; 24:00 is the end of the day."""
    hours, colon, minutes = written.partition(":")
    if colon and len(hours) == len(minutes) == 2 and (hours + minutes).isascii() and (hours + minutes).isdigit():
        minute = int(hours) * 60 + int(minutes)
        if int(minutes) < 60 and minute <= 24 * 60:
            return minute
    raise Unacceptable(f"{written} is no time of day such as 08:30", rule="S-02", time=written)


def refuse_unmeasurable(terms: Terms) -> None:
    """Refuse terms that cannot be measured by."""
    if not (terms.targets and terms.parties and terms.audience):
        raise Unacceptable("an agreement names its parties, its targets and who receives its reports", rule="S-02")
    keys = [target.key for target in terms.targets]
    if len(set(keys)) < len(keys):
        raise Unacceptable("each target needs a key of its own", rule="S-02", targets=keys)
    if terms.effective_to is not None and terms.effective_to < terms.effective_from:
        raise Unacceptable("an agreement cannot end before it begins", rule="S-02", effective_to=terms.effective_to)
    for target in terms.targets:
        _refuse_unreachable(target)
    for window in terms.service_hours:
        if not window.days or minute_of_day(window.opens) >= minute_of_day(window.closes):
            raise Unacceptable(
                "service hours need at least one day, and must open before they close", rule="S-02", opens=window.opens
            )


def _refuse_unreachable(target: Target) -> None:
    if isinstance(target, ResolutionTarget):
        if target.within == 0:
            raise Unacceptable(f"{target.key}: nothing can be resolved within no time", rule="S-02", target=target.key)
        if (target.percent is None) == (target.misses_allowed is None):
            raise Unacceptable(
                f"{target.key}: give either the percent to reach or the misses allowed", rule="S-02", target=target.key
            )
