"""The outages of each service, merged from all reports."""

from chassis.routes import Feature
from sla_service.outages.aggregate import outages
from sla_service.outages.api import routes

feature = Feature(aggregate=outages, routes=routes)
