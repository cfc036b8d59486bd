"""An audit takes its steps in order, and judges by evidence (A-05, A-09)."""

from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import pytest
from audits_at_meridian import (
    ERP_AUDIT,
    LOGBOOK,
    NOTHING_FOUND,
    SLM,
    WEISS_AUDITS,
    conducted,
    fieldwork_done,
    given,
    in_follow_up,
    knowing_duties,
    left_by_earlier_audits,
    planned,
    prepared,
    reported,
    result,
    started,
)

from audit_service.audits.aggregate import audits
from audit_service.audits.commands import (
    AcknowledgeReport,
    BeginFollowUp,
    Cancel,
    ChangeTeam,
    Close,
    CompleteFieldwork,
    CorrectReport,
    IssueReport,
    Plan,
    Postpone,
    Prepare,
    RecordResult,
    Resume,
    Revise,
    Start,
)
from audit_service.audits.decide import TURN
from audit_service.audits.events import Cancelled, Closed, Postponed, ReportAcknowledged
from audit_service.audits.state import Status
from audit_service.audits.values import Verdict
from events.codec import codec_of, state_from_json, to_json

HISTORIES: dict[Status, tuple[Any, ...]] = {
    Status.PLANNED: (planned(),),
    Status.PREPARED: (planned(), prepared),
    Status.IN_PROGRESS: conducted,
    Status.FIELDWORK_DONE: fieldwork_done,
    Status.REPORTED: reported,
    Status.FOLLOW_UP: in_follow_up,
    Status.CLOSED: (*in_follow_up, Closed()),
    Status.POSTPONED: (planned(), Postponed(reason="Migration")),
    Status.CANCELLED: (planned(), Cancelled(reason="Sold", approver="a-okafor")),
}
STEPS: tuple[Any, ...] = (
    Plan(plan=ERP_AUDIT, lead="j-weiss"),
    Revise(plan=replace(ERP_AUDIT, title="ERP")),
    ChangeTeam(lead="j-weiss", reason="As before"),
    Prepare(),
    Start(),
    RecordResult(criterion=SLM, outcome=Verdict.CONFORM, evidence=(LOGBOOK,)),
    CompleteFieldwork(),
    IssueReport(recipients=("h-lindqvist",), summary="Fine"),
    CorrectReport(recipients=("h-lindqvist",), summary="Fine", reason="Typing error"),
    AcknowledgeReport(),
    BeginFollowUp(),
    Close(),
    Postpone(reason="Migration"),
    Resume(starts_on=date(2026, 5, 4), ends_on=date(2026, 5, 8)),
    Cancel(reason="Sold"),
)
ALL_FACTS = {**knowing_duties(WEISS_AUDITS), **left_by_earlier_audits(ERP_AUDIT), **NOTHING_FOUND}


@pytest.mark.parametrize("status", HISTORIES)
@pytest.mark.parametrize("step", STEPS, ids=lambda step: type(step).__name__)
def test_each_step_is_taken_in_its_turn_and_in_no_other(status: Status, step: Any) -> None:
    actor = "a-okafor" if isinstance(step, Cancel) else "h-lindqvist" if step == AcknowledgeReport() else "j-weiss"
    outcome = given(*HISTORIES[status]).acting(actor).knowing(ALL_FACTS).when(step)
    if status in TURN[type(step)]:
        assert outcome.refusal is None
    else:
        outcome.then_refused(f"AUD-1 is {status}", rule="A-05", status=409)


def test_the_way_from_plan_to_closure_has_seven_stations() -> None:
    audit = given().knowing(ALL_FACTS)
    way = [Plan(plan=ERP_AUDIT, lead="j-weiss"), Prepare(), Start()]
    way += [RecordResult(criterion=each, outcome=Verdict.CONFORM, evidence=(LOGBOOK,)) for each in ERP_AUDIT.criteria]
    way += [CompleteFieldwork(), IssueReport(recipients=("h-lindqvist",), summary="Fine"), BeginFollowUp(), Close()]
    history: list[Any] = []
    stations: dict[Status, None] = {}
    for step in way:
        outcome = audit(*history).when(step)
        stations[outcome.state.status] = None
        history += outcome.events
    assert list(stations) == [
        "planned",
        "prepared",
        "in_progress",
        "fieldwork_done",
        "reported",
        "follow_up",
        "closed",
    ]


def test_nothing_happens_to_an_audit_that_does_not_exist() -> None:
    given().when(CompleteFieldwork()).then_refused("no such audit", status=404)


def test_a_postponed_audit_is_prepared_anew() -> None:
    postponed = (planned(), prepared, Postponed(reason="Migration"))
    resumed = given(*postponed).knowing(ALL_FACTS).when(Resume(starts_on=date(2026, 5, 4), ends_on=date(2026, 5, 8)))
    assert resumed.state.status is Status.PLANNED
    assert resumed.state.plan.starts_on == date(2026, 5, 4)


def test_a_cancellation_is_approved_by_somebody_other_than_the_lead() -> None:
    given(planned()).when(Cancel(reason="No time")).then_refused("somebody else approves", rule="A-05", status=403)
    cancelled = Cancelled(reason="Services sold", approver="a-okafor")
    given(planned()).acting("a-okafor").when(Cancel(reason="Services sold")).then(cancelled)


def test_a_result_rests_on_evidence_that_can_be_what_it_says() -> None:
    during = given(planned(), prepared, started)
    during.when(RecordResult(criterion=SLM, outcome=Verdict.CONFORM, evidence=(LOGBOOK,))).then(result(SLM))
    for outcome in (Verdict.CONFORM, Verdict.FINDING):
        bare = RecordResult(criterion=SLM, outcome=outcome)
        during.when(bare).then_refused("on what evidence", rule="A-09", status=422)
    for flaw, said in [
        (replace(LOGBOOK, sample_size=32), "sample of 32 out of 31"),
        (replace(LOGBOOK, collected_at=datetime(2026, 4, 20, 7, 0, 1, tzinfo=UTC)), "in the future"),
        (replace(LOGBOOK, effective_from=date(2026, 4, 2), effective_to=date(2026, 4, 1)), "before it begins"),
    ]:
        flawed = RecordResult(criterion=SLM, outcome=Verdict.CONFORM, evidence=(flaw,))
        during.when(flawed).then_refused(said, rule="A-09", status=422)


def test_what_was_not_audited_has_a_reason() -> None:
    during = given(planned(), prepared, started)
    silent = RecordResult(criterion=SLM, outcome=Verdict.NOT_AUDITED)
    during.when(silent).then_refused("say why", rule="A-05", status=422)
    reasoned = RecordResult(criterion=SLM, outcome=Verdict.NOT_AUDITED, reason="Process owner absent")
    assert during.when(reasoned).state.results[0].reason == "Process owner absent"


def test_results_are_recorded_by_the_team_and_for_the_criteria_of_the_audit() -> None:
    during = given(planned(), prepared, started)
    conform = RecordResult(criterion=SLM, outcome=Verdict.CONFORM, evidence=(LOGBOOK,))
    during.acting("l-brandt").when(conform).then_refused("not on the team", rule="A-06", status=403)
    same_number_of_another_edition = replace(SLM, edition="2011")
    elsewhere = replace(conform, criterion=same_number_of_another_edition)
    during.when(elsewhere).then_refused("not among the criteria", rule="A-05", status=409)


def test_what_is_stored_reads_back_as_it_was() -> None:
    history = (*in_follow_up, ReportAcknowledged(revision=1, by="h-lindqvist"), Closed())
    codec = codec_of(audits)
    assert tuple(codec.decode(*codec.encode(each)) for each in history) == history
    state = audits.fold(history)
    assert state_from_json(audits, to_json(state)) == state
