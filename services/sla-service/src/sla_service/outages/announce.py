"""What others hear about outages: the measure `longest-outage`."""

from contracts.sla import OutageMeasured
from sla_service.outages.domain import Event, Outages, TakenBack, Told


def announce(state: Outages, event: Event) -> OutageMeasured | None:
    match event:
        case Told():
            return OutageMeasured(
                service=state.service,
                outage=event.name,
                sources=event.sources,
                started_at=event.started_at,
                ended_at=event.ended_at,
                seconds=event.seconds,
            )
        case TakenBack():
            return OutageMeasured(
                service=state.service,
                outage=event.name,
                sources=(),
                started_at=event.started_at,
                ended_at=event.started_at,
                seconds=0,
            )
        case _:
            return None
