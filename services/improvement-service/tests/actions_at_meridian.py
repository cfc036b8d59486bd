"""The organisation Meridian as the tests of corrective actions know it: histories, facts, and what others tell."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from contracts.audit import Grade
from contracts.improvement import (
    Measure,
    Source,
    SourceKind,
)
from duties import Assignment, Roster
from events.kernel import Due, Found, StateOf, derived_id
from events.testing import STREAM, Outcome, scenarios
from improvement_service.corrective_actions import commands as c
from improvement_service.corrective_actions.aggregate import corrective_actions
from improvement_service.corrective_actions.lateness import deadline
from improvement_service.corrective_actions.needs import NUMBER, ROSTERS
from improvement_service.corrective_actions.state import CorrectiveAction
from improvement_service.corrective_actions.values import Cause, Criterion, Method, Task, Verdict
from improvement_service.measures.aggregate import measure_id
from improvement_service.measures.state import Measured
from improvement_service.measures.values import Reading
from improvement_service.policies.aggregate import THE_POLICY
from improvement_service.policies.domain import Policies, Version
from improvement_service.policies.rules import Occasion


def roster(role: str, *persons: str) -> Found[Roster]:
    held = tuple(
        Assignment(
            assignment=derived_id(role, person),
            person=person,
            role=role,
            service=None,
            since=date(2020, 1, 1),
            until=None,
        )
        for person in persons
    )
    return Found(id=derived_id(role), version=1, state=Roster(role=role, assignments=held))


ROLES = (
    roster("service-level-manager", "p-ruiz"),
    roster("process-owner", "p-hansen"),
    roster("cio", "p-lindqvist"),
)
KNOWN: dict[Any, Any] = {THE_POLICY: (), ROSTERS: ROLES, NUMBER: 101}
given = scenarios(corrective_actions, by="p-ruiz", at="2026-02-12T10:00:00+01:00").knowing(KNOWN)


def policies(*changes: tuple[str, Any]) -> tuple[Found[Policies]]:
    """The policy, changed at these times."""
    initial = Policies()
    versions = [
        Version(version=n, since=datetime.fromisoformat(at), policy=policy, reason="changed", by="p-lindqvist")
        for n, (at, policy) in enumerate(changes, start=1)
    ]
    state = Policies(versions=(*initial.versions, *versions))
    return (Found(id=derived_id("policy"), version=len(versions), state=state),)


def finding(name: str = "F-1", *, grade: Grade = Grade.MAJOR, at: str = "2026-02-12T09:30:00+01:00") -> Occasion:
    source = Source(kind=SourceKind.FINDING, id=derived_id(name), label=name, service="SVC-MAIL", clause="8.3.3")
    return Occasion(
        source=source,
        event=derived_id(name, "issued"),
        at=datetime.fromisoformat(at),
        summary="SVC-MAIL has no SLA.",
        grade=grade,
    )


def opened_for(*occasions: Occasion, facts: dict[Any, Any] | None = None) -> list[Any]:
    """The history of an action with these sources."""
    history: list[Any] = []
    for occasion in occasions:
        history += given(*history).knowing(facts or {}).when(c.Open(occasion=occasion)).events
    return history


OPENED = opened_for(finding())
TASKS = (
    Task(
        key="task-1",
        cause="cause-1",
        what="Agree three SLAs.",
        expected_result="They are active.",
        owner="p-ruiz",
        due=date(2026, 4, 15),
    ),
    Task(
        key="task-2",
        cause="cause-1",
        what="Add an SLA gate to the checklist.",
        expected_result="No onboarding without SLA.",
        owner="p-nguyen",
        due=date(2026, 4, 15),
    ),
)
CRITERION = Criterion(
    statement="No service is without an active SLA for 60 days.",
    measure=Measure.SERVICES_WITHOUT_SLA,
    threshold=Decimal(0),
    window_days=60,
    verifier="p-weiss",
)
ANALYSE = c.Analyse(
    method=Method.FIVE_WHYS,
    chain=("No SLA was drafted.", "Onboarding did not ask for one.", "Its checklist has no SLA gate."),
    causes=(Cause(key="cause-1", statement="The onboarding checklist has no SLA gate.", verified=True),),
)
EXTENT = c.CheckExtent(
    exists_elsewhere=True, could_occur=True, services=("SVC-NET", "SVC-DNS"), answer="Two more services have none."
)
PLAN = c.MakePlan(tasks=TASKS, criterion=CRITERION)
NEEDED = c.DecideNeed(needed=True, rationale="It can happen again.")
CONTAIN = c.Contain(correction="Interim targets agreed.")
APPROVE = c.DecidePlan(approved=True, reason="Removes the cause.")
VERIFY = c.Verify(verdict=Verdict.EFFECTIVE, evidence="The count stayed 0.")

WORK: list[tuple[str, str, Any]] = [
    ("2026-02-16T10:00:00+01:00", "p-ruiz", CONTAIN),
    ("2026-02-16T11:00:00+01:00", "p-ruiz", NEEDED),
    ("2026-02-20T10:00:00+01:00", "p-ruiz", ANALYSE),
    ("2026-02-20T11:00:00+01:00", "p-ruiz", EXTENT),
    ("2026-02-23T10:00:00+01:00", "p-ruiz", PLAN),
    ("2026-02-24T10:00:00+01:00", "p-hansen", APPROVE),
    ("2026-03-20T10:00:00+01:00", "p-nguyen", c.Complete(task="task-2", evidence="checklist v4")),
    ("2026-04-10T10:00:00+02:00", "p-ruiz", c.Complete(task="task-1", evidence="SLA-7, SLA-8, SLA-9")),
]


def lived(history: list[Any], *steps: tuple[str, str, Any]) -> list[Any]:
    """The history after these persons did these things at these times."""
    for at, person, command in steps:
        history = [*history, *given(*history).acting(person).at(at).when(command).events]
    return history


def after(*commands: type[Any] | str) -> list[Any]:
    """The history up to and with the last of the ordinary steps named by its command."""
    last = max(n for n, (_, _, command) in enumerate(WORK) if type(command).__name__ in commands)
    return lived(OPENED, *WORK[: last + 1])


PLANNED = after("MakePlan")
IMPLEMENTING = after("DecidePlan")
IMPLEMENTED = after("Complete")
DAY_60 = "2026-06-09T08:00:00+02:00"


def counted(count: int, at: str) -> Reading:
    on = datetime.fromisoformat(at)
    return Reading(name=at, since=on, until=on, value=Decimal(count))


def measured(*readings: Reading, measure: Measure = Measure.SERVICES_WITHOUT_SLA, subject: str | None = None) -> Any:
    stream = measure_id("meridian", measure, subject)
    state = Measured(measure=measure, subject=subject, readings=readings)
    return {StateOf(Measured, stream): Found(id=stream, version=1, state=state)}


ALL_HAVE_SLAS = measured(counted(3, "2026-02-10T10:00:00+01:00"), counted(0, "2026-04-09T10:00:00+02:00"))


def state_of(history: list[Any]) -> CorrectiveAction:
    return corrective_actions.fold(history)


AMENDED = finding(grade=Grade.MINOR, at="2026-03-05T09:00:00+01:00")

REGRADE = c.Regrade(occasion=AMENDED, previous_grade=Grade.MAJOR, reason="New evidence.")


def verdict(history: list[Any], facts: dict[Any, Any], *, by: str = "p-weiss", at: str = DAY_60) -> Outcome[Any]:
    return given(*history).knowing(facts).acting(by).at(at).when(VERIFY)


CONTRADICT = c.Contradict(
    action=STREAM,
    cycle=1,
    measure=Measure.LONGEST_OUTAGE,
    reading="INC-5120",
    value=Decimal(22),
    threshold=Decimal(15),
    read_at=datetime(2026, 5, 19, 7, tzinfo=UTC),
    at=datetime(2026, 5, 19, 8, tzinfo=UTC),
)

OF_JUNE = opened_for(finding(at="2026-04-01T09:00:00+02:00"))


def hourly(history: list[Any], first: str, last: str, *, every_hours: int = 1) -> list[Any]:
    """The history after a scheduler looked this often, with nothing remembered between two looks."""
    now, end = datetime.fromisoformat(first), datetime.fromisoformat(last)
    while now <= end:
        due = deadline(state_of(history))
        if due is not None and due <= now:
            history = [*history, *given(*history).at(now.isoformat()).when(Due()).events]
            still = deadline(state_of(history))
            assert still is None or still > now
        now += timedelta(hours=every_hours)
    return history


ASK = c.AskExtension(until=date(2026, 7, 31), reason="TeleNord signs late.")

GRANT = c.DecideExtension(approved=True, reason="Interim targets hold.")
