"""Role assignments are dated facts (P-01)."""

from datetime import date

from hypothesis import given as for_all
from hypothesis import strategies as st

from audit_service.role_holders.aggregate import role_holder_id, role_holders
from audit_service.role_holders.domain import Assign, Assigned, End, Ended
from contracts.audit import RoleAssigned, RoleEnded
from duties import Assignment
from events.kernel import derived_id
from events.testing import scenarios

given = scenarios(role_holders, by="a-okafor", at="2026-01-12T09:00:00+01:00")

OPERATES_ERP = Assignment(
    assignment=derived_id("brandt operates erp"),
    person="l-brandt",
    role="service-operator",
    service="SVC-ERP",
    since=date(2024, 1, 1),
    until=None,
)
assigned = Assigned(assignment=OPERATES_ERP)
ended = Ended(assignment=OPERATES_ERP.assignment, until=date(2025, 11, 30), reason="Moved to internal audit")


def assign(since: date, until: date | None = None, service: str | None = "SVC-ERP") -> Assign:
    return Assign(person="l-brandt", role="service-operator", service=service, since=since, until=until)


def test_a_first_assignment_is_announced_with_its_days() -> None:
    outcome = given().when(assign(date(2024, 1, 1)))
    (duty,) = outcome.state.assignments
    assert outcome.state.person == "l-brandt"
    outcome.then_announced(
        RoleAssigned(
            assignment=duty.assignment,
            person="l-brandt",
            role="service-operator",
            service="SVC-ERP",
            since=date(2024, 1, 1),
            until=None,
        )
    )


def test_ending_names_the_last_day_and_tells_others_which_role_it_was() -> None:
    end = End(assignment=OPERATES_ERP.assignment, until=date(2025, 11, 30), reason="Moved to internal audit")
    told = RoleEnded(
        assignment=OPERATES_ERP.assignment,
        person="l-brandt",
        role="service-operator",
        service="SVC-ERP",
        until=date(2025, 11, 30),
    )
    given(assigned).when(end).then(ended).then_announced(told)
    given(assigned, ended).when(end).then()


def test_the_same_role_can_be_assigned_again_from_the_day_after_its_end() -> None:
    given(assigned, ended).when(assign(date(2025, 11, 30))).then_refused("already holds", rule="P-01", status=409)
    assert len(given(assigned, ended).when(assign(date(2025, 12, 1))).state.assignments) == 2


def test_a_role_that_is_still_held_is_not_assigned_twice_but_may_be_for_another_service() -> None:
    given(assigned).when(assign(date(2030, 1, 1))).then_refused("service-operator for SVC-ERP since 2024-01-01")
    assert len(given(assigned).when(assign(date(2030, 1, 1), service="SVC-NET")).state.assignments) == 2


def test_no_assignment_ends_before_it_begins() -> None:
    backwards = assign(date(2024, 1, 1), date(2023, 12, 31))
    given().when(backwards).then_refused("before the first", rule="P-01", status=422)
    too_early = End(assignment=OPERATES_ERP.assignment, until=date(2023, 12, 31), reason="Typing error")
    given(assigned).when(too_early).then_refused("before the first", rule="P-01", status=422)


def test_an_end_can_be_moved_forward_in_time_only_by_a_new_assignment() -> None:
    later = End(assignment=OPERATES_ERP.assignment, until=date(2026, 3, 31), reason="Stayed longer")
    given(assigned, ended).when(later).then_refused("assign the role anew", status=409)
    sooner = End(assignment=OPERATES_ERP.assignment, until=date(2025, 10, 31), reason="Left sooner")
    assert given(assigned, ended).when(sooner).state.assignments[0].until == date(2025, 10, 31)


def test_an_unknown_assignment_cannot_be_ended() -> None:
    stranger = End(assignment=derived_id("somebody else's"), until=date(2026, 1, 1), reason="Mistake")
    given(assigned).when(stranger).then_refused("no such assignment", status=404)


def test_one_person_has_one_stream_per_tenant() -> None:
    assert role_holder_id("meridian", "l-brandt") == role_holder_id("meridian", "l-brandt")
    assert role_holder_id("meridian", "l-brandt") != role_holder_id("halden", "l-brandt")


days = st.dates(date(2025, 1, 1), date(2025, 2, 28))


@for_all(st.lists(st.tuples(days, st.none() | days), max_size=12))
def test_whatever_is_asked_no_day_is_covered_twice_by_the_same_role(asked: list[tuple[date, date | None]]) -> None:
    history: list[Assigned] = []
    for since, until in asked:
        outcome = given(*history).when(assign(since, until))
        if outcome.refusal is None:
            history += outcome.events
    for day in (date(2025, month, at) for month in (1, 2) for at in range(1, 29)):
        assert sum(each.assignment.touches(day, day) for each in history) <= 1


def test_nobody_gives_or_takes_the_own_roles() -> None:
    end = End(assignment=OPERATES_ERP.assignment, until=date(2025, 11, 30), reason="Moved to internal audit")
    own = given(assigned).acting("l-brandt")
    own.when(end).then_refused("somebody else", rule="P-01", status=403)
    own.when(assign(date(2024, 1, 1), service=None)).then_refused("somebody else", rule="P-01", status=403)
