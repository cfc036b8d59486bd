"""Which risks concern a service."""

from chassis.routes import Feature
from risk_service.service_risks.aggregate import service_risks
from risk_service.service_risks.api import routes
from risk_service.service_risks.react import HEARD, react

feature = Feature(aggregate=service_risks, routes=routes, hears=HEARD, react=react)
