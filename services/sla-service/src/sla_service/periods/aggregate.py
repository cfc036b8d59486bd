"""The periods' aggregate, by name."""

from events.kernel import Aggregate
from sla_service.periods.announce import announce
from sla_service.periods.commands import Command
from sla_service.periods.decide import decide, needs
from sla_service.periods.events import (
    Breached,
    BreachRestated,
    CameAtRisk,
    Event,
    Finalised,
    Governed,
    Lapsed,
    Measured,
    Restated,
    WentOn,
)
from sla_service.periods.state import Period, deadline, evolve

periods: Aggregate[Period, Command, Event] = Aggregate(
    kind="period",
    initial=Period(),
    decide=decide,
    evolve=evolve,
    events=(Governed, Measured, WentOn, CameAtRisk, Breached, BreachRestated, Finalised, Restated, Lapsed),
    needs=needs,
    deadline=deadline,
    announce=announce,
)
