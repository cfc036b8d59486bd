"""Which risks concern a service."""

from chassis.routes import Feature, Listing, Routes
from risk_service.service_risks.aggregate import service_risks
from risk_service.service_risks.reactions import HEARD, react

routes = Routes(
    aggregate=service_risks,
    path="service-risks",
    noun="risks of a service",
    read="risk.read",
    listing=Listing(filters=("service",)),
)

feature = Feature(aggregate=service_risks, routes=routes, hears=HEARD, react=react)
