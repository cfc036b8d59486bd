"""The risk, as the machinery sees it."""

from events.kernel import Aggregate
from risk_service.risks.commands import Command
from risk_service.risks.decide import decide, needs
from risk_service.risks.events import EVENTS, Event
from risk_service.risks.messages import announce
from risk_service.risks.state import Risk, claims, deadline, evolve

risks = Aggregate[Risk, Command, Event](
    kind="risk",
    initial=Risk(),
    decide=decide,
    evolve=evolve,
    events=EVENTS,
    needs=needs,
    deadline=deadline,
    claims=claims,
    announce=announce,
)
