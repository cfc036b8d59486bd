"""The catalogue over HTTP."""

from chassis.routes import Listing, Routes
from sla_service.services.aggregate import service_id, services
from sla_service.services.domain import Change, List, Retire

routes = Routes(
    aggregate=services,
    path="services",
    noun="service",
    read="service.read",
    listing=Listing(filters=("status", "key")),
)
routes.create(
    List,
    permission="service.list",
    summary="List a service in the catalogue",
    example={"key": "SVC-ERP", "name": "Enterprise resource planning", "owner": "p-ruiz", "supplier": None},
    id_of=lambda tenant, command: service_id(tenant, command.key),
)
routes.act(
    "change",
    Change,
    permission="service.change",
    summary="Change name, owner or supplier of a service",
    example={"name": "ERP", "owner": "p-ruiz", "supplier": "TeleNord"},
)
routes.act(
    "retirement",
    Retire,
    permission="service.retire",
    summary="Retire a service",
    example={"reason": "Replaced by SVC-ERP-2"},
)
