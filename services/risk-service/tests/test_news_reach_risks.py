"""What happens to a service reaches each of its risks once, in whatever order it is heard (K-06)."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given as for_all
from hypothesis import strategies as st

from contracts.audit import FindingAmended, FindingIssued, Grade
from contracts.improvement import CorrectiveActionClosed, CorrectiveActionReopened, Source, SourceKind
from contracts.risk import RiskAboveLimit
from contracts.sla import BreachConfirmed, Metric
from events.kernel import Actor, Aggregate, AllWhere, Given, News, NextNumber, derived_id
from risk_service import risks as risk_feature
from risk_service import service_risks as service_risks_feature
from risk_service.risks.aggregate import risks
from risk_service.risks.commands import Assess, PlanTreatment, Register
from risk_service.risks.events import Assessed, Reviewed
from risk_service.risks.state import Risk
from risk_service.risks.values import Option, PlannedAction, Rating
from risk_service.risks.values import Source as RiskSource
from risk_service.service_risks.aggregate import service_risks, service_risks_id
from risk_service.words import Trigger

JUNE_1 = datetime.fromisoformat("2026-06-01T09:00:00+02:00")
FEATURES = (risk_feature.feature, service_risks_feature.feature)


@dataclass
class World:
    """The service in small: streams in a dictionary, and a bus that keeps what was announced."""

    states: dict[tuple[str, UUID], Any] = field(default_factory=dict)
    announced: deque[News] = field(default_factory=deque)
    told: list[News] = field(default_factory=list)
    log: dict[UUID, list[Any]] = field(default_factory=dict)
    number: int = 0

    def do(self, aggregate: Aggregate[Any, Any, Any], stream: UUID, command: Any, at: datetime) -> None:
        before = self.states.get((aggregate.kind, stream), aggregate.initial)
        facts = {need: self.fact(need) for need in aggregate.needs(before, command)}
        by, name = Actor(person="p-ruiz"), derived_id(stream, repr(command))
        given = Given(tenant="meridian", stream=stream, command=name, at=at, by=by, facts=facts)
        for happened in aggregate.decide(before, command, given):  # type: ignore[union-attr]
            before = aggregate.evolve(before, happened)
            self.log.setdefault(stream, []).append(happened)
            body = aggregate.announce(before, happened)
            if body is not None:
                news = told(body, stream=stream, at=at, service="risk")
                self.announced.append(news)
                self.told.append(news)
        self.states[aggregate.kind, stream] = before

    def fact(self, need: Any) -> Any:
        if isinstance(need, NextNumber):
            self.number += 1
            return self.number
        assert isinstance(need, AllWhere)
        return ()

    def hear(self, news: News) -> None:
        for feature in FEATURES:
            assert feature.react is not None
            if type(news.body) in feature.hears:
                for reaction in feature.react(news):
                    self.do(reaction.aggregate, reaction.stream, reaction.command, news.at)

    def settle(self) -> None:
        """Hear everything of our own that is on the bus."""
        while self.announced:
            self.hear(self.announced.popleft())

    def risk(self, name: str) -> Risk:
        state = self.states["risk", derived_id(name)]
        assert isinstance(state, Risk)
        return state


def told(body: Any, *, stream: UUID, at: datetime, service: str) -> News:
    event = derived_id(stream, repr(body), at)
    return News(tenant="meridian", service=service, stream=stream, event=event, at=at, body=body)


def register(world: World, name: str, *services: str, likelihood: int = 2, at: datetime = JUNE_1) -> None:
    command = Register(
        title=name,
        source=RiskSource.OTHER_PARTY,
        services=services,
        customer_impact="no connection",
        cause="one line",
        event="it fails",
        consequence="no service",
        owner="p-ruiz",
    )
    world.do(risks, derived_id(name), command, at)
    rating = Rating(likelihood=likelihood, impact=4)
    assess = Assess(inherent=rating, current=rating, rationale="as judged in June")
    world.do(risks, derived_id(name), assess, at)


def treat(world: World, name: str) -> None:
    action = PlannedAction(title="second line", owner="p-ruiz", due=JUNE_1.date(), expected_level=4)
    plan = PlanTreatment(
        option=Option.MODIFY, target=Rating(likelihood=1, impact=4), actions=(action,), rationale="cheap enough"
    )
    world.do(risks, derived_id(name), plan, JUNE_1)


def breach(service: str, day: int, target: str = "availability") -> News:
    at = JUNE_1 + timedelta(days=day)
    body = BreachConfirmed(
        sla=derived_id("sla", service),
        sla_number="SLA-3",
        version=1,
        service=service,
        customer="halden-bank",
        target=target,
        metric=Metric.AVAILABILITY,
        month="2026-06",
        at=at,
        used="75 min",
        budget="43.2 min",
        sources=("INC-4711",),
    )
    return told(body, stream=derived_id(service, target, day), at=at, service="sla")


def source(kind: SourceKind, id: UUID, service: str | None) -> Source:
    return Source(kind=kind, id=id, label="a source", service=service)


def reopened(day: int, *sources: Source) -> News:
    body = CorrectiveActionReopened(number="CA-101", cycle=2, sources=sources, reason="outage of 22 min")
    return told(body, stream=derived_id("CA-101"), at=JUNE_1 + timedelta(days=day), service="improvement")


def finding(service: str | None, day: int, grade: Grade = Grade.MAJOR) -> News:
    body = FindingIssued(
        number="AUD-2026-02-F1",
        audit=derived_id("audit"),
        audit_number="AUD-2026-02",
        grade=grade,
        edition="2018",
        clause="8.7.1",
        service=service,
        statement="no second line",
    )
    return told(body, stream=derived_id("finding"), at=JUNE_1 + timedelta(days=day), service="audit")


@pytest.fixture
def world() -> World:
    return World()


def test_a_breach_reaches_every_risk_of_its_service_and_no_other(world: World) -> None:
    register(world, "R-017", "SVC-NET")
    register(world, "R-018", "SVC-ERP", "SVC-NET")
    register(world, "R-019", "SVC-MAIL")
    world.settle()
    world.hear(breach("SVC-NET", day=11))
    world.settle()
    assert [world.risk(name).level for name in ("R-017", "R-018", "R-019")] == [12, 12, 8]
    assert world.risk("R-017").latest.cause == breach("SVC-NET", day=11).event
    assert [news.body.number for news in world.told if isinstance(news.body, RiskAboveLimit)] == ["R-1", "R-2"]


def test_a_breach_told_before_the_risk_was_registered_concerns_it_not(world: World) -> None:
    world.hear(breach("SVC-NET", day=-3))
    register(world, "R-017", "SVC-NET")
    world.settle()
    world.hear(breach("SVC-NET", day=-2))  # told before, heard late
    world.settle()
    assert world.risk("R-017").level == 8


def test_a_breach_heard_before_the_link_is_not_lost(world: World) -> None:
    register(world, "R-017", "SVC-NET")
    world.hear(breach("SVC-NET", day=11))  # the announcement of the risk is still on the bus
    world.settle()
    assert world.risk("R-017").level == 12


def test_scenario_10_the_reopened_action_reassesses_the_risks_of_the_services_that_it_was_for(world: World) -> None:
    register(world, "R-009", "SVC-ERP")
    world.settle()
    erp_breach = source(SourceKind.BREACH, derived_id("target and month"), "SVC-ERP")
    world.hear(reopened(79, erp_breach))
    world.settle()
    risk = world.risk("R-009")
    assert [each.trigger for each in risk.assessments] == [Trigger.FIRST, Trigger.ACTION_INEFFECTIVE]
    assert (risk.level, risk.review_due) == (8, True)


def test_an_action_with_two_of_the_risks_services_and_the_risk_itself_is_one_trigger(world: World) -> None:
    register(world, "R-009", "SVC-ERP", "SVC-NET")
    world.settle()
    sources = (
        source(SourceKind.BREACH, derived_id("one"), "SVC-ERP"),
        source(SourceKind.FINDING, derived_id("two"), "SVC-NET"),
        source(SourceKind.RISK, derived_id("R-009"), None),
    )
    world.hear(reopened(79, *sources))
    world.settle()
    assert [each.trigger for each in world.risk("R-009").assessments] == [Trigger.FIRST, Trigger.ACTION_INEFFECTIVE]


def test_the_closed_action_of_a_risk_asks_for_a_new_look_at_it(world: World) -> None:
    register(world, "R-009", "SVC-ERP")
    body = CorrectiveActionClosed(
        number="CA-101",
        cycle=1,
        sources=(source(SourceKind.RISK, derived_id("R-009"), "SVC-ERP"),),
        verified_by="p-weiss",
        cycles=1,
    )
    world.hear(told(body, stream=derived_id("CA-101"), at=JUNE_1, service="improvement"))
    assert [each.trigger for each in world.risk("R-009").pending] == [Trigger.ACTION_CLOSED]


def test_only_major_findings_make_the_risks_of_a_service_be_reviewed(world: World) -> None:
    register(world, "R-017", "SVC-NET")
    world.settle()
    world.hear(finding("SVC-NET", day=2, grade=Grade.MINOR))
    world.hear(finding(None, day=2))
    world.settle()
    assert not world.risk("R-017").review_due
    amended = FindingAmended(
        number="AUD-2026-02-F1",
        previous_grade=Grade.MINOR,
        grade=Grade.MAJOR,
        clause="8.7.1",
        service="SVC-NET",
        statement="no second line",
        reason="repeated",
    )
    world.hear(told(amended, stream=derived_id("finding"), at=JUNE_1 + timedelta(days=3), service="audit"))
    world.settle()
    assert [each.trigger for each in world.risk("R-017").pending] == [Trigger.MAJOR_FINDING]


# --- any order of news -----------------------------------------------------------------------------------------------

HAPPENED = (
    breach("SVC-NET", day=11),
    breach("SVC-NET", day=11, target="availability-at-night"),
    breach("SVC-NET", day=14),
    breach("SVC-ERP", day=14),
    breach("SVC-NET", day=-5),
    reopened(20, source(SourceKind.BREACH, derived_id("one"), "SVC-NET")),
    finding("SVC-ERP", day=21),
)


def after(order: Sequence[News], heard_before_the_link: int, *, treated: bool, likelihood: int) -> World:
    world = World()
    register(world, "R-017", "SVC-NET", likelihood=likelihood)
    register(world, "R-018", "SVC-NET", "SVC-ERP", likelihood=likelihood)
    if treated:
        treat(world, "R-017")
    for news in order[:heard_before_the_link]:
        world.hear(news)
    world.settle()
    for news in order[heard_before_the_link:]:
        world.hear(news)
        world.settle()
    return world


def outcome(risk: Risk) -> dict[str, Any]:
    """All that matters of a risk, without the order in which it came about."""
    return {
        "status": risk.status,
        "current": risk.latest.current,
        "residual": risk.latest.residual,
        "assessments": risk.assessment,
        "next_review": risk.next_review,
        "pending": sorted(str(each.cause) for each in risk.pending),
        "heard": sorted(str(each) for each in risk.heard),
        "acceptance": risk.acceptance,
        "told": risk.told_above_limit,
    }


@for_all(
    order=st.permutations(HAPPENED),
    again=st.sets(st.sampled_from(range(len(HAPPENED)))),
    before=st.integers(0, len(HAPPENED)),
    treated=st.booleans(),
    likelihood=st.integers(1, 5),
)
def test_news_commute_and_redelivery_changes_nothing(
    order: list[News], again: set[int], before: int, treated: bool, likelihood: int
) -> None:
    with_duplicates = [news for at, news in enumerate(order) for _ in range(2 if at in again else 1)]
    one = after(with_duplicates, before, treated=treated, likelihood=likelihood)
    other = after(HAPPENED, 0, treated=treated, likelihood=likelihood)
    for name in ("R-017", "R-018"):
        assert outcome(one.risk(name)) == outcome(other.risk(name))
    # the days 11 and 14; R-018: those, and SVC-ERP on day 14.
    assert one.risk("R-017").latest.current.likelihood == min(5, likelihood + 2)
    assert one.risk("R-018").latest.current.likelihood == min(5, likelihood + 3)


@for_all(order=st.permutations(HAPPENED), treated=st.booleans())
def test_every_trigger_leaves_an_assessment_or_a_review_or_waits_for_one(order: list[News], treated: bool) -> None:
    world = after(order, 3, treated=treated, likelihood=3)
    for name in ("R-017", "R-018"):
        risk = world.risk(name)
        answers = [each for each in world.log[derived_id(name)] if isinstance(each, Assessed | Reviewed)]
        settled = [cause for each in answers for cause in each.settles]
        assert sorted(risk.heard) == sorted([*settled, *(each.cause for each in risk.pending)])
        assert risk.latest.residual.level <= risk.latest.current.level


def test_each_service_knows_its_risks(world: World) -> None:
    register(world, "R-018", "SVC-NET", "SVC-ERP")
    world.settle()
    for service in ("SVC-NET", "SVC-ERP"):
        known = world.states[service_risks.kind, service_risks_id("meridian", service)]
        assert [each.risk for each in known.risks] == [derived_id("R-018")]
