"""Corrective actions in cases that no scenario tells, with figures worked out by hand."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from actions_at_meridian import (
    ALL_HAVE_SLAS,
    ASK,
    CONTRADICT,
    CRITERION,
    DAY_60,
    GRANT,
    IMPLEMENTED,
    OF_JUNE,
    OPENED,
    PLAN,
    REGRADE,
    WORK,
    after,
    finding,
    given,
    hourly,
    lived,
    measured,
    opened_for,
    policies,
    state_of,
    verdict,
)

from contracts.audit import Grade
from contracts.improvement import (
    Measure,
    Source,
    SourceKind,
)
from contracts.sla import BreachConfirmed, Metric
from events.kernel import News, derived_id
from improvement_service.corrective_actions import commands as c
from improvement_service.corrective_actions.aggregate import corrective_actions
from improvement_service.corrective_actions.api import view
from improvement_service.corrective_actions.lateness import overdue
from improvement_service.corrective_actions.needs import holder_of
from improvement_service.corrective_actions.react import react
from improvement_service.corrective_actions.state import Status
from improvement_service.corrective_actions.values import Verdict
from improvement_service.measures.values import Reading, minutes
from improvement_service.policies.aggregate import THE_POLICY
from improvement_service.policies.rules import DEFAULT, Call, Grouping, Occasion, Priority, Rule, Step

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
