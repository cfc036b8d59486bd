"""What others hear about targets: at risk, breached, and how the month ended."""

from contracts.sla import BreachConfirmed, OpenOutage, PeriodClosed, TargetAtRisk
from sla_service.periods.events import Breached, CameAtRisk, Event, Finalised
from sla_service.periods.figures import Downtime
from sla_service.periods.state import Period

Announcement = TargetAtRisk | BreachConfirmed | PeriodClosed


def announce(period: Period, happened: Event) -> Announcement | None:
    match happened:
        case CameAtRisk():
            return _at_risk(period, happened)
        case Breached():
            return _breach(period, happened)
        case Finalised():
            return _closed(period, happened)
        case _:
            return None


def _at_risk(period: Period, happened: CameAtRisk) -> TargetAtRisk:
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
        at=happened.at,
        used=happened.used,
        budget=happened.budget,
    )


def _breach(period: Period, happened: Breached) -> BreachConfirmed:
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
        at=happened.at,
        used=happened.used,
        budget=happened.budget,
        sources=happened.sources,
    )


def _closed(period: Period, happened: Finalised) -> PeriodClosed:
    assert period.sla is not None
    assert period.metric is not None
    lasting = happened.figures.open if isinstance(happened.figures, Downtime) else ()
    return PeriodClosed(
        sla=period.sla,
        sla_number=period.sla_number,
        version=period.version,
        service=period.service,
        customer=period.customer,
        target=period.target,
        metric=period.metric,
        month=period.month,
        at=happened.at,
        met=happened.met,
        attainment=happened.figures.attainment,
        open=tuple(
            OpenOutage(source=each.source, id=each.id, started_at=each.since, corrects=each.corrects)
            for each in lasting
        ),
    )
