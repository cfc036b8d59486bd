"""The verdict on a corrective action: by somebody else, not too early, and never against the figures (C-08, C-09)."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

from actions_at_meridian import (
    ALL_HAVE_SLAS,
    ANALYSE,
    CONTRADICT,
    CRITERION,
    DAY_60,
    IMPLEMENTED,
    IMPLEMENTING,
    OPENED,
    PLAN,
    TASKS,
    WORK,
    counted,
    finding,
    given,
    lived,
    measured,
    verdict,
)

from contracts.improvement import (
    CorrectiveActionClosed,
    CorrectiveActionReopened,
    CriterionReleased,
    Measure,
)
from events.kernel import derived_id
from improvement_service.corrective_actions import commands as c
from improvement_service.corrective_actions.aggregate import corrective_actions
from improvement_service.corrective_actions.state import Status
from improvement_service.corrective_actions.values import Verdict
from improvement_service.measures.values import Reading


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
