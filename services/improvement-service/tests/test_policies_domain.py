"""A policy is a versioned object; what happened is judged by the version of that time."""

from dataclasses import replace
from datetime import UTC, datetime

from contracts.audit import Grade
from contracts.improvement import Source, SourceKind
from events.kernel import derived_id
from events.testing import scenarios
from improvement_service.policies.aggregate import policies
from improvement_service.policies.domain import Adopt, Adopted
from improvement_service.policies.rules import DEFAULT, Call, Grouping, Occasion, Priority, Rule, Step

given = scenarios(policies, by="p-cio", at="2026-02-20T09:00:00+01:00")
STRICTER = replace(
    DEFAULT,
    rules=(
        Rule(kind=SourceKind.FINDING, call=Call(priority=Priority.CRITICAL, due_days=30, owner_role="cio")),
        *DEFAULT.rules,
    ),
)
ADOPTED = Adopted(
    version=1,
    since=datetime.fromisoformat("2026-02-20T09:00:00+01:00"),
    policy=STRICTER,
    reason="management review",
    by="p-cio",
)


def finding(grade: Grade, clause: str) -> Occasion:
    source = Source(kind=SourceKind.FINDING, id=derived_id("f"), label="F-1", service="SVC-MAIL", clause=clause)
    at = datetime(2026, 2, 12, 9, tzinfo=UTC)
    return Occasion(source=source, event=derived_id("e"), at=at, summary="no SLA", grade=grade)


def test_a_policy_is_in_force_without_any_set_up_and_a_change_keeps_every_version() -> None:
    outcome = given().when(Adopt(policy=STRICTER, reason="management review")).then(ADOPTED)
    assert [each.version for each in outcome.state.versions] == [0, 1]
    before, after = datetime(2026, 2, 20, 7, 59, 59, tzinfo=UTC), datetime(2026, 2, 20, 8, tzinfo=UTC)
    assert outcome.state.in_force(before).policy == DEFAULT
    assert outcome.state.in_force(after).policy == STRICTER


def test_the_same_policy_again_is_no_new_version() -> None:
    given(ADOPTED).when(Adopt(policy=STRICTER, reason="again")).then()


def test_the_first_rule_that_matches_decides_and_a_clause_stands_for_its_sub_clauses() -> None:
    assert DEFAULT.call_for(finding(Grade.MAJOR, "8.3.3")) == Call(
        priority=Priority.HIGH, due_days=90, owner_role="service-level-manager"
    )
    assert DEFAULT.call_for(finding(Grade.MAJOR, "8.3.3.1")).owner_role == "service-level-manager"  # type: ignore[union-attr]
    assert DEFAULT.call_for(finding(Grade.MAJOR, "8.3.31")).owner_role == "process-owner"  # type: ignore[union-attr]


def test_a_rule_may_ask_for_nothing() -> None:
    lenient = replace(DEFAULT, rules=(Rule(kind=SourceKind.FINDING, clause="7.5", call=None), *DEFAULT.rules))
    assert lenient.call_for(finding(Grade.MAJOR, "7.5.2")) is None
    assert lenient.call_for(finding(Grade.MAJOR, "8.3.3")) is not None


def test_an_observation_never_forces_an_action_not_even_by_a_rule_for_all_findings() -> None:
    for grade in (Grade.OBSERVATION, Grade.OPPORTUNITY, Grade.STRENGTH):
        assert STRICTER.call_for(finding(grade, "8.3.3")) is None
    rule = Rule(kind=SourceKind.FINDING, grade=Grade.OBSERVATION, call=STRICTER.rules[0].call)
    adopt = Adopt(policy=replace(DEFAULT, rules=(rule,)), reason="more")
    given().when(adopt).then_refused("never forces", rule="A-10", status=422)


def test_a_ladder_goes_up_and_each_rung_has_its_own_name() -> None:
    down = replace(DEFAULT, ladder=(Step(key="late", days=7), Step(key="owner", days=0)))
    given().when(Adopt(policy=down, reason="oops")).then_refused("follow one another", rule="C-11", status=422)
    twins = replace(DEFAULT, ladder=(Step(key="owner", days=0), Step(key="owner", days=7)))
    given().when(Adopt(policy=twins, reason="oops")).then_refused("same key", rule="C-11", status=422)


def test_sources_meet_by_clause_or_by_service_where_they_have_one() -> None:
    source = finding(Grade.MAJOR, "8.3.3").source
    assert DEFAULT.group_of(source) == ""
    assert replace(DEFAULT, grouping=Grouping.CLAUSE).group_of(source) == "clause:8.3.3"
    assert replace(DEFAULT, grouping=Grouping.SERVICE).group_of(source) == "service:SVC-MAIL"
    assert replace(DEFAULT, grouping=Grouping.CLAUSE).group_of(replace(source, clause=None)) == ""
