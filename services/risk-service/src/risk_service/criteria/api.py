"""The criteria over HTTP: one object per tenant, in force without any set-up."""

from chassis.routes import Routes
from risk_service.criteria.aggregate import criteria
from risk_service.criteria.domain import Publish

routes = Routes(aggregate=criteria, path="criteria", noun="criteria", read="criteria.read", singleton=True)
routes.act(
    "versions",
    Publish,
    permission="criteria.publish",
    summary="Publish a new version of the risk criteria",
    example={
        "criteria": {
            "likelihood": ["rare", "unlikely", "possible", "likely", "almost certain"],
            "impact": ["negligible", "minor", "moderate", "major", "severe"],
            "limit": 12,
            "bands": [
                {"name": "low", "up_to": 6, "approver": "risk-manager", "review_every_days": 365},
                {"name": "medium", "up_to": 12, "approver": "cio", "review_every_days": 180},
                {"name": "high", "up_to": 25, "approver": "top-management", "review_every_days": 90},
            ],
            "breaches_per_step": 1,
            "zone": "Europe/Berlin",
        },
        "reason": "The board raised its appetite for the year 2026",
    },
)
