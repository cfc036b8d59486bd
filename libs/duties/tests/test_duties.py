"""Duties are dated facts, learnt from the audit service in any order of persons."""

from datetime import UTC, date, datetime
from itertools import pairwise
from typing import Any
from uuid import UUID

from hypothesis import given as for_all
from hypothesis import strategies as st

from contracts.audit import RoleAssigned, RoleEnded
from duties import (
    Assignment,
    Duties,
    Roster,
    duties_id,
    held,
    held_within,
    holder,
    holders,
    known_duties,
    roster_id,
)
from duties.features import features
from duties.known import EndLearnt, Learn, LearnEnd, Learnt
from events.kernel import News, derived_id
from events.testing import scenarios

given = scenarios(known_duties, at="2026-04-20T09:00:00+02:00")


def duty(person: str, role: str, service: str | None, since: date, until: date | None = None) -> Assignment:
    name = derived_id(person, role, service, since)
    return Assignment(assignment=name, person=person, role=role, service=service, since=since, until=until)


OPERATED_ERP = duty("l-brandt", "service-operator", "SVC-ERP", date(2024, 1, 1), date(2025, 11, 30))
CIO = duty("h-lindqvist", "cio", None, date(2023, 5, 1))


def test_a_duty_is_held_on_its_first_and_its_last_day_but_not_on_the_next() -> None:
    brandt = Duties(person="l-brandt", assignments=(OPERATED_ERP,))
    days = [date(2023, 12, 31), date(2024, 1, 1), date(2025, 11, 30), date(2025, 12, 1)]
    assert [held(brandt, "service-operator", day, "SVC-ERP") for day in days] == [False, True, True, False]


def test_a_role_for_one_service_says_nothing_about_others_but_a_role_for_all_holds_for_each() -> None:
    day = date(2025, 6, 1)
    brandt = Duties(person="l-brandt", assignments=(OPERATED_ERP,))
    assert not held(brandt, "service-operator", day, "SVC-MAIL")
    assert not held(brandt, "service-operator", day)
    lindqvist = Duties(person="h-lindqvist", assignments=(CIO,))
    assert held(lindqvist, "cio", day, "SVC-MAIL")
    assert held(lindqvist, "cio", day)


def test_looking_back_finds_a_duty_that_ended_within_the_window_and_none_that_ended_before() -> None:
    brandt = Duties(person="l-brandt", assignments=(OPERATED_ERP,))
    assert held_within(brandt, "SVC-ERP", date(2025, 11, 30), date(2026, 4, 20)) == (OPERATED_ERP,)
    assert held_within(brandt, "SVC-ERP", date(2025, 12, 1), date(2026, 4, 20)) == ()
    assert held_within(brandt, "SVC-NET", date(2025, 4, 20), date(2026, 4, 20)) == ()


def test_the_holder_for_the_very_service_comes_before_the_one_for_all() -> None:
    day = date(2026, 2, 12)
    for_mail = duty("m-ruiz", "service-level-manager", "SVC-MAIL", date(2026, 1, 1))
    for_all_services = duty("j-weiss", "service-level-manager", None, date(2020, 1, 1))
    roster = Roster(role="service-level-manager", assignments=(for_all_services, for_mail))
    assert holders(roster, day, "SVC-MAIL") == ("m-ruiz", "j-weiss")
    assert holder(roster, day, "SVC-ERP") == "j-weiss"
    assert holder(roster, day) == "j-weiss"
    assert holder(roster, date(2019, 12, 31), "SVC-MAIL") is None


def test_what_is_told_twice_is_learnt_once() -> None:
    given().when(Learn(assignment=CIO)).then(Learnt(assignment=CIO))
    given(Learnt(assignment=CIO)).when(Learn(assignment=CIO)).then()
    ended = EndLearnt(assignment=CIO.assignment, until=date(2026, 3, 31))
    given(Learnt(assignment=CIO)).when(LearnEnd(assignment=CIO.assignment, until=date(2026, 3, 31))).then(ended)
    given(Learnt(assignment=CIO), ended).when(LearnEnd(assignment=CIO.assignment, until=date(2026, 3, 31))).then()


# --- any order of news -----------------------------------------------------------------------------------------------


def told(assignment: Assignment) -> RoleAssigned:
    return RoleAssigned(
        assignment=assignment.assignment,
        person=assignment.person,
        role=assignment.role,
        service=assignment.service,
        since=assignment.since,
        until=assignment.until,
    )


def end_told(assignment: Assignment, until: date) -> RoleEnded:
    return RoleEnded(
        assignment=assignment.assignment,
        person=assignment.person,
        role=assignment.role,
        service=assignment.service,
        until=until,
    )


def news(body: RoleAssigned | RoleEnded) -> News:
    return News(
        tenant="meridian",
        service="audit",
        stream=derived_id(body.person),
        event=derived_id(repr(body)),
        at=datetime(2026, 1, 1, tzinfo=UTC),
        body=body,
    )


def listen(bodies: list[Any]) -> dict[UUID, Any]:
    """The states of all streams after hearing these, as the consumer would leave them."""
    states: dict[UUID, Any] = {}
    for body in bodies:
        for feature in features:
            assert feature.react is not None
            for reaction in feature.react(news(body)):
                before = states.get(reaction.stream, reaction.aggregate.initial)
                events = reaction.aggregate.decide(before, reaction.command, None)
                states[reaction.stream] = reaction.aggregate.fold(events, before)
    return states


PERSONS = ("a", "b", "c")
OF_ONE_PERSON = {
    person: [
        told(duty(person, "cio", None, date(2020, 1, 1))),
        told(duty(person, "process-owner", "SVC-ERP", date(2021, 1, 1))),
        end_told(duty(person, "cio", None, date(2020, 1, 1)), date(2022, 12, 31)),
    ]
    for person in PERSONS
}


@for_all(st.permutations([person for person in PERSONS for _ in range(3)]), st.sets(st.integers(0, 8)))
def test_news_of_several_persons_commute_and_redelivery_changes_nothing(turns: list[str], again: set[int]) -> None:
    left = {person: iter(news_of_one) for person, news_of_one in OF_ONE_PERSON.items()}
    in_this_order = [next(left[person]) for person in turns]
    with_duplicates = [body for at, body in enumerate(in_this_order) for _ in range(2 if at in again else 1)]
    one_after_the_other = [body for person in PERSONS for body in OF_ONE_PERSON[person]]
    assert listen(with_duplicates) == listen(one_after_the_other)


def test_both_views_agree() -> None:
    states = listen([body for person in PERSONS for body in OF_ONE_PERSON[person]])
    roster = states[roster_id("meridian", "cio")]
    assert isinstance(roster, Roster)
    assert holders(roster, date(2022, 12, 31)) == PERSONS
    assert holders(roster, date(2023, 1, 1)) == ()
    for person in PERSONS:
        duties = states[duties_id("meridian", person)]
        assert duties.person == person
        assert held(duties, "cio", date(2022, 12, 31))
        assert not held(duties, "cio", date(2023, 1, 1))
    assert all(first.since <= second.since for first, second in pairwise(roster.assignments))
