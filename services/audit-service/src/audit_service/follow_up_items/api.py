"""Follow-up items over HTTP: they come from the bus, and are concluded by auditors."""

from audit_service.follow_up_items.aggregate import follow_up_items
from audit_service.follow_up_items.commands import Conclude
from chassis.routes import Listing, Routes

routes = Routes(
    aggregate=follow_up_items,
    path="follow-up-items",
    noun="follow-up item",
    read="follow-up-item.read",
    listing=Listing(filters=("status", "service")),
)
routes.act(
    "conclusion",
    Conclude,
    permission="follow-up-item.conclude",
    summary="Conclude what an audit has seen of an item",
    example={
        "audit": "0197c2a4-7a50-7c3e-9a53-0d6f3b0c8a11",
        "text": "No outage above 15 minutes since the second cycle",
    },
)
