"""The risks of a service: one stream per service."""

from typing import get_args
from uuid import UUID

from events.kernel import Aggregate, derived_id
from risk_service.service_risks.announce import announce
from risk_service.service_risks.domain import Command, Event, ServiceRisks, decide, evolve

service_risks = Aggregate[ServiceRisks, Command, Event](
    kind="service-risks",
    initial=ServiceRisks(),
    decide=decide,
    evolve=evolve,
    events=get_args(Event),
    announce=announce,
)


def service_risks_id(tenant: str, service: str) -> UUID:
    return derived_id("service-risks", tenant, service)
