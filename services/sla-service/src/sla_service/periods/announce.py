"""What others hear about targets: at risk, breached or not after all, and how the month ended."""

from datetime import datetime
from typing import TypedDict
from uuid import UUID

from contracts.sla import BreachConfirmed, BreachWithdrawn, Metric, OpenOutage, PeriodClosed, TargetAtRisk
from sla_service.periods.events import Breached, BreachRestated, CameAtRisk, Event, Finalised
from sla_service.periods.figures import Downtime
from sla_service.periods.state import Period

Announcement = TargetAtRisk | BreachConfirmed | BreachWithdrawn | PeriodClosed


class About(TypedDict):
    """Which target, of which agreement, in which month: the beginning of everything told about a period."""

    sla: UUID
    sla_number: str
    version: int
    service: str
    customer: str
    target: str
    metric: Metric
    month: str


def announce(period: Period, happened: Event) -> Announcement | None:
    match happened:
        case CameAtRisk():
            return _at_risk(period, happened)
        case Breached():
            return _breach(period, happened.at, happened.used, happened.budget, happened.sources)
        case BreachRestated():
            return _restated(period, happened)
        case Finalised():
            return _closed(period, happened)
        case _:
            return None


def _about(period: Period) -> About:
    assert period.sla is not None
    assert period.metric is not None
    return About(
        sla=period.sla,
        sla_number=period.sla_number,
        version=period.version,
        service=period.service,
        customer=period.customer,
        target=period.target,
        metric=period.metric,
        month=period.month,
    )


def _at_risk(period: Period, happened: CameAtRisk) -> TargetAtRisk:
    return TargetAtRisk(**_about(period), at=happened.at, used=happened.used, budget=happened.budget)


def _restated(period: Period, happened: BreachRestated) -> BreachConfirmed | BreachWithdrawn | None:
    """Others hear whether there is a breach, not how its instant moves."""
    assert period.breach is not None
    if happened.at is None or happened.used is None or happened.budget is None:
        return BreachWithdrawn(**_about(period))
    if period.breach.known_before is not None:
        return None
    return _breach(period, happened.at, happened.used, happened.budget, happened.sources)


def _breach(period: Period, at: datetime, used: str, budget: str, sources: tuple[str, ...]) -> BreachConfirmed:
    return BreachConfirmed(
        **_about(period),
        at=at,
        used=used,
        budget=budget,
        sources=sources,
    )


def _closed(period: Period, happened: Finalised) -> PeriodClosed:
    lasting = happened.figures.open if isinstance(happened.figures, Downtime) else ()
    return PeriodClosed(
        **_about(period),
        at=happened.at,
        met=happened.met,
        attainment=happened.figures.attainment,
        open=tuple(
            OpenOutage(source=each.source, id=each.id, started_at=each.since, corrects=each.corrects)
            for each in lasting
        ),
    )
