"""R-017 at Meridian, as the tests of risks know it: its commands, who holds which duty, and what is heard about it."""

from datetime import date, datetime
from typing import Any

from duties import Assignment, Duties, duties_of
from events.kernel import Found, Need, NextNumber, derived_id
from events.testing import Outcome, scenarios
from risk_service.criteria.aggregate import CRITERIA
from risk_service.criteria.domain import Criteria, InForce
from risk_service.criteria.domain import Status as CriteriaStatus
from risk_service.risks.aggregate import risks
from risk_service.risks.commands import Accept, Assess, CompleteTreatmentAction, PlanTreatment, Reconsider, Register
from risk_service.risks.state import Risk
from risk_service.risks.values import Option, PlannedAction, Rating, Source
from risk_service.words import Trigger

# R-017 of scenario 12: owner Ruiz, accepted by the CIO, Lindqvist.
R017 = Register(
    title="Single internet provider at DC2",
    source=Source.OTHER_PARTY,
    services=("SVC-NET",),
    customer_impact="All customers at DC2 lose their connection",
    cause="One line from TeleNord",
    event="The line fails",
    consequence="No service from DC2",
    owner="p-ruiz",
    reference="R-017",
)
ASSESS_12 = Assess(
    inherent=Rating(likelihood=4, impact=4), current=Rating(likelihood=3, impact=4), rationale="two failures in 3 years"
)
ACCEPT = Accept(approver="p-lindqvist", assessment=1, reason="second line is budgeted", until=date(2026, 9, 30))
JUNE_12 = datetime.fromisoformat("2026-06-12T14:03:00+02:00")


def duty(person: str, role: str, service: str | None = None, until: date | None = None) -> Found[Duties]:
    since, name = date(2024, 1, 1), derived_id(person, role)
    held = Assignment(assignment=name, person=person, role=role, service=service, since=since, until=until)
    return Found(id=derived_id(person), version=1, state=Duties(person=person, assignments=(held,)))


def in_force(criteria: Criteria) -> dict[Need[Any], Any]:
    published = InForce(status=CriteriaStatus.PUBLISHED, version=3, criteria=criteria)
    return {CRITERIA: (Found(id=derived_id("criteria"), version=3, state=published),)}


given = scenarios(risks, by="p-ruiz", at="2026-06-01T09:00:00+02:00").knowing(
    {
        NextNumber("R"): 1,
        CRITERIA: (),
        duties_of("p-lindqvist"): (duty("p-lindqvist", "cio"),),
        duties_of("p-top"): (duty("p-top", "top-management"),),
        duties_of("p-ruiz"): (duty("p-ruiz", "cio"),),
        duties_of("p-nobody"): (duty("p-nobody", "service-owner"),),
        duties_of("p-unheard"): (),
    }
)


def breach(on: datetime = JUNE_12, name: str = "SLA-3 availability 2026-06", service: str = "SVC-NET") -> Reconsider:
    return Reconsider(trigger=Trigger.BREACH, cause=derived_id(name, on), because=name, service=service, happened_at=on)


def heard(trigger: Trigger, because: str = "AUD-2026-07-F1") -> Reconsider:
    return Reconsider(
        trigger=trigger, cause=derived_id(trigger, because), because=because, service="SVC-NET", happened_at=JUNE_12
    )


def played(*steps: Any) -> list[Any]:
    """The events of these commands, one after the other; an acceptance comes from its approver."""
    history: list[Any] = []
    for step in steps:
        actor = step.approver if isinstance(step, Accept) else "p-ruiz"
        outcome = given(*history).acting(actor).when(step)
        assert outcome.refusal is None, outcome.refusal
        history += outcome.events
    return history


def names(outcome: Outcome[Risk]) -> list[str]:
    assert outcome.refusal is None, outcome.refusal
    return [type(each).__name__ for each in outcome.events]


def only(outcome: Outcome[Risk], kind: type[Any]) -> Any:
    (found,) = [each for each in outcome.events if isinstance(each, kind)]
    return found


SECOND_LINE = PlanTreatment(
    option=Option.MODIFY,
    target=Rating(likelihood=2, impact=4),
    actions=(
        PlannedAction(title="Order a second line", owner="p-ruiz", due=date(2026, 7, 31), expected_level=12),
        PlannedAction(title="Test the switch-over", owner="p-net", due=date(2026, 8, 31), expected_level=8),
    ),
    rationale="cheaper than one day without connection",
)
FIRST_DONE = CompleteTreatmentAction(action=1, evidence="acceptance protocol")
SECOND_DONE = CompleteTreatmentAction(action=2, evidence="test protocol")
