"""Risks: one stream per risk of the register."""

from typing import get_args

from events.kernel import Aggregate
from risk_service.risks.announce import announce
from risk_service.risks.commands import Command
from risk_service.risks.decide import decide, needs
from risk_service.risks.events import Event
from risk_service.risks.state import Risk, claims, deadline, evolve

risks = Aggregate[Risk, Command, Event](
    kind="risk",
    initial=Risk(),
    decide=decide,
    evolve=evolve,
    events=get_args(Event),
    needs=needs,
    deadline=deadline,
    claims=claims,
    announce=announce,
)
