"""The criteria by which risks are judged, versioned."""

from chassis.routes import Feature
from risk_service.criteria.aggregate import criteria
from risk_service.criteria.api import routes

feature = Feature(aggregate=criteria, routes=routes)
