"""What is known of a measure: its readings, and the watches that actions keep on it."""

from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from uuid import UUID

from contracts.improvement import Measure
from events.kernel import derived_id, event, value
from events.words import Count, Key, Line

KEPT_FOR = timedelta(days=400)
"""How long readings and windows stay after the newest reading: an outage may be reported as late as that."""


@value
class Reading:
    """An outage (`value` in minutes, from `since` until as far as is known) or a count (in force until the next)."""

    name: Line
    since: datetime
    until: datetime
    value: Decimal
    ongoing: bool = False

    def length_by(self, at: datetime) -> Decimal:
        """The value, at least: an outage that is still open goes on lasting."""
        return max(self.value, minutes(at - self.since)) if self.ongoing else self.value


@value
class Watch:
    """In this window, the measure must not exceed the threshold, or the action has not been effective."""

    action: UUID
    cycle: Count
    threshold: Decimal
    starts_at: datetime
    ends_at: datetime
    contradicted: bool = False

    def contradicted_by(self, reading: Reading) -> bool:
        """Whether a reading, as far as it is certain, lies above the threshold inside the window."""
        reaches_in = reading.until > self.starts_at or reading.since >= self.starts_at
        return reading.value > self.threshold and reading.since < self.ends_at and reaches_in


@value
class Measured:
    """Readings in order of time, and watches in the order in which they were asked for."""

    measure: Measure | None = None
    subject: Key | None = None
    readings: tuple[Reading, ...] = ()
    watches: tuple[Watch, ...] = ()

    def reading(self, name: str) -> Reading | None:
        return next((each for each in self.readings if each.name == name), None)

    def watch(self, action: UUID, cycle: int) -> Watch | None:
        return next((each for each in self.watches if (each.action, each.cycle) == (action, cycle)), None)


def minutes(length: timedelta) -> Decimal:
    """A length in minutes, exact where four decimals can say it."""
    exact = Decimal(int(length.total_seconds())) / 60
    return exact if exact == round(exact, 4) else round(exact, 4)


def measure_id(tenant: str, measure: Measure, subject: str | None) -> UUID:
    return derived_id("measure", tenant, measure, subject or "")


# --- events ----------------------------------------------------------------------------------------------------------


@event("reading-taken")
class ReadingTaken:
    measure: Measure
    subject: Key | None
    reading: Reading


@event("watch-started")
class WatchStarted:
    measure: Measure
    subject: Key | None
    watch: Watch


@event("criterion-contradicted")
class Contradicted:
    action: UUID
    cycle: Count
    reading: Line
    value: Decimal
    threshold: Decimal
    at: datetime


@event("watch-released")
class WatchReleased:
    action: UUID
    cycle: Count


Event = ReadingTaken | WatchStarted | Contradicted | WatchReleased


def evolve(measured: Measured, happened: Event) -> Measured:
    match happened:
        case ReadingTaken(measure=measure, subject=subject, reading=reading):
            others = [each for each in measured.readings if each.name != reading.name]
            readings = tuple(sorted((*others, reading), key=lambda each: each.since))
            return _without_the_outdated(replace(measured, measure=measure, subject=subject, readings=readings))
        case WatchStarted(measure=measure, subject=subject, watch=watch):
            return replace(measured, measure=measure, subject=subject, watches=(*measured.watches, watch))
        case Contradicted(action=action, cycle=cycle):
            watches = [
                replace(each, contradicted=True) if (each.action, each.cycle) == (action, cycle) else each
                for each in measured.watches
            ]
            return replace(measured, watches=tuple(watches))
        case WatchReleased(action=action, cycle=cycle):
            left = [each for each in measured.watches if (each.action, each.cycle) != (action, cycle)]
            return replace(measured, watches=tuple(left))


def _without_the_outdated(measured: Measured) -> Measured:
    newest = measured.readings[-1].since
    watches = tuple(each for each in measured.watches if each.ends_at > newest - KEPT_FOR)
    floor = min([newest - KEPT_FOR, *(each.starts_at for each in watches)])
    recent = [each for each in measured.readings if each.until >= floor]
    before = [each for each in measured.readings if each.until < floor]
    return replace(measured, watches=watches, readings=(*before[-1:], *recent))
