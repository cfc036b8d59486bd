"""What others hear about targets: at risk, breached, and how the month ended."""

from contracts.sla import BreachConfirmed, OpenOutage, PeriodClosed, TargetAtRisk
from sla_service.periods.events import Breached, CameAtRisk, Event, Finalised
from sla_service.periods.figures import Downtime
from sla_service.periods.state import Period

Announcement = TargetAtRisk | BreachConfirmed | PeriodClosed


def announce(period: Period, event: Event) -> Announcement | None:
    match event:
        case CameAtRisk():
            return _at_risk(period, event)
        case Breached():
            return _breach(period, event)
        case Finalised():
            return _closed(period, event)
        case _:
            return None


def _at_risk(period: Period, event: CameAtRisk) -> TargetAtRisk:
    assert period.sla is not None
    assert period.metric is not None
    return TargetAtRisk(
        sla=period.sla,
        sla_number=period.sla_number,
        version=period.version,
        service=period.service,
        customer=period.customer,
        target=period.target,
        metric=period.metric,
        month=period.month,
        at=event.at,
        used=event.used,
        budget=event.budget,
    )


def _breach(period: Period, event: Breached) -> BreachConfirmed:
    assert period.sla is not None
    assert period.metric is not None
    return BreachConfirmed(
        sla=period.sla,
        sla_number=period.sla_number,
        version=period.version,
        service=period.service,
        customer=period.customer,
        target=period.target,
        metric=period.metric,
        month=period.month,
        at=event.at,
        used=event.used,
        budget=event.budget,
        sources=event.sources,
    )


def _closed(period: Period, event: Finalised) -> PeriodClosed:
    assert period.sla is not None
    assert period.metric is not None
    lasting = event.figures.open if isinstance(event.figures, Downtime) else ()
    return PeriodClosed(
        sla=period.sla,
        sla_number=period.sla_number,
        version=period.version,
        service=period.service,
        customer=period.customer,
        target=period.target,
        metric=period.metric,
        month=period.month,
        at=event.at,
        met=event.met,
        attainment=event.figures.attainment,
        open=tuple(
            OpenOutage(source=each.source, id=each.id, started_at=each.since, corrects=each.corrects)
            for each in lasting
        ),
    )
