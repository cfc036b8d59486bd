"""What earlier audits left is looked at, and an audit closes when its nonconformities are settled (A-14)."""

import pytest
from audits_at_meridian import (
    AVAILABILITY,
    ERP_AUDIT,
    ISSUE,
    NOTHING_FOUND,
    PROCESS_AUDIT,
    SLM,
    earlier,
    given,
    in_follow_up,
    item,
    left_by_earlier_audits,
    of_this_audit,
    planned,
    result,
    started,
    with_findings,
)

from audit_service.audits.commands import Close, Prepare
from audit_service.audits.events import Closed, FieldworkCompleted, Prepared
from audit_service.audits.needs import open_items
from audit_service.audits.state import Status
from audit_service.findings.state import Status as FindingStatus
from contracts.audit import Grade


def test_preparing_lists_open_items_and_previous_findings_of_the_scope() -> None:
    of_erp, of_mail = earlier("F-1", FindingStatus.ISSUED, "SVC-ERP"), earlier("F-2", FindingStatus.ISSUED, "SVC-MAIL")
    of_no_service, seen = (
        earlier("F-3", FindingStatus.DISPUTED, None),
        earlier("F-4", FindingStatus.VERIFIED, "SVC-ERP", "10.1"),
    )
    draft, dropped = earlier("F-5", FindingStatus.RAISED, "SVC-ERP"), earlier("F-6", FindingStatus.WITHDRAWN, "SVC-ERP")
    own = of_this_audit("F-7", FindingStatus.ISSUED)
    items = (item("CA-1", "SVC-ERP"), item("CA-2", "SVC-MAIL"), item("CA-3", None))
    left = left_by_earlier_audits(ERP_AUDIT, of_erp, of_mail, of_no_service, seen, draft, dropped, own)
    outcome = given(planned()).knowing({**left, open_items(): items}).when(Prepare())
    outcome.then(
        Prepared(
            previous_findings=(of_erp.id, seen.id, of_no_service.id),
            follow_up_items=(items[0].id, items[2].id),
        )
    )
    assert outcome.state.follow_up_items == (items[0].id, items[2].id)


def test_listed_items_are_concluded_before_the_report() -> None:
    listed, of_others = item("CA-101", "SVC-ERP"), item("CA-102", "SVC-MAIL")
    looking = Prepared(previous_findings=(), follow_up_items=(listed.id,))
    history = (planned(), looking, started, result(SLM), result(AVAILABILITY), FieldworkCompleted())
    open_ones = {**NOTHING_FOUND, open_items(): (listed, of_others)}
    given(*history).knowing(open_ones).when(ISSUE).then_refused("without a conclusion: CA-101", rule="A-14", status=409)
    concluded = {**NOTHING_FOUND, open_items(): (of_others,)}
    assert given(*history).knowing(concluded).when(ISSUE).state.status is Status.REPORTED


@pytest.mark.parametrize("status", [FindingStatus.ISSUED, FindingStatus.DISPUTED, FindingStatus.RAISED])
@pytest.mark.parametrize("grade", [Grade.MAJOR, Grade.MINOR])
def test_an_audit_stays_in_follow_up_until_each_nonconformity_is_settled(status: FindingStatus, grade: Grade) -> None:
    facts = with_findings(of_this_audit("F-1", FindingStatus.VERIFIED), of_this_audit("F-2", status, grade))
    outcome = given(*in_follow_up).knowing(facts).when(Close())
    outcome.then_refused("nonconformities that are not verified: F-2", rule="A-14", status=409)


def test_an_audit_closes_when_nonconformities_are_verified_or_withdrawn_whatever_was_merely_observed() -> None:
    facts = with_findings(
        of_this_audit("F-1", FindingStatus.VERIFIED, Grade.MAJOR),
        of_this_audit("F-2", FindingStatus.WITHDRAWN),
        of_this_audit("F-3", FindingStatus.ISSUED, Grade.OBSERVATION),
        of_this_audit("F-4", FindingStatus.ISSUED, Grade.OPPORTUNITY),
    )
    given(*in_follow_up).knowing(facts).when(Close()).then(Closed())


def test_a_scope_of_processes_alone_looks_at_the_earlier_findings_on_its_criteria_for_every_service() -> None:
    of_mail, elsewhere = (
        earlier("F-1", FindingStatus.ISSUED, "SVC-MAIL"),
        earlier("F-2", FindingStatus.ISSUED, "SVC-MAIL", "9.2"),
    )
    of_2011 = earlier("F-3", FindingStatus.ISSUED, None, edition="ISO/IEC 20000-1:2011")
    item_of_mail = item("CA-2", "SVC-MAIL")
    left = left_by_earlier_audits(PROCESS_AUDIT, of_mail, elsewhere, of_2011)
    facts = {**left, open_items(): (item_of_mail,)}
    given(planned(PROCESS_AUDIT)).knowing(facts).when(Prepare()).then(
        Prepared(previous_findings=(of_mail.id,), follow_up_items=(item_of_mail.id,))
    )
