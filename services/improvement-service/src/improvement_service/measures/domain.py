"""A measure: what the SLA service reads of a service (or of all), and which actions are judged by it.

Readings and watches come from different services in any order, so each is compared with all that is already there.
Only what can no longer change is held against an action at once: an outage as long as it is known to have lasted, a
count that was taken inside the window. What was in force when the window began, and how long an open outage has
lasted by now, is judged when somebody gives a verdict.
"""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from contracts.improvement import CriterionContradicted, Measure
from events.kernel import Aggregate, Given, value
from events.words import Count, Key
from improvement_service.measures.state import (
    Contradicted,
    Event,
    Measured,
    Reading,
    ReadingTaken,
    Watch,
    WatchReleased,
    WatchStarted,
    evolve,
)

# --- commands --------------------------------------------------------------------------------------------------------


@value
class Take:
    """A reading was announced: a new one, or an outage that has grown."""

    measure: Measure
    subject: Key | None
    reading: Reading


@value
class Keep:
    """An action is implemented: from now on it is judged by this measure."""

    measure: Measure
    subject: Key | None
    watch: Watch


@value
class Release:
    """Nobody judges that cycle of the action any more."""

    action: UUID
    cycle: Count


Command = Take | Keep | Release

# --- decisions -------------------------------------------------------------------------------------------------------


def decide(measured: Measured, command: Command, _given: Given) -> Sequence[Event]:
    match command:
        case Take():
            return _take(measured, command)
        case Keep():
            return _keep(measured, command)
        case Release(action=action, cycle=cycle):
            return [WatchReleased(action=action, cycle=cycle)] if measured.watch(action, cycle) else ()


def _take(measured: Measured, command: Take) -> Sequence[Event]:
    reading = command.reading
    if measured.reading(reading.name) == reading:
        return ()
    hit = [each for each in measured.watches if not each.contradicted and each.contradicted_by(reading)]
    taken = ReadingTaken(measure=command.measure, subject=command.subject, reading=reading)
    return [taken, *(_contradicted(watch, reading) for watch in hit)]


def _keep(measured: Measured, command: Keep) -> Sequence[Event]:
    watch = command.watch
    if measured.watch(watch.action, watch.cycle):
        return ()
    started = WatchStarted(measure=command.measure, subject=command.subject, watch=watch)
    hit = next((each for each in measured.readings if watch.contradicted_by(each)), None)
    return [started, _contradicted(watch, hit)] if hit else [started]


def _contradicted(watch: Watch, reading: Reading) -> Contradicted:
    return Contradicted(
        action=watch.action,
        cycle=watch.cycle,
        reading=reading.name,
        value=reading.value,
        threshold=watch.threshold,
        at=reading.since,
    )


def announce(measured: Measured, happened: Event) -> object | None:
    match happened:
        case Contradicted() as said:
            assert measured.measure is not None
            return CriterionContradicted(
                action=said.action,
                cycle=said.cycle,
                measure=measured.measure,
                subject=measured.subject,
                reading=said.reading,
                value=said.value,
                threshold=said.threshold,
                at=said.at,
            )
        case _:
            return None


measures = Aggregate[Measured, Command, Event](
    kind="measure",
    initial=Measured(),
    decide=decide,
    evolve=evolve,
    announce=announce,
    events=(ReadingTaken, WatchStarted, Contradicted, WatchReleased),
)


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
