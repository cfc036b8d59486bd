"""A corrective action from its occasion to the verdict of somebody else, and all that may be refused on the way."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from contracts.audit import FindingIssued, Grade
from contracts.improvement import (
    CorrectiveActionClosed,
    CorrectiveActionEscalated,
    CorrectiveActionOpened,
    CorrectiveActionReopened,
    CriterionBound,
    CriterionReleased,
    Measure,
    Source,
    SourceKind,
)
from contracts.risk import RiskAboveLimit
from contracts.sla import BreachConfirmed, Metric
from duties import Assignment, Roster
from events.kernel import Due, Found, HolderOf, News, StateOf, derived_id
from events.testing import STREAM, Outcome, Scenario, scenarios
from improvement_service.corrective_actions import commands as c
from improvement_service.corrective_actions import events as e
from improvement_service.corrective_actions.aggregate import corrective_actions
from improvement_service.corrective_actions.api import view
from improvement_service.corrective_actions.lateness import deadline, overdue
from improvement_service.corrective_actions.needs import NUMBER, ROSTERS, holder_of
from improvement_service.corrective_actions.react import react
from improvement_service.corrective_actions.state import CorrectiveAction, Status
from improvement_service.corrective_actions.values import Cause, Criterion, Method, Task, Verdict
from improvement_service.measures.aggregate import measure_id
from improvement_service.measures.state import Measured
from improvement_service.measures.values import Reading, minutes
from improvement_service.policies.aggregate import THE_POLICY
from improvement_service.policies.domain import Policies, Version
from improvement_service.policies.rules import DEFAULT, Call, Grouping, Occasion, Priority, Rule, Step

# --- the world of Meridian -------------------------------------------------------------------------------------------


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


# --- opening (C-01) --------------------------------------------------------------------------------------------------


def test_a_major_finding_of_12_february_is_due_on_13_may_for_the_service_level_manager() -> None:
    outcome = given().when(c.Open(occasion=finding()))
    outcome.then_announced(
        CorrectiveActionOpened(
            number="CA-101",
            sources=(finding().source,),
            priority="high",
            due=date(2026, 5, 13),
            owner_role="service-level-manager",
        )
    )
    assert outcome.state.owner == "p-ruiz"
    assert outcome.state.status == Status.OPENED
    assert list(corrective_actions.claims(outcome.state)) == [f"source:finding:{derived_id('F-1')}"]


def test_where_nobody_is_known_yet_the_action_is_opened_for_the_role() -> None:
    outcome = given().knowing({ROSTERS: ()}).when(c.Open(occasion=finding()))
    assert (outcome.state.owner_role, outcome.state.owner) == ("service-level-manager", None)


def test_the_day_of_an_occasion_is_that_of_the_policys_time_zone() -> None:
    late_evening = finding(at="2026-02-11T23:30:00+00:00")
    assert given().when(c.Open(occasion=late_evening)).state.due == date(2026, 5, 13)


def test_a_breach_has_30_days_and_a_risk_60() -> None:
    at = datetime(2026, 4, 14, 7, 53, 12, tzinfo=UTC)
    breach = BreachConfirmed(
        sla=derived_id("sla"),
        sla_number="SLA-1",
        version=1,
        service="SVC-ERP",
        customer="halden-bank",
        target="availability",
        metric=Metric.AVAILABILITY,
        month="2026-04",
        at=at,
        used="75 min",
        budget="43.2 min",
        sources=("INC-4711", "MON-88"),
    )
    risk = RiskAboveLimit(
        number="R-017",
        title="single ISP",
        services=("SVC-NET",),
        assessment=2,
        level=16,
        limit=12,
        owner="p-net",
    )
    states = [given().when(opening("sla", breach, at)).state, given().when(opening("risk", risk, at)).state]
    assert [(each.due, each.owner, each.service) for each in states] == [
        (date(2026, 5, 14), "p-ruiz", "SVC-ERP"),
        (date(2026, 6, 13), "p-net", "SVC-NET"),
    ]


def opening(service: str, body: Any, at: datetime) -> Any:
    news = News(tenant="meridian", service=service, stream=derived_id("s"), event=derived_id("e"), at=at, body=body)
    (reaction,) = react(news)
    return reaction.command


def test_an_observation_opens_nothing() -> None:
    body = FindingIssued(
        number="F-9",
        audit=derived_id("a"),
        audit_number="AUD-2026-02",
        grade=Grade.OBSERVATION,
        edition="2018",
        clause="8.3.3",
        service=None,
        statement="Could be better.",
    )
    news = News(
        tenant="meridian",
        service="audit",
        stream=derived_id("f"),
        event=derived_id("e"),
        at=datetime(2026, 2, 12, tzinfo=UTC),
        body=body,
    )
    assert list(react(news)) == []


def test_the_same_source_told_again_changes_nothing() -> None:
    given(*OPENED).when(c.Open(occasion=finding())).then()
    again = replace(finding(), event=derived_id("another event"), at=datetime(2026, 3, 1, tzinfo=UTC))
    given(*OPENED).when(c.Open(occasion=again)).then()


SIXTY = replace(
    DEFAULT,
    rules=(
        Rule(kind=SourceKind.FINDING, call=Call(priority=Priority.CRITICAL, due_days=60, owner_role="process-owner")),
    ),
)


def test_a_change_of_policy_between_two_findings_gives_each_its_versions_due_date_however_late_it_is_heard() -> None:
    changed = {THE_POLICY: policies(("2026-02-20T00:00:00+01:00", SIXTY))}
    heard_in_march = given().knowing(changed).at("2026-03-15T10:00:00+01:00")
    before = heard_in_march.when(c.Open(occasion=finding())).state
    later = heard_in_march.when(c.Open(occasion=finding("F-2", at="2026-02-21T09:00:00+01:00"))).state
    assert (before.due, before.terms.policy_version) == (date(2026, 5, 13), 0)
    assert (later.due, later.terms.policy_version) == (date(2026, 4, 22), 1)


# --- grouping --------------------------------------------------------------------------------------------------------

GROUPED = {THE_POLICY: policies(("2026-01-01T00:00:00+01:00", replace(DEFAULT, grouping=Grouping.CLAUSE)))}
SECOND = finding("F-2", grade=Grade.MINOR, at="2026-02-01T09:00:00+01:00")


def test_two_findings_of_a_group_are_one_action_with_two_sources_earliest_due_and_highest_priority() -> None:
    first = opened_for(SECOND, facts=GROUPED)
    assert state_of(first).due == date(2026, 7, 31)
    outcome = given(*first).knowing(GROUPED).when(c.Open(occasion=finding()))
    assert [each.label for each in outcome.state.sources] == ["F-2", "F-1"]
    assert (outcome.state.due, outcome.state.priority) == (date(2026, 5, 13), Priority.HIGH)
    assert [(each.was, each.due) for each in outcome.state.dues] == [(date(2026, 7, 31), date(2026, 5, 13))]
    assert list(corrective_actions.claims(outcome.state)) == [
        f"source:finding:{derived_id('F-2')}",
        f"source:finding:{derived_id('F-1')}",
        "group:clause:8.3.3",
    ]
    given(*first, *outcome.events).knowing(GROUPED).when(c.Open(occasion=finding())).then()


def test_nobody_joins_once_a_plan_is_made_nor_ever_again() -> None:
    history = lived(opened_for(finding(), facts=GROUPED), *WORK[:4])
    assert "group:clause:8.3.3" in corrective_actions.claims(state_of(history))
    history = lived(history, WORK[4])
    assert "group:clause:8.3.3" not in corrective_actions.claims(state_of(history))
    sent_back = ("2026-02-24T10:00:00+01:00", "p-hansen", c.DecidePlan(approved=False, reason="Too vague."))
    assert "group:clause:8.3.3" not in corrective_actions.claims(state_of(lived(history, sent_back)))


# --- amendment and withdrawal (A-12, scenario 11) --------------------------------------------------------------------

AMENDED = finding(grade=Grade.MINOR, at="2026-03-05T09:00:00+01:00")
REGRADE = c.Regrade(occasion=AMENDED, previous_grade=Grade.MAJOR, reason="New evidence.")


def test_a_finding_amended_to_minor_recomputes_priority_and_due_from_the_day_of_issue() -> None:
    action = given(*OPENED).when(REGRADE).state
    assert (action.priority, action.due) == (Priority.MEDIUM, date(2026, 8, 11))
    assert action.original_due == date(2026, 5, 13)
    assert [(each.was, each.due, each.because) for each in action.dues] == [
        (date(2026, 5, 13), date(2026, 8, 11), "New evidence.")
    ]


def test_news_of_a_source_that_belongs_to_another_stream_knocks_there_by_its_claim() -> None:
    holder: HolderOf[CorrectiveAction] = holder_of(finding().source)
    found = Found(id=derived_id("elsewhere"), version=1, state=state_of(OPENED))
    withdraw = c.Withdraw(source=finding().source, at=AMENDED.at, reason="Dispute upheld.")
    for command in (REGRADE, withdraw):
        outcome = given().knowing({holder: found}).when(command)
        outcome.then(e.AskedFor(source=finding().source, at=AMENDED.at))
        assert list(corrective_actions.claims(outcome.state)) == [f"source:finding:{derived_id('F-1')}"]
        assert deadline(outcome.state) == AMENDED.at
        let_go = given(*outcome.events).when(Due()).then(e.LetGo()).state
        assert let_go == corrective_actions.initial
        given().knowing({holder: None}).when(command).then()


def test_an_observation_that_is_promoted_opens_its_first_action() -> None:
    holder = holder_of(finding().source)
    promote = replace(REGRADE, previous_grade=Grade.OBSERVATION)
    assert given().knowing({holder: None}).when(promote).state.due == date(2026, 9, 1)


def test_a_withdrawn_finding_asks_for_cancellation_and_somebody_else_than_the_owner_decides() -> None:
    withdraw = c.Withdraw(source=finding().source, at=AMENDED.at, reason="Dispute upheld.")
    asked = [*OPENED, *given(*OPENED).when(withdraw).events]
    assert state_of(asked).cancellation_asked
    given(*asked).when(withdraw).then()
    approve = c.DecideCancellation(approved=True, reason="Nothing to correct.")
    given(*OPENED).acting("p-hansen").when(approve).then_refused("still stands", rule="C-08")
    given(*asked).acting("p-ruiz").when(approve).then_refused("somebody else", rule="C-08", status=403)
    cancelled = given(*asked).acting("p-hansen").when(approve).state
    assert cancelled.status == Status.CANCELLED
    assert not list(corrective_actions.claims(cancelled))
    kept = given(*asked).acting("p-hansen").when(c.DecideCancellation(approved=False, reason="Still useful.")).state
    assert not kept.cancellation_asked


def test_an_amendment_to_a_grade_that_needs_no_action_asks_for_cancellation() -> None:
    harmless = replace(REGRADE, occasion=finding(grade=Grade.OBSERVATION, at="2026-03-05T09:00:00+01:00"))
    asked = [*OPENED, *given(*OPENED).when(harmless).events]
    assert state_of(asked).cancellation_asked
    assert not given(*asked).when(REGRADE).state.cancellation_asked


def test_of_several_sources_only_the_withdrawn_one_leaves() -> None:
    both = opened_for(SECOND, finding(), facts=GROUPED)
    action = given(*both).when(c.Withdraw(source=finding().source, at=AMENDED.at, reason="Dispute upheld.")).state
    assert [each.label for each in action.sources] == ["F-2"]
    assert [each.source.label for each in action.former] == ["F-1"]
    assert (action.due, action.original_due) == (date(2026, 7, 31), date(2026, 5, 13))
    assert not action.cancellation_asked


# --- the way to the plan (C-02 to C-09) ------------------------------------------------------------------------------


def test_the_cause_is_analysed_after_a_correction_and_a_decision_that_it_must_be() -> None:
    given(*OPENED).when(ANALYSE).then_refused("contained or analysed", rule="C-04")
    given(*after("Contain")).when(ANALYSE).then_refused("first decide", rule="C-03")
    assert state_of(after("Analyse")).status == Status.ANALYSED


def test_blame_alone_is_flagged_and_so_is_a_cause_that_nobody_verified() -> None:
    blame = Cause(key="cause-1", statement="Human error of the operator", verified=False)
    history = after("DecideNeed")
    cycle = given(*history).when(replace(ANALYSE, causes=(blame,))).state.cycle
    assert cycle.analysis is not None
    assert cycle.analysis.flags == ("blames people alone: ask why once more", "cause cause-1 is not verified")
    deeper = Cause(key="cause-2", statement="The console has no confirmation.", verified=True)
    cycle = given(*history).when(replace(ANALYSE, causes=(replace(blame, verified=True), deeper))).state.cycle
    assert cycle.analysis is not None
    assert cycle.analysis.flags == ()
    given(*history).when(replace(ANALYSE, causes=())).then_refused("at least one cause", rule="C-04", status=422)


@pytest.mark.parametrize(
    ("plan", "words", "rule"),
    [
        (replace(PLAN, tasks=()), "at least one task", "C-06"),
        (replace(PLAN, tasks=(TASKS[0], TASKS[0])), "same key", "C-06"),
        (replace(PLAN, tasks=(replace(TASKS[0], cause="cause-9"),)), "not there", "C-06"),
        (replace(PLAN, criterion=replace(CRITERION, window_days=0)), "at least a day", "C-07"),
        (replace(PLAN, criterion=replace(CRITERION, threshold=None)), "threshold", "C-07"),
        (replace(PLAN, criterion=replace(CRITERION, subject="SVC-ERP")), "subject", "C-07"),
        (replace(PLAN, criterion=replace(CRITERION, verifier="p-ruiz")), "cannot verify", "C-09"),
        (replace(PLAN, criterion=replace(CRITERION, verifier="p-nguyen")), "cannot verify", "C-09"),
    ],
)
def test_a_plan_that_makes_no_sense_is_refused(plan: c.MakePlan, words: str, rule: str) -> None:
    given(*after("CheckExtent")).when(plan).then_refused(words, rule=rule, status=422)


def test_a_plan_is_approved_by_somebody_else_and_after_the_extent_is_known() -> None:
    given(*PLANNED).acting("p-ruiz").when(APPROVE).then_refused("somebody else", rule="C-09", status=403)
    without_extent = lived(OPENED, *WORK[:3], WORK[4])
    given(*without_extent).acting("p-hansen").when(APPROVE).then_refused("exists or could occur", rule="C-05")
    assert given(*PLANNED).acting("p-hansen").when(APPROVE).state.status == Status.IMPLEMENTING


def test_a_plan_sent_back_needs_another_one() -> None:
    sent_back = given(*PLANNED).acting("p-hansen").when(c.DecidePlan(approved=False, reason="Too vague.")).state
    assert (sent_back.status, sent_back.cycle.plan) == (Status.ANALYSED, None)


def test_a_task_is_reported_by_its_owner_once_and_the_last_one_starts_the_window() -> None:
    done = c.Complete(task="task-1", evidence="SLA-7")
    given(*IMPLEMENTING).acting("p-nguyen").when(done).then_refused("by its owner", rule="C-06", status=403)
    first = lived(IMPLEMENTING, WORK[6])
    given(*first).acting("p-nguyen").when(WORK[6][2]).then_refused("no open task", rule="C-06")
    last = given(*first).acting("p-ruiz").at("2026-04-10T10:00:00+02:00").when(done)
    assert last.state.status == Status.IMPLEMENTED
    last.then_announced(
        CriterionBound(
            number="CA-101",
            cycle=1,
            measure=Measure.SERVICES_WITHOUT_SLA,
            subject=None,
            threshold=Decimal(0),
            starts_at=datetime(2026, 4, 10, 8, tzinfo=UTC),
            ends_at=datetime(2026, 6, 8, 22, tzinfo=UTC),
        )
    )


def test_where_a_correction_is_enough_somebody_else_verifies_it() -> None:
    no = c.DecideNeed(needed=False, rationale="A single typing error.")
    given(*OPENED).when(no).then_refused("once there is one", rule="C-03")
    corrected = lived(OPENED, ("2026-02-16T10:00:00+01:00", "p-nguyen", CONTAIN), (WORK[1][0], "p-ruiz", no))
    assert state_of(corrected).status == Status.VERIFYING
    for involved in ("p-nguyen", "p-ruiz"):
        given(*corrected).acting(involved).when(VERIFY).then_refused("somebody else", rule="C-09", status=403)
    assert given(*corrected).acting("p-weiss").when(VERIFY).state.status == Status.CLOSED


def test_an_action_that_is_not_there_is_not_found() -> None:
    given().when(CONTAIN).then_refused("no such", status=404)


# --- the verdict (C-08, C-09, scenarios 1 and 10) --------------------------------------------------------------------


def verdict(history: list[Any], facts: dict[Any, Any], *, by: str = "p-weiss", at: str = DAY_60) -> Outcome[Any]:
    return given(*history).knowing(facts).acting(by).at(at).when(VERIFY)


def test_verified_by_somebody_else_after_60_days_without_a_gap_the_action_is_closed() -> None:
    outcome = verdict(IMPLEMENTED, ALL_HAVE_SLAS)
    assert outcome.state.status == Status.CLOSED
    assert not list(corrective_actions.claims(outcome.state))
    closed = CorrectiveActionClosed(
        number="CA-101", cycle=1, sources=(finding().source,), verified_by="p-weiss", cycles=1, owner="p-ruiz"
    )
    outcome.then_announced(closed)


def test_nobody_who_had_a_part_in_it_verifies() -> None:
    verdict(IMPLEMENTED, ALL_HAVE_SLAS, by="p-ruiz").then_refused("somebody else", rule="C-09", status=403)
    verdict(IMPLEMENTED, ALL_HAVE_SLAS, by="p-nguyen").then_refused("somebody else", rule="C-09", status=403)


def test_handing_the_action_over_does_not_make_a_former_owner_independent() -> None:
    by_nguyen = tuple(replace(each, owner="p-nguyen") for each in TASKS)
    plan = (WORK[4][0], "p-ruiz", replace(PLAN, tasks=by_nguyen))
    handed = ("2026-03-01T10:00:00+01:00", "p-hansen", c.Assign(owner="p-moreau", reason="Leaves the department."))
    done = ("2026-04-10T10:00:00+02:00", "p-nguyen", c.Complete(task="task-1", evidence="SLA-7, SLA-8, SLA-9"))
    history = lived(OPENED, *WORK[:4], plan, WORK[5], handed, WORK[6], done)
    verdict(history, ALL_HAVE_SLAS, by="p-ruiz").then_refused("owns the action, or did", rule="C-09", status=403)
    assert verdict(history, ALL_HAVE_SLAS, by="p-weiss").state.status == Status.CLOSED
    to_the_verifier = c.Assign(owner="p-weiss", reason="Has time.")
    given(*IMPLEMENTED).when(to_the_verifier).then_refused("cannot own", rule="C-09")


def test_a_verdict_before_day_60_is_too_early_and_names_the_day() -> None:
    outcome = verdict(IMPLEMENTED, ALL_HAVE_SLAS, at="2026-06-08T23:59:59+02:00")
    outcome.then_refused("too early", rule="C-09")
    assert outcome.refusal is not None
    assert outcome.refusal.members["earliest"] == date(2026, 6, 9)
    assert verdict(IMPLEMENTED, ALL_HAVE_SLAS, at="2026-06-09T00:00:00+02:00").state.status == Status.CLOSED


def test_no_verdict_while_tasks_are_open() -> None:
    outcome = verdict(IMPLEMENTING, ALL_HAVE_SLAS)
    outcome.then_refused("task-1, task-2", rule="C-08")


def test_effective_is_refused_when_the_figures_contradict_or_there_are_none() -> None:
    gap = measured(counted(0, "2026-04-09T10:00:00+02:00"), counted(1, "2026-05-02T10:00:00+02:00"))
    verdict(IMPLEMENTED, gap).then_refused("1 services without an SLA, counted on 2026-05-02", rule="C-09")
    in_force_at_the_start = measured(counted(3, "2026-02-10T10:00:00+01:00"))
    verdict(IMPLEMENTED, in_force_at_the_start).then_refused("3 services", rule="C-09")
    verdict(IMPLEMENTED, measured()).then_refused("nothing has been measured", rule="C-09")


def test_a_service_that_nobody_heard_to_be_out_was_not_out() -> None:
    criterion = replace(CRITERION, measure=Measure.LONGEST_OUTAGE, subject="SVC-ERP", threshold=Decimal(15))
    plan = (WORK[4][0], "p-ruiz", replace(PLAN, criterion=criterion))
    history = lived(OPENED, *WORK[:4], plan, *WORK[5:])
    quiet = measured(measure=Measure.LONGEST_OUTAGE, subject="SVC-ERP")
    assert verdict(history, quiet).state.status == Status.CLOSED
    since = datetime(2026, 5, 19, 7, tzinfo=UTC)
    outage = Reading(name="INC-5120", since=since, until=since + timedelta(minutes=22), value=Decimal(22))
    out = measured(outage, measure=Measure.LONGEST_OUTAGE, subject="SVC-ERP")
    refused = verdict(history, out).then_refused("outage INC-5120 of 22 min", rule="C-09")
    assert refused.refusal is not None
    assert refused.refusal.members["reading"] == "INC-5120"


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


def test_an_outage_in_the_window_takes_the_action_back_to_its_cause_by_itself() -> None:
    outcome = given(*IMPLEMENTED).when(CONTRADICT)
    reason = "not effective: outage INC-5120 of 22 min on 2026-05-19, more than 15"
    outcome.then_announced(
        CriterionReleased(number="CA-101", cycle=1, measure=Measure.SERVICES_WITHOUT_SLA, subject=None),
        CorrectiveActionReopened(number="CA-101", cycle=2, sources=(finding().source,), reason=reason, owner="p-ruiz"),
    )
    action = outcome.state
    assert (action.status, action.cycle.number, action.cycle.analysis) == (Status.CONTAINED, 2, None)
    assert action.cycles[0].analysis is not None
    assert action.cycles[0].ended_because == reason
    assert (action.due, action.original_due) == (date(2026, 8, 17), date(2026, 5, 13))
    again = [*IMPLEMENTED, *outcome.events]
    given(*again).when(CONTRADICT).then()
    given(*again).when(PLAN).then_refused("contained", rule="C-06")
    assert given(*again).when(ANALYSE).state.status == Status.ANALYSED


def test_a_contradiction_of_another_action_or_before_implementation_says_nothing() -> None:
    given(*IMPLEMENTING).when(CONTRADICT).then()
    given(*IMPLEMENTED).when(replace(CONTRADICT, action=derived_id("another"))).then()
    given(*IMPLEMENTED).when(replace(CONTRADICT, cycle=2)).then()
    given().when(CONTRADICT).then()


def test_an_outage_that_is_reported_after_the_verdict_re_opens_and_takes_the_sources_back() -> None:
    closed = [*IMPLEMENTED, *verdict(IMPLEMENTED, ALL_HAVE_SLAS).events]
    action = given(*closed).when(CONTRADICT).state
    assert action.cycle.number == 2
    assert list(corrective_actions.claims(action)) == [f"source:finding:{derived_id('F-1')}"]


def test_an_ineffective_verdict_begins_the_next_cycle() -> None:
    ineffective = c.Verify(verdict=Verdict.INEFFECTIVE, evidence="It happened again.")
    action = given(*IMPLEMENTED).knowing(ALL_HAVE_SLAS).acting("p-weiss").at(DAY_60).when(ineffective).state
    assert (action.cycle.number, action.status) == (2, Status.CONTAINED)
    assert action.cycles[0].verification is not None


# --- lateness (C-10, C-11, scenario 9) -------------------------------------------------------------------------------

OF_JUNE = opened_for(finding(at="2026-04-01T09:00:00+02:00"))
REMINDER, OWNER, PROCESS_OWNER, CIO = (
    "2026-06-23T00:00:00+02:00",
    "2026-07-01T00:00:00+02:00",
    "2026-07-08T00:00:00+02:00",
    "2026-07-15T00:00:00+02:00",
)


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


def steps(history: list[Any]) -> list[tuple[str, str, str | None]]:
    berlin = state_of(history).terms.time_zone
    assert berlin == "Europe/Berlin"
    return [
        (each.step, each.at.astimezone(datetime.fromisoformat(REMINDER).tzinfo).isoformat(), each.to)
        for each in state_of(history).escalations
    ]


LADDER = [
    ("reminder", REMINDER, "p-ruiz"),
    ("owner", OWNER, "p-ruiz"),
    ("process-owner", PROCESS_OWNER, "p-hansen"),
    ("cio", CIO, "p-lindqvist"),
]


def test_the_ladder_is_climbed_once_although_the_scheduler_looks_every_hour() -> None:
    assert state_of(OF_JUNE).due == date(2026, 6, 30)
    assert steps(hourly(OF_JUNE, "2026-06-20T00:00:00+02:00", "2026-07-20T00:00:00+02:00")) == LADDER


def test_an_outage_of_the_scheduler_catches_up_once_in_order_each_with_its_own_instant() -> None:
    outcome = given(*OF_JUNE).at("2026-07-09T10:00:00+02:00").when(Due())
    assert [(each.step, each.at) for each in outcome.events] == [
        (step, datetime.fromisoformat(at)) for step, at, _ in LADDER[:3]
    ]
    assert deadline(outcome.state) == datetime.fromisoformat(CIO)
    outcome.then_announced(
        *(
            CorrectiveActionEscalated(
                number="CA-101", cycle=1, step=step, to_role=role, to=to, due=date(2026, 6, 30), overdue_days=days
            )
            for (step, _, to), role, days in zip(
                LADDER[:3], ("service-level-manager", "service-level-manager", "process-owner"), (-7, 0, 7), strict=True
            )
        )
    )


def test_overdue_is_derived_from_the_clock_and_begins_when_the_due_day_has_ended() -> None:
    action = state_of(OF_JUNE)
    assert not overdue(action, datetime.fromisoformat("2026-06-30T23:59:59+02:00"))
    assert overdue(action, datetime.fromisoformat(OWNER))
    shown = view(action, datetime.fromisoformat("2026-07-03T12:00:00+02:00"))
    assert (shown.overdue, shown.overdue_days, shown.age_days) == (True, 3, 93)


def test_a_reminder_for_a_time_before_the_action_is_not_sent_and_an_implemented_one_is_not_late() -> None:
    urgent = replace(
        DEFAULT,
        rules=(Rule(kind=SourceKind.FINDING, call=Call(priority=Priority.HIGH, due_days=3, owner_role="cio")),),
    )
    history = opened_for(finding(), facts={THE_POLICY: policies(("2026-01-01T00:00:00+01:00", urgent))})
    assert deadline(state_of(history)) == datetime.fromisoformat("2026-02-16T00:00:00+01:00")
    assert deadline(state_of(IMPLEMENTED)) == datetime(2026, 6, 8, 22, tzinfo=UTC)
    waiting = given(*IMPLEMENTED).at(DAY_60).when(Due()).state
    assert (waiting.status, deadline(waiting)) == (Status.VERIFYING, None)


ASK = c.AskExtension(until=date(2026, 7, 31), reason="TeleNord signs late.")
GRANT = c.DecideExtension(approved=True, reason="Interim targets hold.")


def test_an_extension_is_not_for_the_owner_to_approve_and_keeps_original_date_and_count() -> None:
    late = hourly(OF_JUNE, "2026-06-20T00:00:00+02:00", "2026-07-03T00:00:00+02:00")
    on_3_july: Scenario[CorrectiveAction] = given(*late).at("2026-07-03T10:00:00+02:00")
    on_3_july.acting("p-nguyen").when(ASK).then_refused("the owner asks", rule="C-10", status=403)
    on_3_july.acting("p-hansen").when(GRANT).then_refused("no extension", rule="C-10")
    asked = lived(late, ("2026-07-03T10:00:00+02:00", "p-ruiz", ASK))
    given(*asked).acting("p-ruiz").when(GRANT).then_refused("somebody else", rule="C-10", status=403)
    granted = lived(asked, ("2026-07-03T12:00:00+02:00", "p-hansen", GRANT))
    shown = view(state_of(granted), datetime.fromisoformat("2026-07-03T12:00:00+02:00"))
    assert (shown.due, shown.original_due, shown.extension_count) == (date(2026, 7, 31), date(2026, 6, 30), 1)
    assert not shown.overdue
    restarted = hourly(granted, "2026-07-04T00:00:00+02:00", "2026-08-20T00:00:00+02:00", every_hours=7)
    assert [step for step, _, _ in steps(restarted)] == [
        "reminder",
        "owner",
        "reminder",
        "owner",
        "process-owner",
        "cio",
    ]


def test_an_extension_needs_an_approver_whose_assignment_is_known() -> None:
    asked = lived(OF_JUNE, ("2026-06-03T10:00:00+02:00", "p-ruiz", ASK))
    stranger = given(*asked).acting("p-somebody").at("2026-06-03T12:00:00+02:00").when(GRANT)
    stranger.then_refused("no assignment of p-somebody as process-owner or cio is known", rule="C-10", status=409)
    above = given(*asked).acting("p-lindqvist").at("2026-06-03T12:00:00+02:00").when(GRANT)
    assert above.state.due == date(2026, 7, 31)
    refused = given(*asked).acting("p-hansen").when(c.DecideExtension(approved=False, reason="No."))
    assert (refused.state.due, refused.state.extension_asked) == (date(2026, 6, 30), None)


def test_an_extension_into_the_past_or_before_the_due_date_makes_no_sense() -> None:
    sooner = replace(ASK, until=date(2026, 6, 30))
    given(*OF_JUNE).when(sooner).then_refused("after the due date", rule="C-10", status=422)
    given(*OF_JUNE).at("2026-08-01T00:00:00+02:00").when(ASK).then_refused("in the future", rule="C-10", status=422)


# --- other cases, worked out by hand ---------------------------------------------------------------------------------

NEW_YEAR, IN_MARCH, IN_MAY = "2026-01-01T00:00:00+01:00", "2026-03-01T00:00:00+01:00", "2026-05-20T09:00:00+02:00"


def local(history: list[Any]) -> list[tuple[str, str]]:
    """Which step was reached when, by the clock in Berlin."""
    zone = ZoneInfo("Europe/Berlin")
    return [(each.step, f"{each.at.astimezone(zone):%m-%d %H:%M}") for each in state_of(history).escalations]


def test_more_time_twice_is_counted_twice_and_a_refusal_leaves_the_ladder_where_it_was() -> None:
    """Due 30 June; to 31 July, then (a day late) to 31 August; a third wish is refused on 2 September."""
    again = replace(ASK, until=date(2026, 8, 31))
    third = replace(ASK, until=date(2026, 9, 30))
    history = hourly(OF_JUNE, "2026-06-20T00:00:00+02:00", "2026-07-03T00:00:00+02:00", every_hours=5)
    history = lived(
        history, ("2026-07-03T10:00:00+02:00", "p-ruiz", ASK), ("2026-07-03T12:00:00+02:00", "p-hansen", GRANT)
    )
    history = hourly(history, "2026-07-04T00:00:00+02:00", "2026-08-01T09:00:00+02:00", every_hours=5)
    history = lived(
        history, ("2026-08-01T10:00:00+02:00", "p-ruiz", again), ("2026-08-01T12:00:00+02:00", "p-lindqvist", GRANT)
    )
    history = hourly(history, "2026-08-02T00:00:00+02:00", "2026-09-02T00:00:00+02:00", every_hours=5)
    refusal = c.DecideExtension(approved=False, reason="Enough.")
    history = lived(
        history, ("2026-09-02T10:00:00+02:00", "p-ruiz", third), ("2026-09-02T12:00:00+02:00", "p-hansen", refusal)
    )
    history = hourly(history, "2026-09-03T00:00:00+02:00", "2026-10-01T00:00:00+02:00", every_hours=5)
    shown = view(state_of(history), datetime.fromisoformat("2026-10-01T00:00:00+02:00"))
    assert (shown.due, shown.original_due, shown.extension_count) == (date(2026, 8, 31), date(2026, 6, 30), 2)
    assert local(history) == [
        ("reminder", "06-23 00:00"),
        ("owner", "07-01 00:00"),
        ("reminder", "07-24 00:00"),
        ("owner", "08-01 00:00"),
        ("reminder", "08-24 00:00"),
        ("owner", "09-01 00:00"),
        ("process-owner", "09-08 00:00"),
        ("cio", "09-15 00:00"),
    ]


def test_a_ladder_of_other_steps_counts_days_through_the_change_of_clocks_and_grace() -> None:
    """Due on 28 March (44 days after 12 February), two days of grace; on the 29th the clocks go forward."""
    ladder = (
        Step(key="month", days=-30),
        Step(key="eve", days=-1),
        Step(key="late", days=0),
        Step(key="board", days=1, role="top-management"),
    )
    policy = replace(
        DEFAULT,
        rules=(Rule(kind=SourceKind.FINDING, call=Call(priority=Priority.LOW, due_days=44, owner_role="cio")),),
        ladder=ladder,
        grace_days=2,
    )
    history = opened_for(finding(), facts={THE_POLICY: policies((NEW_YEAR, policy))})
    history = hourly(history, "2026-02-13T00:00:00+01:00", "2026-04-05T00:00:00+02:00", every_hours=3)
    assert local(history) == [
        ("month", "02-26 00:00"),
        ("eve", "03-27 00:00"),
        ("late", "03-31 00:00"),
        ("board", "04-01 00:00"),
    ]
    assert not overdue(state_of(history), datetime.fromisoformat("2026-03-30T23:59:59+02:00"))
    assert overdue(state_of(history), datetime.fromisoformat("2026-03-31T00:00:00+02:00"))


def test_a_new_cycle_has_its_own_ladder_and_an_amendment_counts_from_its_beginning() -> None:
    """Cycle 2 begins on 9 June; 90 days later is 7 September, 180 days later 6 December."""
    ineffective = c.Verify(verdict=Verdict.INEFFECTIVE, evidence="It happened again.")
    on_day_60 = given(*IMPLEMENTED).knowing(ALL_HAVE_SLAS).acting("p-weiss").at(DAY_60)
    second = [*IMPLEMENTED, *on_day_60.when(ineffective).events]
    assert state_of(second).due == date(2026, 9, 7)
    minor = replace(REGRADE, occasion=finding(grade=Grade.MINOR, at="2026-07-01T09:00:00+02:00"))
    assert given(*second).when(minor).state.due == date(2026, 12, 6)
    climbed = hourly(second, "2026-06-10T00:00:00+02:00", "2026-09-30T00:00:00+02:00", every_hours=7)
    assert local(climbed) == [
        ("reminder", "08-31 00:00"),
        ("owner", "09-08 00:00"),
        ("process-owner", "09-15 00:00"),
        ("cio", "09-22 00:00"),
    ]
    assert {each.cycle for each in state_of(climbed).escalations} == {2}


def test_an_amendment_to_major_that_makes_it_late_tells_nobody_before_it_was_known() -> None:
    """Minor of 12 February, due 11 August; amended on 20 May: due 13 May, so that day 7 of lateness ends that night."""
    minor = opened_for(finding(grade=Grade.MINOR))
    major = c.Regrade(occasion=finding(at=IN_MAY), previous_grade=Grade.MINOR, reason="Several at once.")
    history = [*minor, *given(*minor).at(IN_MAY).when(major).events]
    assert state_of(history).due == date(2026, 5, 13)
    history = hourly(history, "2026-05-20T10:00:00+02:00", "2026-06-01T00:00:00+02:00")
    assert local(history) == [("owner", "05-20 09:00"), ("process-owner", "05-21 00:00"), ("cio", "05-28 00:00")]


def test_a_finding_that_an_earlier_policy_left_alone_has_its_action_once_it_is_amended_to_major() -> None:
    """The first policy asks nothing of minors, the second does; the finding was issued under the first."""
    majors_only = replace(
        DEFAULT,
        rules=(
            Rule(kind=SourceKind.FINDING, grade=Grade.MINOR, call=None),
            Rule(kind=SourceKind.FINDING, call=Call(priority=Priority.HIGH, due_days=90, owner_role="process-owner")),
        ),
    )
    facts = {THE_POLICY: policies((NEW_YEAR, majors_only), (IN_MARCH, DEFAULT))}
    assert opened_for(finding(grade=Grade.MINOR), facts=facts) == []
    major = c.Regrade(occasion=finding(at=IN_MAY), previous_grade=Grade.MINOR, reason="Several at once.")
    nobody: dict[Any, Any] = {holder_of(finding().source): None}
    action = given().knowing({**facts, **nobody}).when(major).state
    assert (action.status, action.due) == (Status.OPENED, date(2026, 8, 18))
    given().knowing(nobody).when(major).then()


def test_the_first_rule_that_matches_decides_by_clause_service_and_target() -> None:
    call = {
        name: Call(priority=priority, due_days=days, owner_role="cio")
        for name, priority, days in (
            ("p1", Priority.CRITICAL, 7),
            ("erp", Priority.HIGH, 14),
            ("any", Priority.LOW, 28),
        )
    }
    policy = replace(
        DEFAULT,
        rules=(
            Rule(kind=SourceKind.BREACH, service="SVC-ERP", target="p1", call=call["p1"]),
            Rule(kind=SourceKind.BREACH, service="SVC-ERP", call=call["erp"]),
            Rule(kind=SourceKind.BREACH, call=call["any"]),
            Rule(kind=SourceKind.FINDING, clause="8.3", call=call["erp"]),
            Rule(kind=SourceKind.FINDING, clause="8.30", call=call["p1"]),
        ),
    )

    def breach(service: str, target: str) -> Occasion:
        source = Source(kind=SourceKind.BREACH, id=derived_id(service, target), label=target, service=service)
        return replace(finding(), source=source, grade=None, metric=Metric.RESOLUTION_TIME, target=target)

    def of_clause(clause: str) -> Occasion:
        return replace(finding(), source=replace(finding().source, clause=clause))

    assert policy.call_for(breach("SVC-ERP", "p1")) == call["p1"]
    assert policy.call_for(breach("SVC-ERP", "p2")) == call["erp"]
    assert policy.call_for(breach("SVC-NET", "p1")) == call["any"]
    assert policy.call_for(of_clause("8.3.3")) == policy.call_for(of_clause("8.3")) == call["erp"]
    assert policy.call_for(of_clause("8.30")) == call["p1"]
    assert policy.call_for(of_clause("8.4")) is None


@pytest.mark.parametrize(
    ("grouping", "named"), [(Grouping.CLAUSE, "clause:8.3.3"), (Grouping.SERVICE, "service:SVC-MAIL")]
)
def test_sources_meet_by_clause_or_by_service(grouping: Grouping, named: str) -> None:
    facts = {THE_POLICY: policies((NEW_YEAR, replace(DEFAULT, grouping=grouping)))}
    assert f"group:{named}" in corrective_actions.claims(state_of(opened_for(finding(), facts=facts)))
    of_nothing = replace(finding(), source=replace(finding().source, clause=None, service=None))
    alone = state_of(opened_for(of_nothing, facts=facts))
    assert list(corrective_actions.claims(alone)) == [f"source:finding:{derived_id('F-1')}"]


@pytest.mark.parametrize(
    ("since", "seconds", "contradicts"),
    [
        ("2026-05-19T07:00:00", 15 * 60, False),  # exactly the threshold
        ("2026-05-19T07:00:00", 15 * 60 + 1, True),
        ("2026-04-10T07:00:00", 3600, False),  # ends at 08:00, when the window begins
        ("2026-04-10T07:00:00", 3601, True),  # touches its first second
        ("2026-06-08T21:59:59", 1800, True),  # begins in its last second
        ("2026-06-08T22:00:00", 1800, False),  # begins when it is over: 9 June in Berlin
    ],
)
def test_an_outage_counts_for_the_window_that_it_touches_and_only_above_the_threshold(
    since: str, seconds: int, contradicts: bool
) -> None:
    """The window: from 10 April 08:00 UTC, when the last task was done, to 8 June 22:00 UTC; the threshold: 15 min."""
    criterion = replace(CRITERION, measure=Measure.LONGEST_OUTAGE, subject="SVC-ERP", threshold=Decimal(15))
    history = lived(OPENED, *WORK[:4], (WORK[4][0], "p-ruiz", replace(PLAN, criterion=criterion)), *WORK[5:])
    began, lasted = datetime.fromisoformat(since).replace(tzinfo=UTC), timedelta(seconds=seconds)
    outage = Reading(name="INC-1", since=began, until=began + lasted, value=minutes(lasted))
    outcome = verdict(history, measured(outage, measure=Measure.LONGEST_OUTAGE, subject="SVC-ERP"))
    if contradicts:
        outcome.then_refused("outage INC-1", rule="C-09", status=409)
    else:
        assert outcome.state.status == Status.CLOSED


def test_an_outage_that_still_lasts_is_judged_by_how_long_it_has_lasted_when_the_verdict_is_given() -> None:
    """It began ten minutes before the window ended, and nobody has told of its end since."""
    criterion = replace(CRITERION, measure=Measure.LONGEST_OUTAGE, subject="SVC-ERP", threshold=Decimal(15))
    history = lived(OPENED, *WORK[:4], (WORK[4][0], "p-ruiz", replace(PLAN, criterion=criterion)), *WORK[5:])
    began = datetime(2026, 6, 8, 21, 50, tzinfo=UTC)
    lasting = Reading(name="INC-1", since=began, until=began, value=Decimal(0), ongoing=True)
    known = measured(lasting, measure=Measure.LONGEST_OUTAGE, subject="SVC-ERP")
    assert verdict(history, known, at="2026-06-09T00:05:00+02:00").state.status == Status.CLOSED
    verdict(history, known, at="2026-06-09T00:05:01+02:00").then_refused("outage INC-1 of 15.0167 min", rule="C-09")


def test_where_the_same_exists_elsewhere_the_extent_says_where() -> None:
    analysed = after("Analyse")
    vague = c.CheckExtent(exists_elsewhere=True, could_occur=True, answer="Probably.")
    given(*analysed).when(vague).then_refused("name the services or link", rule="C-05", status=422)
    linked = replace(vague, links=("service catalogue v7",))
    assert given(*analysed).when(linked).state.cycle.extent is not None


@pytest.mark.parametrize("elsewhere", [True, False])
def test_the_extent_is_answered_in_words_also_where_nothing_was_found(elsewhere: bool) -> None:
    silent = c.CheckExtent(exists_elsewhere=elsewhere, could_occur=False, links=("register of SLAs",), answer=" \n")
    given(*after("Analyse")).when(silent).then_refused("say what was found", rule="C-05", status=422)
    answered = replace(silent, exists_elsewhere=False, links=(), answer="All 14 services were looked at: none.")
    assert given(*after("Analyse")).when(answered).state.cycle.extent is not None


def test_a_new_cycle_asks_for_the_extent_anew() -> None:
    again = [*IMPLEMENTED, *given(*IMPLEMENTED).when(CONTRADICT).events]
    replanned = lived(again, *[step for step in WORK if isinstance(step[2], c.Analyse | c.MakePlan)])
    approve = c.DecidePlan(approved=True, reason="Good.")
    given(*replanned).acting("p-hansen").when(approve).then_refused("first check", rule="C-05", status=409)


def test_an_action_opened_by_two_breaches_of_one_day_has_one_source_each() -> None:
    """Two targets of one agreement missed on the same day are two sources; without grouping, two actions."""
    first, second = (
        BreachConfirmed(
            sla=derived_id("SLA-1"),
            sla_number="SLA-1",
            version=1,
            service="SVC-ERP",
            customer="halden-bank",
            target=target,
            metric=Metric.AVAILABILITY,
            month="2026-04",
            at=datetime(2026, 4, 14, 9, 53, 12, tzinfo=UTC),
            used="75 min",
            budget="43.2 min",
            sources=("monitor:MON-88",),
        )
        for target in ("availability", "evenings")
    )
    news = [
        News(
            tenant="meridian",
            service="sla",
            stream=derived_id(body.target),
            event=derived_id(body.target, "breached"),
            at=body.at,
            body=body,
        )
        for body in (first, second)
    ]
    reactions = [reaction for each in news for reaction in react(each)]
    assert len({reaction.stream for reaction in reactions}) == 2
    assert [reaction.command.occasion.source.label for reaction in reactions] == [
        "availability 2026-04 SLA-1",
        "evenings 2026-04 SLA-1",
    ]
