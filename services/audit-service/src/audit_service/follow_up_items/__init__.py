"""What the next audit of a scope must look at."""

from audit_service.follow_up_items.aggregate import follow_up_items
from audit_service.follow_up_items.api import routes
from audit_service.follow_up_items.react import HEARD, react
from chassis.routes import Feature

feature = Feature(aggregate=follow_up_items, routes=routes, hears=HEARD, react=react)
