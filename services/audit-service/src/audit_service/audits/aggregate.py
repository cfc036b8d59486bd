"""Audits: one stream per audit."""

from typing import get_args

from audit_service.audits.announce import announce
from audit_service.audits.commands import Command
from audit_service.audits.decide import decide
from audit_service.audits.events import Event
from audit_service.audits.needs import needs
from audit_service.audits.state import Audit, evolve
from events.kernel import Aggregate

audits = Aggregate[Audit, Command, Event](
    kind="audit",
    initial=Audit(),
    decide=decide,
    evolve=evolve,
    events=get_args(Event),
    needs=needs,
    announce=announce,
)
