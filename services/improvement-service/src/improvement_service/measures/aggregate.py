"""Measures: one stream per measure and its subject (a service, or all of them)."""

from typing import get_args
from uuid import UUID

from contracts.improvement import Measure
from events.kernel import Aggregate, derived_id
from improvement_service.measures.announce import announce
from improvement_service.measures.commands import Command
from improvement_service.measures.decide import decide
from improvement_service.measures.events import Event
from improvement_service.measures.state import Measured, evolve

measures = Aggregate[Measured, Command, Event](
    kind="measure",
    initial=Measured(),
    decide=decide,
    evolve=evolve,
    events=get_args(Event),
    announce=announce,
)


def measure_id(tenant: str, measure: Measure, subject: str | None) -> UUID:
    return derived_id("measure", tenant, measure, subject or "")
