"""What is held against which action, as readings and watches come in.

Readings and watches come from different services in any order, so each is compared with all that is already there.
Only what can no longer change is held against an action at once: an outage as long as it is known to have lasted, a
count that was taken inside the window. What was in force when the window began, and how long an open outage has
lasted by now, is judged when somebody gives a verdict.
"""

from collections.abc import Sequence

from events.kernel import Given
from improvement_service.measures.commands import Command, Keep, Release, Take
from improvement_service.measures.events import Contradicted, Event, ReadingTaken, WatchReleased, WatchStarted
from improvement_service.measures.state import Measured
from improvement_service.measures.values import Reading, Watch


def decide(measured: Measured, command: Command, _given: Given) -> Sequence[Event]:
    match command:
        case Take():
            return _take(measured, command)
        case Keep():
            return _keep(measured, command)
        case Release(action=action, cycle=cycle):
            return [WatchReleased(action=action, cycle=cycle)] if measured.watch(action, cycle) else []


def _take(measured: Measured, command: Take) -> Sequence[Event]:
    reading = command.reading
    if measured.reading(reading.name) == reading:
        return []
    hit = [each for each in measured.watches if not each.contradicted and each.contradicted_by(reading)]
    taken = ReadingTaken(measure=command.measure, subject=command.subject, reading=reading)
    return [taken, *(_contradicted(watch, reading) for watch in hit)]


def _keep(measured: Measured, command: Keep) -> Sequence[Event]:
    watch = command.watch
    if measured.watch(watch.action, watch.cycle):
        return []
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
