"""The criteria by which risks are judged, versioned."""

from chassis.routes import Feature
from risk_service.criteria.api import routes
from risk_service.criteria.domain import criteria

feature = Feature(aggregate=criteria, routes=routes)
