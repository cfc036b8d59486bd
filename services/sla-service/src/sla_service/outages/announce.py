"""What others hear about outages: the measure `longest-outage`."""

from contracts.sla import OutageMeasured
from sla_service.outages.domain import Event, Outages, TakenBack, Told


def announce(state: Outages, happened: Event) -> OutageMeasured | None:
    match happened:
        case Told():
            return OutageMeasured(
                service=state.service,
                outage=happened.name,
                sources=happened.sources,
                started_at=happened.started_at,
                ended_at=happened.ended_at,
                seconds=happened.seconds,
            )
        case TakenBack():
            return OutageMeasured(
                service=state.service,
                outage=happened.name,
                sources=(),
                started_at=happened.started_at,
                ended_at=happened.started_at,
                seconds=0,
            )
        case _:
            return None
