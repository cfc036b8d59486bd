"""The service catalogue: one stream per service."""

from typing import get_args
from uuid import UUID

from events.kernel import Aggregate, AllWhere, derived_id
from sla_service.services.announce import announce
from sla_service.services.domain import Command, Event, Service, decide, evolve

services = Aggregate[Service, Command, Event](
    kind="service",
    initial=Service(),
    decide=decide,
    evolve=evolve,
    events=get_args(Event),
    announce=announce,
)


def service_id(tenant: str, key: str) -> UUID:
    return derived_id("service", tenant, key)


def catalogued(key: str) -> AllWhere[Service]:
    """The need for the service of this key in the catalogue."""
    return AllWhere(Service, (("key", key),))
