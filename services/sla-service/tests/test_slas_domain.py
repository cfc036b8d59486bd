"""Agreements: both sides sign every version, the past is never edited, and days come by themselves."""

from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from contracts.sla import SlaActivated, SlaEnded
from events.kernel import Due, Found, derived_id
from events.testing import scenarios
from sla_service.services.aggregate import catalogued
from sla_service.services.domain import Service
from sla_service.services.domain import Status as ServiceStatus
from sla_service.slas.aggregate import slas
from sla_service.slas.commands import Activate, Amend, Draft, Sign, Terminate
from sla_service.slas.decide import NUMBER
from sla_service.slas.events import (
    Abandoned,
    Activated,
    Agreed,
    Amended,
    Drafted,
    Ended,
    RestatementCalledFor,
    Signed,
    TerminationSet,
)
from sla_service.slas.state import Status, deadline
from sla_service.slas.terms import (
    AvailabilityTarget,
    Measurement,
    Party,
    ResolutionTarget,
    Side,
    Terms,
    Weekday,
    Window,
)

TERMS = Terms(
    parties=(Party(name="Meridian", role="provider"), Party(name="Halden Bank", role="customer")),
    targets=(AvailabilityTarget(key="availability", percent=Decimal("99.9")),),
    time_zone="Europe/Berlin",
    measurement=Measurement(source="monitor", method="login every minute"),
    review_every_days=90,
    audience=("IT steering",),
    effective_from=date(2026, 4, 1),
)
DRAFT = Draft(service="SVC-ERP", customer="halden-bank", terms=TERMS)
LISTED = Service(status=ServiceStatus.LISTED, key="SVC-ERP", name="ERP", owner="p-ruiz")
APRIL = datetime(2026, 3, 31, 22, tzinfo=UTC)
"""The first of April begins in Berlin."""

given = scenarios(slas, by="p-ruiz", at="2026-03-10T09:00:00+01:00")
drafted = Drafted(number="SLA-1", service="SVC-ERP", customer="halden-bank", terms=TERMS)
provider = Signed(version=1, side=Side.PROVIDER, person="p-ruiz", on=date(2026, 3, 9))
customer = Signed(version=1, side=Side.CUSTOMER, person="p-halden", on=date(2026, 3, 10))
agreed = Agreed(version=1, applies_from=date(2026, 4, 1), activates_at=APRIL, back_dated=False)
activated = Activated(version=1, at=APRIL)
in_force = (drafted, provider, customer, agreed, activated)


def catalogue(*services: Service) -> dict[Any, Any]:
    found = tuple(Found(id=derived_id(each.key), version=1, state=each) for each in services)
    return {NUMBER: 1, catalogued("SVC-ERP"): found}


def second(day: date, **changes: Any) -> Amended:
    return Amended(version=2, terms=replace(TERMS, effective_from=day, **changes), reason="more")


def signed_both(version: int, on: date) -> tuple[Signed, Signed]:
    return (
        Signed(version=version, side=Side.PROVIDER, person="p-ruiz", on=on),
        Signed(version=version, side=Side.CUSTOMER, person="p-halden", on=on),
    )


# --- drafting


def test_an_agreement_is_drafted_for_a_service_of_the_catalogue() -> None:
    given().knowing(catalogue(LISTED)).when(DRAFT).then(drafted)


def test_a_service_that_is_not_or_no_more_in_the_catalogue_cannot_be_agreed_about() -> None:
    given().knowing(catalogue()).when(DRAFT).then_refused("not in the service catalogue", rule="S-01", status=422)
    retired = replace(LISTED, status=ServiceStatus.RETIRED)
    given().knowing(catalogue(retired)).when(DRAFT).then_refused("not in the service catalogue", rule="S-01")


@pytest.mark.parametrize(
    ("changes", "saying"),
    [
        ({"targets": ()}, "names its parties, its targets"),
        ({"parties": ()}, "names its parties, its targets"),
        ({"audience": ()}, "who receives its reports"),
        ({"targets": TERMS.targets * 2}, "key of its own"),
        ({"effective_to": date(2026, 3, 31)}, "end before it begins"),
        ({"targets": (ResolutionTarget(key="r", within=60),)}, "either the percent"),
        (
            {"targets": (ResolutionTarget(key="r", within=60, percent=Decimal(9), misses_allowed=1),)},
            "either the percent",
        ),
        ({"targets": (ResolutionTarget(key="r", within=0, misses_allowed=1),)}, "within no time"),
        ({"service_hours": (Window(days=(Weekday.MONDAY,), opens="18:00", closes="08:00"),)}, "open before they close"),
        ({"service_hours": (Window(days=(Weekday.MONDAY,), opens="8:00", closes="18:00"),)}, "no time of day"),
        ({"service_hours": (Window(days=(Weekday.MONDAY,), opens="08:00", closes="24:01"),)}, "no time of day"),
        ({"service_hours": (Window(days=(), opens="08:00", closes="18:00"),)}, "at least one day"),
    ],
)
def test_terms_that_cannot_be_measured_by_are_refused(changes: dict[str, Any], saying: str) -> None:
    draft = replace(DRAFT, terms=replace(TERMS, **changes))
    given().knowing(catalogue(LISTED)).when(draft).then_refused(saying, rule="S-02", status=422)


# --- signing and coming into force


def test_with_the_second_signature_it_is_agreed_and_waits_for_its_day() -> None:
    sign = Sign(side=Side.CUSTOMER, person="p-halden", on=date(2026, 3, 10))
    outcome = given(drafted, provider).when(sign).then(customer, agreed).then_announced()
    assert outcome.state.status is Status.AGREED
    assert deadline(outcome.state) == APRIL


def test_by_itself_it_is_in_force_from_the_start_of_its_day_in_its_zone() -> None:
    late = given(drafted, provider, customer, agreed).at("2026-04-03T00:00:00Z")
    announced = SlaActivated(
        number="SLA-1",
        service="SVC-ERP",
        customer="halden-bank",
        version=1,
        effective_from=date(2026, 4, 1),
        judges_from=date(2026, 4, 1),
        targets=tuple(target.key for target in TERMS.targets),
    )
    late.when(Due()).then(activated).then_announced(announced)
    late.when(Activate()).then(activated)


def test_signed_after_its_day_it_is_in_force_at_once() -> None:
    sign = Sign(side=Side.CUSTOMER, person="p-halden", on=date(2026, 4, 5))
    now = datetime(2026, 4, 5, 9, tzinfo=UTC)
    given(drafted, provider).at("2026-04-05T09:00:00Z").when(sign).then(
        replace(customer, on=date(2026, 4, 5)), replace(agreed, activates_at=now), replace(activated, at=now)
    )


def test_it_is_not_in_force_without_both_signatures_nor_before_its_day() -> None:
    given(drafted, provider).when(Activate()).then_refused("lacks the signature of the customer", rule="S-03")
    given(drafted).when(Activate()).then_refused("provider and customer", rule="S-03")
    given(drafted, provider, customer, agreed).when(Activate()).then_refused("from 2026-04-01 on", rule="S-03")
    given(*in_force).when(Activate()).then()


def test_a_side_signs_once_and_not_in_advance() -> None:
    sign = Sign(side=Side.PROVIDER, person="p-ruiz", on=date(2026, 3, 10))
    given(drafted, provider).when(sign).then_refused("signed version 1 on 2026-03-09: p-ruiz", rule="S-03")
    given(drafted).when(replace(sign, on=date(2026, 3, 11))).then_refused("to come", rule="S-03", status=422)
    given(*in_force).when(sign).then_refused("waits for a signature", rule="S-03")
    given().when(sign).then_refused("no such agreement", status=404)


def test_one_agreement_per_service_and_customer_from_the_second_signature_to_the_end() -> None:
    claimed = ["sla:SVC-ERP:halden-bank"]
    ended = Ended(ended_on=date(2026, 4, 30), at=datetime(2026, 4, 30, 22, tzinfo=UTC))
    assert list(slas.claims(given(drafted, provider).state)) == []
    assert list(slas.claims(given(drafted, provider, customer, agreed).state)) == claimed
    assert list(slas.claims(given(*in_force).state)) == claimed
    assert list(slas.claims(given(*in_force, second(date(2026, 5, 1))).state)) == claimed
    assert list(slas.claims(given(*in_force, ended).state)) == []


# --- amending


def test_an_amendment_is_a_next_version_and_takes_over_on_its_day() -> None:
    amended = second(date(2026, 5, 1))
    given(*in_force).when(Amend(terms=amended.terms, reason="more")).then(amended)
    may = datetime(2026, 4, 30, 22, tzinfo=UTC)
    waiting = Agreed(version=2, applies_from=date(2026, 5, 1), activates_at=may, back_dated=False)
    history = (*in_force, amended, *signed_both(2, date(2026, 4, 20)), waiting)
    outcome = given(*history).at("2026-05-01T00:00:00Z").when(Due()).then(Activated(version=2, at=may))
    assert [version.status for version in outcome.state.versions] == [Status.SUPERSEDED, Status.ACTIVE]
    assert outcome.state.versions[0].terms == TERMS


def test_a_proposal_that_nobody_agreed_to_is_replaced_by_the_next() -> None:
    amend = Amend(terms=replace(TERMS, effective_from=date(2026, 6, 1)), reason="later")
    outcome = given(*in_force, second(date(2026, 5, 1))).when(amend)
    assert [version.status for version in outcome.state.versions] == [Status.ACTIVE, Status.SUPERSEDED, Status.DRAFT]
    assert outcome.state.pending
    assert outcome.state.pending.number == 3


def test_an_agreed_version_is_not_amended_before_it_is_in_force() -> None:
    amend = Amend(terms=TERMS, reason="again")
    given(drafted, provider, customer, agreed).when(amend).then_refused("waits for 2026-04-01", rule="S-03")


def test_an_amendment_that_follows_the_last_day_at_once_prevents_the_end() -> None:
    until_june = replace(drafted, terms=replace(TERMS, effective_to=date(2026, 6, 30)))
    history = (until_june, *in_force[1:])
    july = datetime(2026, 6, 30, 22, tzinfo=UTC)
    gap = Amend(terms=replace(TERMS, effective_from=date(2026, 7, 2)), reason="x")
    given(*history).when(gap).then_refused("leaves a gap", rule="S-03", status=422)
    waiting = Agreed(version=2, applies_from=date(2026, 7, 1), activates_at=july, back_dated=False)
    renewed = (*history, second(date(2026, 7, 1)), *signed_both(2, date(2026, 6, 1)), waiting)
    given(*renewed).at("2026-07-05T00:00:00Z").when(Due()).then(Activated(version=2, at=july))


def test_a_back_dated_amendment_needs_both_sides_and_calls_for_restatement() -> None:
    now = datetime(2026, 6, 15, 8, tzinfo=UTC)
    history = given(*in_force, second(date(2026, 4, 20)), signed_both(2, date(2026, 6, 15))[0]).at(
        "2026-06-15T08:00:00Z"
    )
    history.when(Activate()).then_refused("lacks the signature of the customer", rule="S-03")
    outcome = history.when(Sign(side=Side.CUSTOMER, person="p-halden", on=date(2026, 6, 15)))
    outcome.then(
        signed_both(2, date(2026, 6, 15))[1],
        Agreed(version=2, applies_from=date(2026, 6, 15), activates_at=now, back_dated=True),
        Activated(version=2, at=now),
        RestatementCalledFor(version=2, months=("2026-04", "2026-05", "2026-06")),
    )
    assert outcome.state.to_restate == ("2026-04", "2026-05", "2026-06")
    parts = outcome.state.parts(date(2026, 5, 1), date(2026, 7, 31))
    assert [(part.version.number, part.first, part.last) for part in parts] == [
        (1, date(2026, 5, 1), date(2026, 6, 14)),
        (2, date(2026, 6, 15), date(2026, 7, 31)),
    ]
    assert outcome.state.parts(date(2026, 3, 1), date(2026, 3, 31)) == ()


def test_an_amendment_does_not_reach_back_before_the_agreement() -> None:
    amend = Amend(terms=replace(TERMS, effective_from=date(2026, 3, 1)), reason="x")
    given(*in_force).when(amend).then_refused("in force since 2026-04-01 only", rule="S-03", status=422)


# --- ending


def test_a_termination_takes_effect_when_its_last_day_is_over() -> None:
    terminate = Terminate(ends_on=date(2026, 5, 31), reason="replaced")
    set_ = TerminationSet(ends_on=date(2026, 5, 31), reason="replaced")
    outcome = given(*in_force).at("2026-05-01T00:00:00Z").when(terminate).then(set_).then_announced()
    june = datetime(2026, 5, 31, 22, tzinfo=UTC)
    assert deadline(outcome.state) == june
    ended = (
        given(*in_force, set_).at("2026-06-02T00:00:00Z").when(Due()).then(Ended(ended_on=date(2026, 5, 31), at=june))
    )
    ended.then_announced(
        SlaEnded(
            number="SLA-1",
            service="SVC-ERP",
            customer="halden-bank",
            ended_on=date(2026, 5, 31),
            targets=("availability",),
        )
    )
    assert deadline(ended.state) is None


def test_an_agreement_ends_with_its_last_day() -> None:
    until_april = replace(drafted, terms=replace(TERMS, effective_to=date(2026, 4, 30)))
    history = given(until_april, provider, customer, agreed).at("2026-05-02T00:00:00Z")
    history.when(Due()).then(activated, Ended(ended_on=date(2026, 4, 30), at=datetime(2026, 4, 30, 22, tzinfo=UTC)))


def test_the_past_is_not_terminated_and_a_draft_is_abandoned() -> None:
    terminate = Terminate(ends_on=date(2026, 5, 1), reason="replaced")
    given(*in_force).at("2026-05-03T00:00:00Z").when(terminate).then_refused("not edited", rule="S-03", status=422)
    abandoned = Abandoned(reason="replaced")
    given(drafted).when(terminate).then(abandoned).then_announced()
    given(drafted, abandoned).when(terminate).then_refused("was terminated", rule="S-03")


def test_one_person_does_not_sign_for_both_sides() -> None:
    alone = Sign(side=Side.CUSTOMER, person="p-ruiz", on=date(2026, 3, 10))
    given(drafted, provider).when(alone).then_refused("somebody else signs for the customer", rule="S-03", status=409)
