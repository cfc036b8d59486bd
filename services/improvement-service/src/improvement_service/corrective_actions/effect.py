"""Whether it worked: the verdict of somebody else, figures that contradict it, and the next cycle (C-08, C-09)."""

from collections.abc import Sequence
from datetime import datetime

from contracts.improvement import Measure
from events.kernel import Forbidden, Given, Refused
from events.words import day_of
from improvement_service.corrective_actions.commands import Contradict, Verify
from improvement_service.corrective_actions.events import Closed, Event, Reopened, Verified, WatchEnded
from improvement_service.corrective_actions.state import CorrectiveAction, Status
from improvement_service.corrective_actions.values import Plan, Verdict, Verification, Window
from improvement_service.corrective_actions.work import refuse_unless, tasks_left
from improvement_service.measures.state import Measured, worst_in


def verify(action: CorrectiveAction, command: Verify, given: Given, measured: Measured) -> Sequence[Event]:
    _refuse_own_work(action, given.by.person)
    _refuse_before_time(action, given.at)
    if command.verdict is Verdict.EFFECTIVE and action.cycle.plan is not None and action.cycle.window is not None:
        _refuse_against_the_figures(action.cycle.plan, action.cycle.window, measured, given.at)
    verification = Verification(verdict=command.verdict, evidence=command.evidence, by=given.by.person, at=given.at)
    verified = Verified(verification=verification)
    if command.verdict is Verdict.EFFECTIVE:
        return [verified, Closed(at=given.at, by=given.by.person)]
    return [verified, *reopen(action, given.at, command.evidence)]


def _refuse_own_work(action: CorrectiveAction, verifier: str) -> None:
    plan = action.cycle.plan
    part = {
        **{correction.by: "made the correction" for correction in action.corrections if action.correction_only},
        **{completion.by: f"completed {completion.task}" for completion in action.cycle.completions},
        **{task.owner: f"owns {task.key}" for task in (plan.tasks if plan else ())},
        **dict.fromkeys(action.owners, "owns the action, or did"),
    }
    if verifier in part:
        raise Forbidden(f"{verifier} {part[verifier]}: somebody else verifies it", rule="C-09", conflict=part[verifier])


def _refuse_before_time(action: CorrectiveAction, at: datetime) -> None:
    if action.status is Status.IMPLEMENTING:
        left = [task.key for task in tasks_left(action)]
        raise Refused(f"not all tasks are done: {', '.join(left)}", rule="C-08", open=left)
    refuse_unless(action, Status.IMPLEMENTED, Status.VERIFYING)
    window = action.cycle.window
    if window is not None and at < window.ends_at:
        raise Refused(f"too early: effect is measured until {window.earliest}", rule="C-09", earliest=window.earliest)


def _refuse_against_the_figures(plan: Plan, window: Window, measured: Measured, at: datetime) -> None:
    criterion = plan.criterion
    if criterion.measure is None or criterion.threshold is None:
        return
    worst = worst_in(measured, window.starts_at, window.ends_at, at)
    if worst is None:
        # No outage told is the best that can be said of outages; a count that was never taken says nothing.
        if criterion.measure == Measure.LONGEST_OUTAGE:
            return
        raise Refused("nothing has been measured in the window", rule="C-09", measure=criterion.measure)
    reading, figure = worst
    if figure > criterion.threshold:
        raise Refused(
            f"the figures contradict: {in_words(criterion.measure, reading.name, figure, reading.since)}",
            rule="C-09",
            reading=reading.name,
            value=figure,
            threshold=criterion.threshold,
            at=reading.since,
        )


def contradict(action: CorrectiveAction, command: Contradict, given: Given) -> Sequence[Event]:
    """Back to the cause, without anybody's verdict, also where a late report proves a verdict wrong.

    When the sources of a closed action belong to another one by now, that one is asked in its place: it says nothing.
    """
    measured = action.status in (Status.IMPLEMENTED, Status.VERIFYING, Status.CLOSED)
    if command.action != given.stream or command.cycle != action.cycle.number or not measured:
        return []
    words = in_words(command.measure, command.reading, command.value, command.read_at)
    return reopen(action, command.at, f"not effective: {words}, more than {command.threshold}")


def in_words(measure: Measure, reading: str, value: object, at: datetime) -> str:
    match measure:
        case Measure.LONGEST_OUTAGE:
            return f"outage {reading} of {value} min on {at.date()}"
        case Measure.SERVICES_WITHOUT_SLA:
            return f"{value} services without an SLA, counted on {at.date()}"


def reopen(action: CorrectiveAction, at: datetime, reason: str) -> Sequence[Event]:
    reopened = Reopened(
        cycle=action.cycle.number + 1, at=at, due_from=day_of(at, action.terms.time_zone), reason=reason
    )
    return [*end_of_watch(action), reopened]


def end_of_watch(action: CorrectiveAction) -> Sequence[Event]:
    """The measure need not watch this cycle any more, if it ever did."""
    watched = action.cycle.window is not None and action.cycle.plan is not None and action.cycle.plan.measured_by
    return [WatchEnded(cycle=action.cycle.number)] if watched else []
