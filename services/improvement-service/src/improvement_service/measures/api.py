"""Measures over HTTP: for readers only, because readings come from the SLA service."""

from chassis.routes import Listing, Routes
from improvement_service.measures.aggregate import measures

routes = Routes(
    aggregate=measures,
    path="measures",
    noun="measure",
    read="measure.read",
    listing=Listing(filters=("measure", "subject")),
)
