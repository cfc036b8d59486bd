"""The risk register."""

from chassis.routes import Feature
from risk_service.risks.aggregate import risks
from risk_service.risks.api import routes
from risk_service.risks.react import HEARD, react

feature = Feature(aggregate=risks, routes=routes, hears=HEARD, react=react)
