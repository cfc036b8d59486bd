"""Periods over HTTP: they are read here, and made by measurements."""

from datetime import datetime
from decimal import Decimal
from uuid import UUID

from chassis.routes import FanOut, Listing, Routes
from contracts.sla import Metric
from events.kernel import value
from sla_service import measurements
from sla_service.periods.aggregate import periods
from sla_service.periods.basis import Segment
from sla_service.periods.figures import Downtime, Figures, Open, rounded
from sla_service.periods.state import AtRisk, Breach, Period, Stage, Status
from sla_service.slas.terms import AvailabilityTarget, Target


@value
class PeriodView:
    """A target in a month, as readers see it: availability in minutes, resolution time in incidents."""

    status: Status
    stage: Stage
    restated: int
    met: bool | None
    sla: UUID | None
    sla_number: str
    version: int
    service: str
    customer: str
    target: str
    metric: Metric | None
    month: str
    terms: Target | None
    starts_at: datetime | None
    ends_at: datetime | None
    attainment: Decimal | None
    attainment_unadjusted: Decimal | None
    final_attainment: Decimal | None
    segments: tuple[Segment, ...]
    agreed_minutes: Decimal | None
    total_minutes: Decimal | None
    budget_minutes: Decimal | None
    used_minutes: Decimal | None
    used_minutes_unadjusted: Decimal | None
    in_time: int | None
    misses: int | None
    open: tuple[Open, ...]
    at_risk_now: bool
    at_risk: AtRisk | None
    breach: Breach | None
    sources: tuple[str, ...]
    next_at: datetime | None


def view(period: Period, _: datetime) -> PeriodView:
    basis, figures, final = period.basis, period.figures, period.final_figures
    down = figures if isinstance(figures, Downtime) else None
    resolved = None if figures is None or isinstance(figures, Downtime) else figures
    budget = basis.budget_seconds if basis and isinstance(basis.target, AvailabilityTarget) else None
    return PeriodView(
        status=period.status,
        stage=period.stage,
        restated=period.restated,
        met=period.met,
        sla=period.sla,
        sla_number=period.sla_number,
        version=period.version,
        service=period.service,
        customer=period.customer,
        target=period.target,
        metric=period.metric,
        month=period.month,
        terms=basis.target if basis else None,
        starts_at=basis.starts_at if basis else None,
        ends_at=basis.ends_at if basis else None,
        attainment=figures.attainment if figures else None,
        attainment_unadjusted=down.attainment_unadjusted if down else None,
        final_attainment=final.attainment if final else None,
        segments=basis.segments if basis else (),
        agreed_minutes=_minutes(basis.agreed_seconds if basis else None),
        total_minutes=_minutes(basis.total_seconds if basis else None),
        budget_minutes=_minutes(budget),
        used_minutes=_minutes(down.down_seconds if down else None),
        used_minutes_unadjusted=_minutes(down.down_seconds_unadjusted if down else None),
        in_time=resolved.in_time if resolved else None,
        misses=resolved.misses if resolved else None,
        open=figures.open if figures else (),
        at_risk_now=period.at_risk_now,
        at_risk=period.at_risk,
        breach=period.breach,
        sources=_sources(figures, period),
        next_at=period.next_at,
    )


def _minutes(seconds: Decimal | None) -> Decimal | None:
    return None if seconds is None else rounded(seconds / 60)


def _sources(figures: Figures | None, period: Period) -> tuple[str, ...]:
    """The outages that count, or all incidents that were reported."""
    return figures.sources if isinstance(figures, Downtime) else period.samples


routes = Routes(
    aggregate=periods,
    path="periods",
    noun="target in a month",
    read="period.read",
    view=view,
    listing=Listing(
        filters=("status", "stage", "service", "sla", "target", "month", "metric"),
        sorts=("month",),
    ),
)
routes.fan_out(
    FanOut(
        path="measurements",
        body=measurements.Measurements,
        permission="measurement.post",
        summary="Report outages and incidents of one service; the same samples again count for nothing",
        example={
            "service": "SVC-ERP",
            "source": "service-desk",
            "samples": [
                {"id": "INC-4711", "started_at": "2026-04-14T09:10:00Z", "ended_at": "2026-04-14T10:25:00Z"},
                {"id": "INC-4712", "opened_at": "2026-04-14T09:15:00Z", "resolved_at": None, "priority": "2"},
            ],
        },
        needs=measurements.needs,
        orders=measurements.orders,
    )
)
