"""From correction to implementation: who does what, and what must be there before the next step (C-02 to C-08)."""

from collections.abc import Sequence
from datetime import timedelta

from contracts.improvement import Measure
from events.kernel import Forbidden, Given, Refused, Unacceptable
from events.words import day_of, start_of
from improvement_service.corrective_actions.commands import (
    Analyse,
    Assign,
    CheckExtent,
    Complete,
    Contain,
    DecideNeed,
    DecidePlan,
    MakePlan,
)
from improvement_service.corrective_actions.events import (
    Analysed,
    Assigned,
    Completed,
    Contained,
    Event,
    ExtentChecked,
    Implemented,
    NeedDecided,
    PlanApproved,
    Planned,
    PlanRejected,
)
from improvement_service.corrective_actions.state import OVER, CorrectiveAction, Status
from improvement_service.corrective_actions.values import (
    Analysis,
    Cause,
    Completion,
    Correction,
    Criterion,
    Extent,
    Need,
    Plan,
    Task,
    Window,
)
from improvement_service.measures.aggregate import measure_id

BLAME = ("human error", "lack of training", "operator error", "carelessness")
"""Causes that end an analysis too early when they stand alone (C-04)."""


def refuse_unless(action: CorrectiveAction, *allowed: Status, rule: str = "C-08") -> None:
    if action.status not in allowed:
        wanted = " or ".join(allowed)
        raise Refused(f"{action.number} is {action.status}; this needs it {wanted}", rule=rule, status=action.status)


def assign(action: CorrectiveAction, command: Assign) -> Sequence[Event]:
    if action.status in OVER:
        raise Refused(f"{action.number} is {action.status}", rule="C-08")
    plan = action.cycle.plan
    if plan is not None and plan.criterion.verifier == command.owner:
        raise Refused(f"{command.owner} is to verify the effect and cannot own the action", rule="C-09")
    if action.appointed and action.owner == command.owner:
        return []
    return [Assigned(owner=command.owner, reason=command.reason)]


def contain(action: CorrectiveAction, command: Contain, given: Given) -> Sequence[Event]:
    refuse_unless(action, Status.OPENED, Status.CONTAINED, rule="C-02")
    return [Contained(correction=Correction(what=command.correction, by=given.by.person, at=given.at))]


def decide_need(action: CorrectiveAction, command: DecideNeed, given: Given) -> Sequence[Event]:
    if action.correction_only:
        refuse_unless(action, Status.VERIFYING, rule="C-03")
    else:
        refuse_unless(action, Status.OPENED, Status.CONTAINED, Status.ANALYSED, rule="C-03")
    if not command.needed and not action.corrections:
        raise Refused("a correction alone is enough only once there is one", rule="C-03")
    need = Need(needed=command.needed, rationale=command.rationale, by=given.by.person, at=given.at)
    return [NeedDecided(need=need)]


def analyse(action: CorrectiveAction, command: Analyse, given: Given) -> Sequence[Event]:
    refuse_unless(action, Status.CONTAINED, Status.ANALYSED, rule="C-04")
    if action.cycle.need is None:
        raise Refused("first decide whether the cause must be acted on, and why", rule="C-03")
    if not command.causes or not command.chain:
        raise Unacceptable("an analysis names at least one cause and how it was found", rule="C-04")
    _refuse_twins([cause.key for cause in command.causes], rule="C-04")
    analysis = Analysis(
        method=command.method,
        chain=command.chain,
        causes=command.causes,
        flags=_flags(command.causes),
        by=given.by.person,
        at=given.at,
    )
    return [Analysed(analysis=analysis)]


def _flags(causes: Sequence[Cause]) -> tuple[str, ...]:
    """What a reader should doubt about these causes."""
    blaming = all(any(phrase in cause.statement.lower() for phrase in BLAME) for cause in causes)
    unverified = tuple(f"cause {cause.key} is not verified" for cause in causes if not cause.verified)
    return ("blames people alone: ask why once more", *unverified) if blaming else unverified


def check_extent(action: CorrectiveAction, command: CheckExtent, given: Given) -> Sequence[Event]:
    refuse_unless(action, Status.CONTAINED, Status.ANALYSED, Status.PLANNED, rule="C-05")
    if not command.answer.strip():
        raise Unacceptable("say what was found where the like was looked for", rule="C-05")
    if command.exists_elsewhere and not (command.services or command.links):
        raise Unacceptable("where the same exists elsewhere, name the services or link what was found", rule="C-05")
    extent = Extent(
        exists_elsewhere=command.exists_elsewhere,
        could_occur=command.could_occur,
        services=command.services,
        links=command.links,
        answer=command.answer,
        by=given.by.person,
        at=given.at,
    )
    return [ExtentChecked(extent=extent)]


# --- the plan --------------------------------------------------------------------------------------------------------


def make_plan(action: CorrectiveAction, command: MakePlan, given: Given) -> Sequence[Event]:
    refuse_unless(action, Status.ANALYSED, Status.PLANNED, rule="C-06")
    _refuse_bad_tasks(action, command.tasks)
    _refuse_bad_criterion(command.criterion)
    criterion = command.criterion
    if criterion.verifier in {*action.owners, *(task.owner for task in command.tasks)}:
        raise Unacceptable(
            f"{criterion.verifier} owns the action or a task and cannot verify its effect",
            rule="C-09",
            verifier=criterion.verifier,
        )
    measured_by = measure_id(given.tenant, criterion.measure, criterion.subject) if criterion.measure else None
    plan = Plan(tasks=command.tasks, criterion=criterion, by=given.by.person, at=given.at, measured_by=measured_by)
    return [Planned(plan=plan)]


def _refuse_bad_tasks(action: CorrectiveAction, tasks: Sequence[Task]) -> None:
    if not tasks:
        raise Unacceptable("a plan has at least one task", rule="C-06")
    _refuse_twins([task.key for task in tasks], rule="C-06")
    assert action.cycle.analysis is not None
    causes = [cause.key for cause in action.cycle.analysis.causes]
    for task in tasks:
        if task.cause not in causes:
            raise Unacceptable(f"task {task.key} is about a cause that is not there", rule="C-06", causes=causes)


def _refuse_bad_criterion(criterion: Criterion) -> None:
    measure, subject, threshold = criterion.measure, criterion.subject, criterion.threshold
    if criterion.window_days < 1:
        raise Unacceptable("effect is measured over at least a day", rule="C-07")
    if (measure is None) != (threshold is None) or (threshold is not None and threshold < 0):
        raise Unacceptable("a measure goes with a threshold of zero or more", rule="C-07")
    if (measure == Measure.LONGEST_OUTAGE) != (subject is not None):
        raise Unacceptable("the longest outage is that of one service; no other measure has a subject", rule="C-07")


def _refuse_twins(keys: list[str], *, rule: str) -> None:
    if len(set(keys)) < len(keys):
        raise Unacceptable("two of them have the same key", rule=rule, keys=keys)


def decide_plan(action: CorrectiveAction, command: DecidePlan, given: Given) -> Sequence[Event]:
    refuse_unless(action, Status.PLANNED)
    plan = action.cycle.plan
    assert plan is not None
    if given.by.person == plan.by:
        raise Forbidden("somebody else than its author decides about a plan", rule="C-09", author=plan.by)
    if not command.approved:
        return [PlanRejected(by=given.by.person, at=given.at, reason=command.reason)]
    if action.cycle.extent is None:
        raise Refused("first check whether the same exists or could occur elsewhere", rule="C-05")
    return [PlanApproved(by=given.by.person, at=given.at, reason=command.reason)]


def complete(action: CorrectiveAction, command: Complete, given: Given) -> Sequence[Event]:
    refuse_unless(action, Status.IMPLEMENTING)
    open_tasks = {task.key: task for task in tasks_left(action)}
    if command.task not in open_tasks:
        raise Refused(f"{command.task} is no open task", rule="C-06", open=sorted(open_tasks))
    owner = open_tasks[command.task].owner
    if given.by.person != owner:
        raise Forbidden(f"{command.task} is reported as done by its owner", rule="C-06", owner=owner)
    done = Completion(task=command.task, evidence=command.evidence, by=given.by.person, at=given.at)
    completed = Completed(completion=done)
    return [completed, Implemented(window=_window(action, given))] if len(open_tasks) == 1 else [completed]


def tasks_left(action: CorrectiveAction) -> list[Task]:
    done = {completion.task for completion in action.cycle.completions}
    return [task for task in action.cycle.plan.tasks if task.key not in done] if action.cycle.plan else []


def _window(action: CorrectiveAction, given: Given) -> Window:
    """From the completion of the last task; so many calendar days later a verdict may be given."""
    assert action.cycle.plan is not None
    zone = action.terms.time_zone
    earliest = day_of(given.at, zone) + timedelta(days=action.cycle.plan.criterion.window_days)
    return Window(starts_at=given.at, ends_at=start_of(earliest, zone), earliest=earliest)
