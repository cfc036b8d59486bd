"""Coverage: one stream per tenant."""

from typing import get_args
from uuid import UUID

from events.kernel import Aggregate, derived_id
from sla_service.coverage.announce import announce
from sla_service.coverage.domain import Command, Coverage, Event, decide, evolve

coverage = Aggregate[Coverage, Command, Event](
    kind="coverage",
    initial=Coverage(),
    decide=decide,
    evolve=evolve,
    events=get_args(Event),
    announce=announce,
)


def coverage_id(tenant: str) -> UUID:
    return derived_id("coverage", tenant)
