"""Measures that the effect of corrective actions is judged by."""

from chassis.routes import Feature
from improvement_service.measures.aggregate import measures
from improvement_service.measures.api import routes
from improvement_service.measures.react import HEARD, react

feature = Feature(aggregate=measures, routes=routes, hears=HEARD, react=react)
