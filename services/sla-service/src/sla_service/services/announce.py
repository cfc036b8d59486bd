"""What others hear about the catalogue."""

from contracts.sla import ServiceListed, ServiceRetired
from sla_service.services.domain import Event, Listed, Retired, Service


def announce(service: Service, happened: Event) -> ServiceListed | ServiceRetired | None:
    match happened:
        case Listed():
            return ServiceListed(
                service=happened.key, name=happened.name, owner=happened.owner, supplier=happened.supplier
            )
        case Retired():
            return ServiceRetired(service=service.key)
        case _:
            return None
