"""Corrective actions: one stream per action, from the occasion to the proven effect."""

from typing import get_args

from events.kernel import Aggregate
from improvement_service.corrective_actions.announce import announce
from improvement_service.corrective_actions.commands import Command
from improvement_service.corrective_actions.decide import decide
from improvement_service.corrective_actions.events import Event
from improvement_service.corrective_actions.evolve import evolve
from improvement_service.corrective_actions.lateness import deadline
from improvement_service.corrective_actions.needs import needs
from improvement_service.corrective_actions.state import CorrectiveAction, claims

corrective_actions = Aggregate[CorrectiveAction, Command, Event](
    kind="corrective-action",
    initial=CorrectiveAction(),
    decide=decide,
    evolve=evolve,
    events=get_args(Event),
    needs=needs,
    deadline=deadline,
    claims=claims,
    announce=announce,
)
