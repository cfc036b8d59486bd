"""The agreements' aggregate, by name."""

from events.kernel import Aggregate
from sla_service.slas.announce import announce
from sla_service.slas.commands import Command
from sla_service.slas.decide import decide, needs
from sla_service.slas.events import (
    Abandoned,
    Activated,
    Agreed,
    Amended,
    Drafted,
    Ended,
    Event,
    RestatementCalledFor,
    Signed,
    TerminationSet,
)
from sla_service.slas.state import Sla, claims, deadline, evolve

slas: Aggregate[Sla, Command, Event] = Aggregate(
    kind="sla",
    initial=Sla(),
    decide=decide,
    evolve=evolve,
    events=(
        Drafted,
        Amended,
        Signed,
        Agreed,
        Activated,
        RestatementCalledFor,
        TerminationSet,
        Ended,
        Abandoned,
    ),
    needs=needs,
    deadline=deadline,
    claims=claims,
    announce=announce,
)
