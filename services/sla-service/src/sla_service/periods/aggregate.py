"""Periods: one stream per target of an agreement and calendar month."""

from typing import get_args
from uuid import UUID

from events.kernel import Aggregate, AllWhere, derived_id
from sla_service.periods.announce import announce
from sla_service.periods.commands import Command
from sla_service.periods.decide import decide, needs
from sla_service.periods.events import Event, vouches
from sla_service.periods.state import Period, deadline, evolve

periods = Aggregate[Period, Command, Event](
    kind="period",
    initial=Period(),
    decide=decide,
    evolve=evolve,
    events=get_args(Event),
    needs=needs,
    deadline=deadline,
    announce=announce,
    vouches=vouches,
)


def period_id(tenant: str, sla: UUID, target: str, month: str) -> UUID:
    return derived_id("period", tenant, sla, target, month)


def periods_of(service: str) -> AllWhere[Period]:
    """The need for every month of the service for which something was measured."""
    return AllWhere(Period, (("service", service),))
