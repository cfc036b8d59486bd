"""Nobody audits what they are or were involved in, nor an action of theirs (A-06); scenario 2."""

from dataclasses import replace
from datetime import date

import pytest
from audits_at_meridian import (
    BRANDT_OPERATED_ERP,
    ERP_AUDIT,
    LOGBOOK,
    PROCESS_AUDIT,
    SLM,
    WEISS_AUDITS,
    WEISS_DEPUTY,
    conducted,
    duty,
    given,
    item,
    knowing_duties,
    planned,
    prepared,
    started,
)
from hypothesis import given as for_all
from hypothesis import strategies as st

from audit_service.audits.commands import ChangeTeam, Plan, RecordResult, Resume, Revise, Start
from audit_service.audits.events import Postponed, Resumed
from audit_service.audits.independence import INVOLVED, months_before
from audit_service.audits.needs import open_items
from audit_service.audits.state import Status
from audit_service.audits.values import Scope, Verdict


def test_who_operated_a_service_within_the_look_back_cannot_be_assigned_to_its_audit() -> None:
    facts = knowing_duties(BRANDT_OPERATED_ERP, WEISS_AUDITS)
    outcome = given().at("2026-03-02T10:00:00+01:00").knowing(facts).when(Plan(plan=ERP_AUDIT, lead="l-brandt"))
    outcome.then_refused("service-operator for SVC-ERP since 2024-01-01 until 2025-11-30", rule="A-06", status=409)
    assert outcome.refusal is not None
    assert outcome.refusal.members == {
        "rule": "A-06",
        "person": "l-brandt",
        "role": "service-operator",
        "service": "SVC-ERP",
        "since": date(2024, 1, 1),
        "until": date(2025, 11, 30),
    }
    change = ChangeTeam(lead="j-weiss", members=("l-brandt",), reason="More hands")
    given(planned()).knowing(facts).when(change).then_refused("l-brandt cannot audit SVC-ERP", rule="A-06", status=409)


def test_an_auditor_without_a_duty_for_the_service_is_accepted() -> None:
    facts = knowing_duties(BRANDT_OPERATED_ERP, WEISS_AUDITS)
    outcome = given().at("2026-03-02T10:00:00+01:00").knowing(facts).when(Plan(plan=ERP_AUDIT, lead="j-weiss"))
    outcome.then(planned())
    assert outcome.state.status is Status.PLANNED


def test_a_duty_taken_on_after_the_assignment_blocks_the_start() -> None:
    at_start = given(planned(), prepared).at("2026-04-20T09:00:00+02:00")
    at_start.knowing(knowing_duties(WEISS_AUDITS)).when(Start()).then(started)
    blocked = at_start.knowing(knowing_duties(WEISS_AUDITS, WEISS_DEPUTY)).when(Start())
    blocked.then_refused("deputy-service-owner for SVC-ERP since 2026-04-18", rule="A-06", status=409)


@pytest.mark.parametrize(
    ("last_day", "independent"), [(date(2025, 4, 19), True), (date(2025, 4, 20), False), (date(2025, 4, 21), False)]
)
def test_the_look_back_ends_on_the_same_day_twelve_months_before_the_start(last_day: date, independent: bool) -> None:
    facts = knowing_duties(replace(BRANDT_OPERATED_ERP, until=last_day))
    outcome = given().knowing(facts).when(Plan(plan=ERP_AUDIT, lead="l-brandt"))
    assert (outcome.refusal is None) is independent


def test_a_shorter_look_back_lets_the_former_operator_in() -> None:
    """Six months before 2026-04-20 is 2025-10-20; four is 2025-12-20, after the last day of the duty."""
    facts = knowing_duties(BRANDT_OPERATED_ERP)
    with_six = Plan(plan=replace(ERP_AUDIT, look_back_months=6), lead="l-brandt")
    given().knowing(facts).when(with_six).then_refused("look-back of 6 months", rule="A-06")
    with_four = Plan(plan=replace(ERP_AUDIT, look_back_months=4), lead="l-brandt")
    assert given().knowing(facts).when(with_four).state.lead == "l-brandt"


def test_a_duty_that_begins_during_the_audit_is_a_conflict_already_when_it_is_planned() -> None:
    during = duty("j-weiss", "service-manager", date(2026, 4, 24))
    after = duty("j-weiss", "service-manager", date(2026, 4, 25))
    plan = Plan(plan=ERP_AUDIT, lead="j-weiss")
    given().knowing(knowing_duties(during)).when(plan).then_refused("since 2026-04-24", rule="A-06")
    assert given().knowing(knowing_duties(after)).when(plan).state.lead == "j-weiss"


def test_a_role_for_all_services_counts_for_each_and_the_customer_or_auditor_is_not_involved() -> None:
    plan = Plan(plan=ERP_AUDIT, lead="j-weiss")
    for role in sorted(INVOLVED):
        facts = knowing_duties(duty("j-weiss", role, date(2020, 1, 1), service=None))
        given().knowing(facts).when(plan).then_refused(f"{role} for all services", rule="A-06")
    for role in ("auditor", "customer-representative", "audit-programme-manager"):
        facts = knowing_duties(duty("j-weiss", role, date(2020, 1, 1)))
        assert given().knowing(facts).when(plan).state.lead == "j-weiss"


def test_a_wider_scope_or_new_dates_are_looked_at_as_an_assignment() -> None:
    mail_audit = replace(ERP_AUDIT, scope=replace(ERP_AUDIT.scope, services=("SVC-MAIL",)))
    facts = knowing_duties(BRANDT_OPERATED_ERP)
    of_brandt = planned(mail_audit, "l-brandt")
    given(of_brandt).knowing(facts).when(Revise(plan=ERP_AUDIT)).then_refused("service-operator", rule="A-06")
    again = Resume(starts_on=date(2026, 11, 30), ends_on=date(2026, 12, 4))
    postponed = (planned(lead="l-brandt"), Postponed(reason="Year end"))
    given(*postponed).knowing(facts).when(again).then_refused("service-operator", rule="A-06")
    a_day_later = Resume(starts_on=date(2026, 12, 1), ends_on=date(2026, 12, 4))
    given(*postponed).knowing(facts).when(a_day_later).then(
        Resumed(starts_on=date(2026, 12, 1), ends_on=date(2026, 12, 4))
    )


def test_who_owns_an_action_that_the_audit_follows_up_is_neither_assigned_to_it_nor_starts_it() -> None:
    of_weiss, of_mail = item("CA-101", "SVC-ERP", "j-weiss"), item("CA-102", "SVC-MAIL", "t-keller")
    facts = {**knowing_duties(WEISS_AUDITS), open_items(): (of_weiss, of_mail)}
    plan = Plan(plan=ERP_AUDIT, lead="j-weiss")
    outcome = given().knowing(facts).when(plan)
    outcome.then_refused("j-weiss owns CA-101, which this audit follows up", rule="A-06", status=409)
    assert outcome.refusal is not None
    assert outcome.refusal.members == {
        "rule": "A-06",
        "person": "j-weiss",
        "corrective_action": "CA-101",
        "service": "SVC-ERP",
    }
    given(planned(), prepared).knowing(facts).when(Start()).then_refused("owns CA-101", rule="A-06", status=409)
    of_keller = given(planned(ERP_AUDIT, "t-keller"), prepared).knowing(facts)
    of_keller.when(Start()).then(started)  # CA-102 concerns SVC-MAIL, which is not in scope
    both = replace(ERP_AUDIT, scope=replace(ERP_AUDIT.scope, services=("SVC-ERP", "SVC-MAIL")))
    given(planned(ERP_AUDIT, "t-keller")).knowing(facts).when(Revise(plan=both)).then_refused(
        "owns CA-102", rule="A-06"
    )


def test_an_action_for_no_single_service_or_a_scope_without_services_concerns_every_audit() -> None:
    general = {**knowing_duties(), open_items(): (item("CA-103", None, "j-weiss"),)}
    given().knowing(general).when(Plan(plan=ERP_AUDIT, lead="j-weiss")).then_refused("owns CA-103", rule="A-06")
    of_mail = {**knowing_duties(), open_items(): (item("CA-104", "SVC-MAIL", "j-weiss"),)}
    given().knowing(of_mail).when(Plan(plan=PROCESS_AUDIT, lead="j-weiss")).then_refused("owns CA-104", rule="A-06")
    assert given().knowing(of_mail).when(Plan(plan=ERP_AUDIT, lead="j-weiss")).refusal is None


def test_nobody_judges_by_evidence_of_their_own_making() -> None:
    during = given(planned(ERP_AUDIT, "j-weiss", "t-keller"), prepared, started)
    for person in ("j-weiss", "t-keller"):
        own = RecordResult(criterion=SLM, outcome=Verdict.CONFORM, evidence=(replace(LOGBOOK, prepared_by=person),))
        refused = during.when(own)
        refused.then_refused(f"{person} prepared Operations log 2026-03", rule="A-06", status=409)
    theirs = replace(LOGBOOK, prepared_by="l-brandt")
    judged = during.when(RecordResult(criterion=SLM, outcome=Verdict.CONFORM, evidence=(theirs,)))
    assert judged.state.results[0].evidence == (theirs,)
    joins = ChangeTeam(lead="j-weiss", members=("l-brandt",), reason="More hands")
    late = given(planned(), prepared, started, *judged.events).knowing(knowing_duties())
    late.when(joins).then_refused("l-brandt prepared Operations log 2026-03", rule="A-06", status=409)


@for_all(st.dates(date(1995, 1, 1), date(2150, 1, 1)), st.integers(0, 120))
def test_months_before_is_the_same_day_or_the_last_of_its_month(day: date, months: int) -> None:
    earlier = months_before(day, months)
    assert (day.year * 12 + day.month) - (earlier.year * 12 + earlier.month) == months
    assert earlier.day == day.day or (earlier.day < day.day and months_before(day, months).day >= 28)


def test_a_scope_of_processes_alone_reaches_every_service() -> None:
    """Who manages service levels cannot audit service level management, for whichever service that is."""
    plan = Plan(plan=PROCESS_AUDIT, lead="j-weiss")
    for service in (None, "SVC-NET"):
        facts = knowing_duties(duty("j-weiss", "service-level-manager", date(2024, 1, 1), service=service))
        given().knowing(facts).when(plan).then_refused("service-level-manager", rule="A-06", status=409)
    assert given().knowing(knowing_duties(WEISS_AUDITS)).when(plan).state.lead == "j-weiss"
    nowhere = replace(PROCESS_AUDIT, scope=Scope())
    facts = knowing_duties(BRANDT_OPERATED_ERP)
    assert given().knowing(facts).when(Plan(plan=nowhere, lead="l-brandt")).refusal is None, "nothing is in scope yet"


@pytest.mark.parametrize(
    ("starts", "months", "last_day", "independent"),
    [
        (date(2028, 2, 29), 12, date(2027, 2, 27), True),  # twelve months before is 28 February 2027
        (date(2028, 2, 29), 12, date(2027, 2, 28), False),
        (date(2029, 2, 28), 12, date(2028, 2, 28), False),  # and before 28 February 2029 it is the 28th, not the 29th
        (date(2029, 2, 28), 12, date(2028, 2, 27), True),
        (date(2026, 8, 31), 6, date(2026, 2, 28), False),  # six months before 31 August there are 28 days
        (date(2026, 8, 31), 6, date(2026, 2, 27), True),
        (date(2026, 8, 31), 0, date(2026, 8, 31), False),  # without a look-back: who is in office on that day
        (date(2026, 8, 31), 0, date(2026, 8, 30), True),
    ],
)
def test_the_look_back_ends_on_a_day_that_there_is(
    starts: date, months: int, last_day: date, independent: bool
) -> None:
    plan = replace(ERP_AUDIT, starts_on=starts, ends_on=starts, look_back_months=months)
    facts = knowing_duties(replace(BRANDT_OPERATED_ERP, until=last_day))
    on_that_day = given().at(f"{starts}T09:00:00+02:00").knowing(facts)
    assert (on_that_day.when(Plan(plan=plan, lead="l-brandt")).refusal is None) is independent


def test_whoever_joins_an_audit_that_takes_longer_is_looked_at_until_that_day() -> None:
    """Planned until 24 April; on 4 May T. Keller, who manages the service since 1 May, is to join."""
    facts = knowing_duties(duty("t-keller", "service-manager", date(2026, 5, 1)))
    joins = ChangeTeam(lead="j-weiss", members=("t-keller",), reason="More hands")
    late = given(*conducted).at("2026-05-04T09:00:00+02:00").knowing(facts)
    late.when(joins).then_refused("service-manager for SVC-ERP since 2026-05-01", rule="A-06")
    assert given(*conducted).knowing(facts).when(joins).refusal is None
