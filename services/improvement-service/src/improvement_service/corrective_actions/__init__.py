"""Corrective actions: opened by policy, analysed, planned, done, verified for effect by somebody else, and closed."""

from chassis.routes import Feature
from improvement_service.corrective_actions.aggregate import corrective_actions
from improvement_service.corrective_actions.api import routes
from improvement_service.corrective_actions.react import HEARD, react

feature = Feature(aggregate=corrective_actions, routes=routes, hears=HEARD, react=react)
