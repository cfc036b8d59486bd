"""The way of a corrective action from its correction to the approved plan and the finished work (C-02 to C-09)."""

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from actions_at_meridian import (
    ANALYSE,
    APPROVE,
    CONTAIN,
    CRITERION,
    IMPLEMENTING,
    OPENED,
    PLAN,
    PLANNED,
    TASKS,
    VERIFY,
    WORK,
    after,
    given,
    lived,
    state_of,
)

from contracts.improvement import (
    CriterionBound,
    Measure,
)
from improvement_service.corrective_actions import commands as c
from improvement_service.corrective_actions.state import Status
from improvement_service.corrective_actions.values import Cause


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
