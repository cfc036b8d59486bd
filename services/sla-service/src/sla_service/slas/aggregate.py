"""Service level agreements: one stream per agreement, with all its versions."""

from typing import get_args
from uuid import UUID

from events.kernel import Aggregate, AllWhere, StateOf
from sla_service.slas.announce import announce
from sla_service.slas.commands import Command
from sla_service.slas.decide import decide, needs
from sla_service.slas.events import Event
from sla_service.slas.state import Sla, claims, deadline, evolve

slas = Aggregate[Sla, Command, Event](
    kind="sla",
    initial=Sla(),
    decide=decide,
    evolve=evolve,
    events=get_args(Event),
    needs=needs,
    deadline=deadline,
    claims=claims,
    announce=announce,
)


def agreement(sla: UUID) -> StateOf[Sla]:
    """The need for one agreement."""
    return StateOf(Sla, sla)


def agreements_about(service: str) -> AllWhere[Sla]:
    """The need for every agreement about a service, also those that have ended."""
    return AllWhere(Sla, (("service", service),))
