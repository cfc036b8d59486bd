"""Findings, from objective evidence to proof that they are gone."""

from audit_service.findings.aggregate import findings
from audit_service.findings.api import routes
from audit_service.findings.react import HEARD, react
from chassis.routes import Feature

feature = Feature(aggregate=findings, routes=routes, hears=HEARD, react=react)
