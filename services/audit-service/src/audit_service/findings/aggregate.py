"""Findings: one stream per finding."""

from typing import get_args

from audit_service.findings.announce import announce
from audit_service.findings.commands import Command
from audit_service.findings.decide import decide, needs
from audit_service.findings.events import Event
from audit_service.findings.state import Finding, evolve
from events.kernel import Aggregate

findings = Aggregate[Finding, Command, Event](
    kind="finding",
    initial=Finding(),
    decide=decide,
    evolve=evolve,
    events=get_args(Event),
    needs=needs,
    announce=announce,
)
