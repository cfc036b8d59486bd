"""Each target of each agreement, month by month."""

from chassis.routes import Feature
from sla_service.periods.aggregate import periods
from sla_service.periods.api import routes
from sla_service.periods.react import HEARD, react

feature = Feature(aggregate=periods, routes=routes, hears=HEARD, react=react)
