"""The policy by which corrective actions are opened: changed over HTTP, in force at once, every version kept."""

from chassis.routes import Feature
from improvement_service.policies.aggregate import policies
from improvement_service.policies.api import routes

feature = Feature(aggregate=policies, routes=routes)
