"""What is known of a measure now: its readings, and the watches that actions keep on it."""

from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from uuid import UUID

from contracts.improvement import Measure
from events.kernel import value
from events.words import Key
from improvement_service.measures.events import Contradicted, Event, ReadingTaken, WatchReleased, WatchStarted
from improvement_service.measures.values import Reading, Watch

KEPT_FOR = timedelta(days=400)
"""How long readings and windows stay after the newest reading: an outage may be reported as late as that."""


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


# --- what a verdict needs to know ------------------------------------------------------------------------------------


def worst_in(
    measured: Measured, starts_at: datetime, ends_at: datetime, at: datetime
) -> tuple[Reading, Decimal] | None:
    """The reading that speaks most against an action, with its value as it is known at `at`; None without readings.

    For counts this includes the one that was in force when the window began.
    """
    inside = [each for each in measured.readings if each.since < ends_at and _reaches(measured, each, starts_at)]
    return max(((each, each.length_by(at)) for each in inside), key=lambda found: found[1], default=None)


def _reaches(measured: Measured, reading: Reading, starts_at: datetime) -> bool:
    if reading.since >= starts_at or reading.until > starts_at or reading.ongoing:
        return True
    if measured.measure != Measure.SERVICES_WITHOUT_SLA:
        return False
    return not any(reading.since < each.since <= starts_at for each in measured.readings)
