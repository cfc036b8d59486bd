"""Coverage over HTTP: one object a tenant."""

from datetime import datetime

from chassis.routes import Routes
from events.kernel import value
from sla_service.coverage.aggregate import coverage
from sla_service.coverage.domain import Coverage


@value
class CoverageView:
    """How many services the catalogue lists, and which of them nobody has agreed anything about."""

    services: int
    without_sla: int
    services_without_sla: tuple[str, ...]
    services_with_sla: tuple[str, ...]


def view(state: Coverage, _: datetime) -> CoverageView:
    lacking = state.without_sla
    return CoverageView(
        services=len(state.services),
        without_sla=len(lacking),
        services_without_sla=lacking,
        services_with_sla=tuple(service for service in state.services if service not in lacking),
    )


routes = Routes(
    aggregate=coverage,
    path="coverage",
    noun="coverage of services by agreements",
    read="service.read",
    view=view,
    singleton=True,
)
