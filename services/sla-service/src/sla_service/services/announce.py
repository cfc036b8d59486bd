"""What others hear about the catalogue."""

from contracts.sla import ServiceListed, ServiceRetired
from sla_service.services.domain import Event, Listed, Retired, Service


def announce(service: Service, event: Event) -> ServiceListed | ServiceRetired | None:
    match event:
        case Listed():
            return ServiceListed(service=event.key, name=event.name, owner=event.owner, supplier=event.supplier)
        case Retired():
            return ServiceRetired(service=service.key)
        case _:
            return None
