"""The risks of each service over HTTP: for readers only, because they follow from the register and from news."""

from chassis.routes import Listing, Routes
from risk_service.service_risks.aggregate import service_risks

routes = Routes(
    aggregate=service_risks,
    path="service-risks",
    noun="risks of a service",
    read="risk.read",
    listing=Listing(filters=("service",)),
)
