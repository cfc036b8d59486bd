"""Service level agreements, with all their versions."""

from chassis.routes import Feature
from sla_service.slas.aggregate import slas
from sla_service.slas.api import routes

feature = Feature(aggregate=slas, routes=routes)
