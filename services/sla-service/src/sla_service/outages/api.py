"""Outages over HTTP: they are read here, and made by measurements."""

from chassis.routes import Listing, Routes
from sla_service.outages.aggregate import outages

routes = Routes(
    aggregate=outages,
    path="outages",
    noun="outages of a service",
    read="period.read",
    listing=Listing(filters=("service",)),
)
