"""Audits, from plan to follow-up."""

from audit_service.audits.aggregate import audits
from audit_service.audits.api import routes
from chassis.routes import Feature

feature = Feature(aggregate=audits, routes=routes)
