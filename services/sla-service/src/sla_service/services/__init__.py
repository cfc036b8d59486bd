"""The service catalogue."""

from chassis.routes import Feature
from sla_service.services.aggregate import services
from sla_service.services.api import routes

feature = Feature(aggregate=services, routes=routes)
