"""What is reported in 2026, and the targets that it counts for."""

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from sla_service.samples import Incident, Outage
from sla_service.slas.terms import AvailabilityTarget, ResolutionTarget

AVAILABLE = AvailabilityTarget(key="availability", percent=Decimal("99.9"))
SHARE = ResolutionTarget(key="p1", priority="1", within=4 * 3600, percent=Decimal(90), at_risk_after=3)
MISSES = ResolutionTarget(key="p2", priority="2", within=24 * 3600, misses_allowed=2)
History = Callable[..., list[Any]]


def t(written: str) -> datetime:
    """04-14 09:10 of 2026, in UTC"""
    return datetime.fromisoformat(f"2026-{written}").replace(tzinfo=UTC)


def outage(id: str, start: str, end: str | None = None, corrects: str | None = None) -> Outage:
    return Outage(id=id, started_at=t(start), ended_at=t(end) if end else None, corrects=corrects)


def incident(
    id: str, opened: str, resolved: str | None = None, priority: str = "1", corrects: str | None = None
) -> Incident:
    done = t(resolved) if resolved else None
    return Incident(id=id, opened_at=t(opened), resolved_at=done, priority=priority, corrects=corrects)


def named(events: list[Any], kind: type[Any]) -> list[Any]:
    return [event for event in events if isinstance(event, kind)]
