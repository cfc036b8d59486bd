"""Availability in a month: overlapping reports are one outage, and only agreed time counts (S-06, S-09)."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from decimal import Decimal

from sla_service.agreed_time import Span, exceeded, intersection, reached, seconds_in, shares_time, union
from sla_service.periods.basis import Basis
from sla_service.periods.figures import Assessment, Crossing, Downtime, Open, minutes, share
from sla_service.samples import Outage, Report


def assess(basis: Basis, agreed: Sequence[Span], reports: Iterable[Report], now: datetime) -> Assessment:
    """How the target stands now, by the reports in force and the agreed time of the month.

    The budget is gone at the instant from which there is more downtime than budget. An outage that lasts is taken to go
    on, which tells when that will be; it has happened if that instant has come.
    """
    here = list(_within(basis.span, reports))
    known = union(_clipped(outage, basis.span, now) for _, outage in here)
    expected = intersection(union(_clipped(outage, basis.span, basis.ends_at) for _, outage in here), agreed)
    budget = basis.budget_seconds
    line = budget * basis.at_risk_percent / 100
    at_risk = reached(expected, line) if budget else None
    breach = exceeded(expected, budget)
    used = seconds_in(intersection(known, agreed))
    return Assessment(
        figures=_figures(basis, here, used, seconds_in(known)),
        budget=minutes(budget),
        at_risk=Crossing(at_risk, minutes(line)) if at_risk and at_risk <= now else None,
        at_risk_now=at_risk is not None and at_risk <= now,
        breach=Crossing(breach, minutes(used)) if breach and breach <= now else None,
        sources=tuple(
            report.label for report, outage in here if shares_time(_clipped(outage, basis.span, now), agreed)
        ),
        next_at=min((at for at in (at_risk, breach, basis.ends_at) if at is not None and at > now), default=None),
    )


def _within(month: Span, reports: Iterable[Report]) -> Iterator[tuple[Report, Outage]]:
    """Each report of an outage that lies in the month, with that outage."""
    for report in reports:
        if isinstance(report.sample, Outage) and _touches(report.sample, month):
            yield report, report.sample


def _figures(basis: Basis, here: Sequence[tuple[Report, Outage]], used: Decimal, unadjusted: Decimal) -> Downtime:
    """`used`: seconds down in agreed time; `unadjusted`: round the clock."""
    return Downtime(
        down_seconds=used,
        down_seconds_unadjusted=unadjusted,
        attainment=share(basis.agreed_seconds - used, basis.agreed_seconds),
        attainment_unadjusted=share(basis.total_seconds - unadjusted, basis.total_seconds),
        sources=tuple(report.label for report, _ in here),
        open=tuple(_open(report, outage) for report, outage in here if outage.ended_at is None),
    )


def _touches(outage: Outage, month: Span) -> bool:
    """Whether it lies in the month at least in part; an outage of no length lies in none."""
    if outage.started_at == outage.ended_at:
        return False
    return outage.started_at < month[1] and (outage.ended_at is None or outage.ended_at > month[0])


def _clipped(outage: Outage, month: Span, until: datetime) -> Span:
    end = until if outage.ended_at is None else outage.ended_at
    return max(outage.started_at, month[0]), min(end, month[1])


def _open(report: Report, outage: Outage) -> Open:
    return Open(source=report.source, id=outage.id, since=outage.started_at, corrects=outage.corrects)
