"""The plan of an audit and its team: complete before the start, free of contradictions (A-04)."""

from dataclasses import replace
from datetime import date
from typing import Any

import pytest
from audits_at_meridian import ERP_AUDIT, WEISS_AUDITS, given, knowing_duties, planned, prepared

from audit_service.audits.commands import ChangeTeam, Plan, Revise, Start
from audit_service.audits.events import Revised, TeamChanged
from audit_service.audits.needs import NUMBER
from audit_service.audits.values import AuditPlan


def test_an_audit_starts_only_with_a_complete_plan_and_says_all_that_is_missing() -> None:
    bare = AuditPlan(title="Something", zone="Europe/Berlin")
    outcome = given(planned(bare, None), prepared).when(Start())
    outcome.then_refused("cannot start without objectives", rule="A-04", status=409)
    assert outcome.refusal is not None
    assert outcome.refusal.members["missing"] == [
        "objectives",
        "criteria",
        "scope",
        "period",
        "method",
        "dates",
        "lead",
    ]


@pytest.mark.parametrize(
    ("gap", "missing"),
    [
        ({"objectives": ()}, "objectives"),
        ({"criteria": ()}, "criteria"),
        ({"scope": replace(ERP_AUDIT.scope, services=())}, "scope"),
        ({"scope": replace(ERP_AUDIT.scope, period_to=None)}, "period"),
        ({"method": None}, "method"),
        ({"starts_on": None}, "dates"),
    ],
)
def test_no_part_of_the_plan_may_be_empty_at_the_start(gap: dict[str, Any], missing: str) -> None:
    facts = knowing_duties(WEISS_AUDITS)
    incomplete = planned(replace(ERP_AUDIT, **gap))
    given(incomplete, prepared).knowing(facts).when(Start()).then_refused(f"without {missing}", rule="A-04")


def test_a_plan_that_contradicts_itself_is_refused() -> None:
    facts = knowing_duties(WEISS_AUDITS)
    backwards = replace(ERP_AUDIT, ends_on=date(2026, 4, 19))
    given().knowing(facts).when(Plan(plan=backwards, lead="j-weiss")).then_refused("before it starts", status=422)
    period = replace(ERP_AUDIT, scope=replace(ERP_AUDIT.scope, period_to=date(2025, 3, 31)))
    given(planned()).knowing(facts).when(Revise(plan=period)).then_refused("before it begins", rule="A-04", status=422)
    for_ever = replace(ERP_AUDIT, look_back_months=121)
    given().knowing(facts).when(Plan(plan=for_ever, lead="j-weiss")).then_refused("120 months at most", status=422)


def test_the_number_comes_from_its_series() -> None:
    facts = {NUMBER: 17, **knowing_duties(WEISS_AUDITS)}
    assert given().knowing(facts).when(Plan(plan=ERP_AUDIT, lead="j-weiss")).state.number == "AUD-17"


def test_the_team_changes_with_a_reason_and_names_nobody_twice() -> None:
    change = ChangeTeam(lead="j-weiss", members=("t-keller", "j-weiss", "t-keller"), reason="More hands")
    changed = TeamChanged(lead="j-weiss", members=("t-keller",), reason="More hands")
    outcome = given(planned()).knowing(knowing_duties(WEISS_AUDITS)).when(change).then(changed)
    assert outcome.state.team == ("j-weiss", "t-keller")


def test_revising_to_the_same_plan_changes_nothing() -> None:
    facts = knowing_duties(WEISS_AUDITS)
    given(planned()).knowing(facts).when(Revise(plan=ERP_AUDIT)).then()
    other = replace(ERP_AUDIT, title="ERP operations and support")
    given(planned()).knowing(facts).when(Revise(plan=other)).then(Revised(plan=other))
