"""The report of an audit: what must stand before it is issued, its revisions, who acknowledges them (A-10, A-13)."""

from datetime import datetime
from typing import Any

import pytest
from audits_at_meridian import (
    AVAILABILITY,
    ISSUE,
    LOGBOOK,
    NOTHING_FOUND,
    SLM,
    fieldwork_done,
    given,
    in_follow_up,
    of_this_audit,
    planned,
    prepared,
    report,
    reported,
    result,
    started,
    with_findings,
)

from audit_service.audits.aggregate import audits
from audit_service.audits.commands import AcknowledgeReport, CorrectReport, IssueReport, RecordResult
from audit_service.audits.events import Closed, FieldworkCompleted, ReportAcknowledged, ReportIssued
from audit_service.audits.state import Status
from audit_service.audits.values import Verdict
from audit_service.findings.state import Status as FindingStatus
from contracts.audit import AuditReported, Grade


def test_an_audit_is_reported_only_with_a_result_for_each_criterion() -> None:
    half_done = (planned(), prepared, started, result(SLM), FieldworkCompleted())
    outcome = given(*half_done).knowing(NOTHING_FOUND).when(ISSUE)
    outcome.then_refused("without a result: ISO/IEC 20000-1:2018 8.7.1", rule="A-05", status=409)
    late = given(*half_done).when(RecordResult(criterion=AVAILABILITY, outcome=Verdict.CONFORM, evidence=(LOGBOOK,)))
    assert given(*half_done, *late.events).knowing(NOTHING_FOUND).when(ISSUE).state.status is Status.REPORTED


def test_the_report_names_recipients_date_and_standing_findings_and_is_announced() -> None:
    issued, draft = of_this_audit("F-1", FindingStatus.ISSUED), of_this_audit("F-2", FindingStatus.RAISED)
    withdrawn, disputed = of_this_audit("F-3", FindingStatus.WITHDRAWN), of_this_audit("F-4", FindingStatus.DISPUTED)
    judged = given(*fieldwork_done, result(SLM, Verdict.FINDING))
    with_a_draft = judged.knowing(with_findings(issued, draft)).when(ISSUE)
    with_a_draft.then_refused("neither issued nor withdrawn: F-2", rule="A-13", status=409)
    outcome = judged.knowing(with_findings(issued, withdrawn, disputed)).when(ISSUE)
    outcome.then_announced(
        AuditReported(
            number="AUD-1", revision=1, recipients=("h-lindqvist", "m-ruiz"), findings=(issued.id, disputed.id)
        )
    )
    (first,) = outcome.state.reports
    assert first.issued_at == datetime.fromisoformat("2026-04-20T09:00:00+02:00")
    assert first.issued_by == "j-weiss"


def test_a_report_to_nobody_is_none() -> None:
    to_nobody = IssueReport(recipients=(), summary="Fine")
    given(*fieldwork_done).knowing(NOTHING_FOUND).when(to_nobody).then_refused("somebody", rule="A-13", status=422)


def test_a_result_that_speaks_of_a_finding_needs_one() -> None:
    judged = (planned(), prepared, started, result(SLM, Verdict.FINDING), result(AVAILABILITY), FieldworkCompleted())
    outcome = given(*judged).knowing(NOTHING_FOUND).when(ISSUE)
    outcome.then_refused("no finding stands: ISO/IEC 20000-1:2018 8.3.3", rule="A-10", status=409)
    elsewhere = of_this_audit("F-1", FindingStatus.ISSUED, clause="8.7.1")
    given(*judged).knowing(with_findings(elsewhere)).when(ISSUE).then_refused("no finding stands", rule="A-10")
    taken_back = of_this_audit("F-1", FindingStatus.WITHDRAWN)
    given(*judged).knowing(with_findings(taken_back)).when(ISSUE).then_refused("no finding stands", rule="A-10")
    on_it = of_this_audit("F-1", FindingStatus.ISSUED)
    assert given(*judged).knowing(with_findings(on_it)).when(ISSUE).state.status is Status.REPORTED


@pytest.mark.parametrize("status", [FindingStatus.ISSUED, FindingStatus.DISPUTED, FindingStatus.VERIFIED])
@pytest.mark.parametrize("grade", [Grade.MAJOR, Grade.MINOR])
def test_what_was_judged_to_conform_has_no_nonconformity_that_stands(status: FindingStatus, grade: Grade) -> None:
    facts = with_findings(of_this_audit("F-1", status, grade))
    outcome = given(*fieldwork_done).knowing(facts).when(ISSUE)
    outcome.then_refused(
        "judged to conform, but a nonconformity stands: ISO/IEC 20000-1:2018 8.3.3", rule="A-10", status=409
    )


def test_what_conforms_may_have_been_observed_upon_and_a_nonconformity_may_have_been_taken_back() -> None:
    facts = with_findings(
        of_this_audit("F-1", FindingStatus.WITHDRAWN, Grade.MAJOR),
        of_this_audit("F-2", FindingStatus.ISSUED, Grade.OBSERVATION),
        of_this_audit("F-3", FindingStatus.ISSUED, Grade.STRENGTH),
        of_this_audit("F-4", FindingStatus.ISSUED, Grade.MAJOR, clause="10.1"),
    )
    assert given(*fieldwork_done).knowing(facts).when(ISSUE).state.status is Status.REPORTED


def test_the_last_word_on_a_criterion_counts() -> None:
    judged_anew = (*fieldwork_done, result(SLM, Verdict.FINDING))
    on_it = with_findings(of_this_audit("F-1", FindingStatus.ISSUED))
    assert given(*judged_anew).knowing(on_it).when(ISSUE).state.status is Status.REPORTED
    given(*judged_anew).knowing(NOTHING_FOUND).when(ISSUE).then_refused("no finding stands", rule="A-10")
    and_back = (*judged_anew, result(SLM, Verdict.CONFORM))
    assert given(*and_back).knowing(NOTHING_FOUND).when(ISSUE).state.status is Status.REPORTED


def test_an_issued_report_stays_and_its_correction_is_the_next_revision() -> None:
    given(*reported).knowing(NOTHING_FOUND).when(ISSUE).then_refused("AUD-1 is reported", rule="A-05", status=409)
    correction = CorrectReport(recipients=("h-lindqvist",), summary="Two minor ones", reason="One was left out")
    outcome = given(*in_follow_up).at("2026-04-30T09:00:00+02:00").knowing(NOTHING_FOUND).when(correction)
    first, second = outcome.state.reports
    assert first == report()
    assert (second.revision, second.correction) == (2, "One was left out")
    assert outcome.state.status is Status.FOLLOW_UP


def test_recipients_acknowledge_the_latest_revision_once() -> None:
    outcome = given(*reported).acting("h-lindqvist").when(AcknowledgeReport())
    outcome.then(ReportAcknowledged(revision=1, by="h-lindqvist"))
    assert outcome.state.reports[0].acknowledged_by == ("h-lindqvist",)
    given(*reported, *outcome.events).acting("h-lindqvist").when(AcknowledgeReport()).then()
    given(*reported).acting("m-ruiz").when(AcknowledgeReport()).then_refused("not among", rule="A-13", status=403)


def test_each_revision_is_acknowledged_by_those_to_whom_it_was_issued_the_latest_if_none_is_named() -> None:
    corrected = ReportIssued(report=report(2, "m-ruiz", at="2026-04-30T09:00:00+02:00"))
    of_lindqvist = given(*reported, corrected).acting("h-lindqvist")
    of_lindqvist.when(AcknowledgeReport()).then_refused("recipients of revision 2", rule="A-13", status=403)
    first = of_lindqvist.when(AcknowledgeReport(revision=1)).then(ReportAcknowledged(revision=1, by="h-lindqvist"))
    assert [each.acknowledged_by for each in first.state.reports] == [("h-lindqvist",), ()]
    of_ruiz = given(*reported, corrected).acting("m-ruiz")
    of_ruiz.when(AcknowledgeReport()).then(ReportAcknowledged(revision=2, by="m-ruiz"))
    of_ruiz.when(AcknowledgeReport(revision=1)).then_refused("recipients of revision 1", rule="A-13", status=403)
    for unknown in (0, 3):
        missing = of_ruiz.when(AcknowledgeReport(revision=unknown))
        missing.then_refused(f"no revision {unknown}", rule="A-13", status=404)


def test_a_second_correction_of_the_report_is_the_third_revision_and_is_acknowledged_anew() -> None:
    facts = NOTHING_FOUND
    correct = CorrectReport(recipients=("h-lindqvist", "m-ruiz"), summary="Two minor ones", reason="One was left out")
    history: tuple[Any, ...] = (*in_follow_up, ReportAcknowledged(revision=1, by="h-lindqvist"), Closed())
    for _ in range(2):
        history = (*history, *given(*history).knowing(facts).when(correct).events)
    audit = audits.fold(history)
    assert [(each.revision, each.summary, each.acknowledged_by) for each in audit.reports] == [
        (1, "One minor nonconformity", ("h-lindqvist",)),
        (2, "Two minor ones", ()),
        (3, "Two minor ones", ()),
    ]
    assert audit.status is Status.CLOSED
    given(*history).acting("m-ruiz").when(AcknowledgeReport()).then(ReportAcknowledged(revision=3, by="m-ruiz"))
