"""How a corrective action is worked: from what was done about the effect to the verdict of somebody else."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from enum import IntEnum

from stack.client import Object
from stack.demo.cast import KELLER, LINDQVIST, RUIZ, WEISS, Person
from stack.demo.stage import Stage


class Stop(IntEnum):
    """How far somebody gets with an action for now."""

    CONTAINED = 1
    ANALYSED = 2
    PLANNED = 3
    APPROVED = 4


@dataclass(frozen=True)
class Task:
    """One thing to do about the cause."""

    what: str
    result: str
    owner: Person = KELLER


@dataclass(frozen=True)
class Remedy:
    """What is thought and done about one action."""

    correction: str
    whys: tuple[str, ...]
    extent: str
    tasks: tuple[Task, ...]
    criterion: str
    window_days: int
    due: date
    measure: Object = field(default_factory=dict)
    found_elsewhere: tuple[str, ...] = ()


def begin(stage: Stage, action: Object, remedy: Remedy, stop: Stop = Stop.APPROVED) -> None:
    """Work an action as far as `stop`."""
    path, number = f"corrective-actions/{action['id']}", action["number"]
    _contain(stage, path, number, remedy)
    if stop >= Stop.ANALYSED:
        _analyse(stage, path, number, remedy)
    if stop >= Stop.PLANNED:
        _plan(stage, path, number, remedy)
    if stop >= Stop.APPROVED:
        decision = {"approved": True, "reason": "Removes the cause, and its effect can be measured."}
        stage.act(LINDQVIST, "improvement", path, "plan-decision", decision, f"approves the plan of {number}")


def _contain(stage: Stage, path: str, number: str, remedy: Remedy) -> None:
    correction = {"correction": remedy.correction}
    stage.act(RUIZ, "improvement", path, "corrections", correction, f"corrects ({number}): {remedy.correction}")
    need = {"needed": True, "rationale": "The same cause would bring the same effect again."}
    stage.act(RUIZ, "improvement", path, "need", need)


def _analyse(stage: Stage, path: str, number: str, remedy: Remedy) -> None:
    cause = {"key": "cause-1", "statement": remedy.whys[-1], "verified": True}
    analysis = {"method": "five-whys", "chain": remedy.whys, "causes": [cause]}
    stage.act(RUIZ, "improvement", path, "analyses", analysis, f"asks why ({number}): {remedy.whys[-1]}")
    extent = {
        "exists_elsewhere": bool(remedy.found_elsewhere),
        "could_occur": True,
        "services": remedy.found_elsewhere,
        "answer": remedy.extent,
    }
    stage.act(RUIZ, "improvement", path, "extents", extent, f"looks elsewhere ({number}): {remedy.extent}")


def _plan(stage: Stage, path: str, number: str, remedy: Remedy) -> None:
    tasks = [
        {
            "key": f"task-{n}",
            "cause": "cause-1",
            "what": task.what,
            "expected_result": task.result,
            "owner": task.owner.id,
            "due": remedy.due.isoformat(),
        }
        for n, task in enumerate(remedy.tasks, start=1)
    ]
    criterion = {
        "statement": remedy.criterion,
        "window_days": remedy.window_days,
        "verifier": WEISS.id,
        **remedy.measure,
    }
    plan = {"tasks": tasks, "criterion": criterion}
    stage.act(RUIZ, "improvement", path, "plans", plan, f"plans ({number}): {remedy.criterion}")


def finish_tasks(stage: Stage, action: Object, remedy: Remedy) -> None:
    """The owners report their tasks as done; from then on the effect is measured."""
    path = f"corrective-actions/{action['id']}"
    for n, task in enumerate(remedy.tasks, start=1):
        done = {"task": f"task-{n}", "evidence": task.result}
        stage.act(task.owner, "improvement", path, "completions", done, f"is done ({action['number']}): {task.result}")


def verify(stage: Stage, action: Object, evidence: str) -> None:
    """Somebody who had no part in it finds the action effective."""
    verdict = {"verdict": "effective", "evidence": evidence}
    path, saying = f"corrective-actions/{action['id']}", f"verifies {action['number']}: {evidence}"
    stage.act(WEISS, "improvement", path, "verification", verdict, saying)


# --- who does what when ----------------------------------------------------------------------------------------------


@dataclass
class Case:
    """One breach and its remedy: from when on somebody works at it, and when the tasks are done (if ever)."""

    breach: str
    remedy: Remedy
    begins: datetime
    done: datetime | None = None
    stop: Stop = Stop.APPROVED
    begun: bool = field(default=False, init=False)
    implemented_at: datetime | None = field(default=None, init=False)
    verified: bool = field(default=False, init=False)


class Docket:
    """The open cases; whenever the clock has moved, people do what has its day."""

    def __init__(self, stage: Stage, action_of: Callable[[str], Object], cases: Iterable[Case]) -> None:
        """`action_of` finds the corrective action of a breach by the breach's name."""
        self._stage = stage
        self._action_of = action_of
        self._cases = tuple(cases)

    def work(self) -> None:
        """Begin, finish and verify what has its day."""
        for case in self._cases:
            if not case.begun and self._stage.now >= case.begins:
                begin(self._stage, self._action_of(case.breach), case.remedy, case.stop)
                case.begun = True
            if case.begun and not case.implemented_at and case.done and self._stage.now >= case.done:
                finish_tasks(self._stage, self._action_of(case.breach), case.remedy)
                case.implemented_at = self._stage.now
            self._verify(case)

    def _verify(self, case: Case) -> None:
        if case.implemented_at is None or case.verified:
            return
        if self._stage.now > case.implemented_at + timedelta(days=case.remedy.window_days + 1):
            verify(self._stage, self._action_of(case.breach), f"{case.remedy.criterion} The figures say so.")
            case.verified = True
