"""The SLA service on one page."""

from chassis.routes import Service
from sla_service import coverage, outages, periods, services, slas
from sla_service.permissions import ROLES

service = Service(
    name="sla",
    title="Which services we run, what was agreed about them, and whether it is kept",
    features=(services.feature, slas.feature, periods.feature, outages.feature, coverage.feature),
    permissions=ROLES,
)
