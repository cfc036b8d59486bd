"""Agreements over HTTP."""

from collections.abc import Mapping
from typing import Any

from chassis.routes import Listing, Routes
from sla_service.slas.aggregate import slas
from sla_service.slas.commands import Activate, Amend, Draft, Sign, Terminate

TERMS: Mapping[str, Any] = {
    "parties": [{"name": "Meridian", "role": "provider"}, {"name": "Halden Bank", "role": "customer"}],
    "targets": [
        {"metric": "availability", "key": "availability", "percent": "99.9"},
        {
            "metric": "resolution-time",
            "key": "p1-in-4h",
            "priority": "1",
            "within": 14400,
            "percent": "95",
            "at_risk_after": 5,
        },
        {"metric": "resolution-time", "key": "p2-in-24h", "priority": "2", "within": 86400, "misses_allowed": 2},
    ],
    "workload_limits": [{"subject": "named users", "limit": "400"}],
    "exclusions": ["Outages caused by the customer's own network"],
    "service_hours": [{"days": ["mon", "tue", "wed", "thu", "fri"], "opens": "08:00", "closes": "18:00"}],
    "holidays": ["2026-05-01"],
    "time_zone": "Europe/Berlin",
    "measurement": {"source": "monitor", "method": "Synthetic login every minute"},
    "review_every_days": 90,
    "audience": ["Halden Bank, IT steering"],
    "effective_from": "2026-01-01",
    "effective_to": None,
    "at_risk_percent": "75",
}

routes = Routes(
    aggregate=slas,
    path="slas",
    noun="service level agreement",
    read="sla.read",
    listing=Listing(filters=("status", "service", "customer")),
)
routes.create(
    Draft,
    permission="sla.draft",
    summary="Draft a service level agreement",
    example={"service": "SVC-ERP", "customer": "halden-bank", "terms": TERMS},
)
routes.act(
    "amendment",
    Amend,
    permission="sla.draft",
    summary="Propose the next version",
    example={"terms": {**TERMS, "effective_from": "2026-07-01"}, "reason": "Round the clock from July"},
)
routes.act(
    "signature",
    Sign,
    permission="sla.sign",
    summary="Record that one side signed the proposed version",
    example={"side": "provider", "person": "p-ruiz", "on": "2025-12-15"},
)
routes.act(
    "activation", Activate, permission="sla.sign", summary="Put the agreed version in force on its day", example={}
)
routes.act(
    "termination",
    Terminate,
    permission="sla.terminate",
    summary="End the agreement with a day",
    example={"ends_on": "2026-12-31", "reason": "The service is replaced"},
)
