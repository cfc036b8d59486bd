"""Outages: one stream per service."""

from typing import get_args
from uuid import UUID

from events.kernel import Aggregate, derived_id
from sla_service.outages.announce import announce
from sla_service.outages.domain import Event, Outages, Report, decide, evolve, needs, vouches

outages = Aggregate[Outages, Report, Event](
    kind="outages",
    initial=Outages(),
    decide=decide,
    evolve=evolve,
    events=get_args(Event),
    needs=needs,
    announce=announce,
    vouches=vouches,
)


def outages_id(tenant: str, service: str) -> UUID:
    return derived_id("outages", tenant, service)
