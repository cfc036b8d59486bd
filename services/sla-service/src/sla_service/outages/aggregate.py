"""The outages' aggregate, by name."""

from events.kernel import Aggregate
from sla_service.outages.announce import announce
from sla_service.outages.domain import Event, Outages, Report, Reported, TakenBack, Told, decide, evolve, needs

outages: Aggregate[Outages, Report, Event] = Aggregate(
    kind="outages",
    initial=Outages(),
    decide=decide,
    evolve=evolve,
    events=(Reported, Told, TakenBack),
    needs=needs,
    announce=announce,
)
