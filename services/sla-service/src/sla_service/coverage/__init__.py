"""Which services have an agreement in force."""

from chassis.routes import Feature
from sla_service.coverage.aggregate import coverage
from sla_service.coverage.api import routes
from sla_service.coverage.react import HEARD, react

feature = Feature(aggregate=coverage, routes=routes, hears=HEARD, react=react)
