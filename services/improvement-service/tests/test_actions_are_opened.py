"""How a corrective action is opened, joined by more sources, and follows what becomes of them (C-01, A-12)."""

from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

from actions_at_meridian import AMENDED, OPENED, REGRADE, WORK, finding, given, lived, opened_for, policies, state_of

from contracts.audit import FindingIssued, Grade
from contracts.improvement import (
    CorrectiveActionOpened,
    SourceKind,
)
from contracts.risk import RiskAboveLimit
from contracts.sla import BreachConfirmed, Metric
from events.kernel import Due, Found, HolderOf, News, derived_id
from improvement_service.corrective_actions import commands as c
from improvement_service.corrective_actions import events as e
from improvement_service.corrective_actions.aggregate import corrective_actions
from improvement_service.corrective_actions.lateness import deadline
from improvement_service.corrective_actions.needs import ROSTERS, holder_of
from improvement_service.corrective_actions.react import react
from improvement_service.corrective_actions.state import CorrectiveAction, Status
from improvement_service.policies.aggregate import THE_POLICY
from improvement_service.policies.rules import DEFAULT, Call, Grouping, Priority, Rule

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
