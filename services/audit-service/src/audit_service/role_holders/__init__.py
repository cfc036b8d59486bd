"""Who holds which role, from when until when."""

from audit_service.role_holders.aggregate import role_holders
from audit_service.role_holders.api import routes
from chassis.routes import Feature

feature = Feature(aggregate=role_holders, routes=routes)
