"""The coverage's aggregate, by name."""

from events.kernel import Aggregate
from sla_service.coverage.announce import announce
from sla_service.coverage.domain import (
    AgreementAdded,
    AgreementRemoved,
    Command,
    Counted,
    Coverage,
    Event,
    ServiceAdded,
    ServiceRemoved,
    decide,
    evolve,
)

coverage: Aggregate[Coverage, Command, Event] = Aggregate(
    kind="coverage",
    initial=Coverage(),
    decide=decide,
    evolve=evolve,
    events=(ServiceAdded, ServiceRemoved, AgreementAdded, AgreementRemoved, Counted),
    announce=announce,
)
