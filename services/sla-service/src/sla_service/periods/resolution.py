"""Resolution time in a month: which incidents count in it, which of them were too late, and since when that is a fact.

An incident that is open longer than the time allowed is a miss, at the instant at which that time is over.
Each incident counts once, in one month:
- resolved in time: in the month of its resolution;
- resolved late, and reported only then: in the month of its resolution;
- open, or resolved late after it was reported open (its resolution corrects that report): in the month in which it
  became a miss. So a miss that was counted stays where it was counted.
A miss whose time was over in an earlier month than it counts in is a fact of its month from the beginning on.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from sla_service.periods.basis import Basis
from sla_service.periods.figures import Assessment, Crossing, Open, Resolutions, count, percent, share
from sla_service.samples import Incident, Report
from sla_service.slas.terms import ResolutionTarget


@dataclass(frozen=True)
class Counted:
    """An incident as it counts: when that became a fact, and whether it is a miss."""

    at: datetime
    missed: bool
    label: str


def counts_at(incident: Incident, target: ResolutionTarget) -> datetime:
    """The instant whose month an incident counts in."""
    limit = incident.opened_at + timedelta(seconds=target.within)
    if incident.resolved_at is None or (incident.corrects is not None and incident.resolved_at > limit):
        return limit
    return incident.resolved_at


def assess(basis: Basis, reports: Iterable[Report], now: datetime) -> Assessment:
    """How the target stands now, by the reports in force."""
    target = basis.target
    assert isinstance(target, ResolutionTarget)
    here = [
        (report, report.sample)
        for report in reports
        if isinstance(report.sample, Incident) and _counts_here(report.sample, target, basis)
    ]
    facts = sorted(
        (_fact(report, incident, target, basis) for report, incident in here),
        key=lambda fact: (fact.at, fact.missed, fact.label),
    )
    known = [fact for fact in facts if fact.at <= now]
    judge = _share if target.percent is not None else _misses
    figures = _figures(known, here)
    to_come = [fact.at for fact in facts[len(known) :]]
    following = min([*to_come, *([basis.ends_at] if basis.ends_at > now else [])], default=None)
    return judge(basis, target, known, figures, now, following)


def _counts_here(incident: Incident, target: ResolutionTarget, basis: Basis) -> bool:
    return target.priority in (None, incident.priority) and (
        basis.starts_at <= counts_at(incident, target) < basis.ends_at
    )


def _fact(report: Report, incident: Incident, target: ResolutionTarget, basis: Basis) -> Counted:
    limit = incident.opened_at + timedelta(seconds=target.within)
    if incident.resolved_at is not None and incident.resolved_at <= limit:
        return Counted(incident.resolved_at, False, report.label)
    return Counted(max(limit, basis.starts_at), True, report.label)


def _figures(known: Sequence[Counted], here: Sequence[tuple[Report, Incident]]) -> Resolutions:
    misses = sum(fact.missed for fact in known)
    return Resolutions(
        in_time=len(known) - misses,
        misses=misses,
        attainment=share(len(known) - misses, len(known)),
        open=tuple(
            Open(source=report.source, id=incident.id, since=incident.opened_at, corrects=incident.corrects)
            for report, incident in here
            if incident.resolved_at is None
        ),
    )


def _share(
    basis: Basis,
    target: ResolutionTarget,
    known: Sequence[Counted],
    figures: Resolutions,
    now: datetime,
    next_at: datetime | None,
) -> Assessment:
    """At risk while the running share is too low, once enough incidents tell; decided at the end of the month."""
    wanted = target.percent or Decimal(0)
    running = list(_running(known))
    low = [
        (at, hits, total) for at, hits, total in running if total >= target.at_risk_after and _low(hits, total, wanted)
    ]
    first = next(iter(low), None)
    over = now >= basis.ends_at and bool(known) and _low(figures.in_time, len(known), wanted)
    return Assessment(
        figures=figures,
        budget=percent(wanted),
        at_risk=Crossing(first[0], _reads(first[1], first[2])) if first else None,
        at_risk_now=bool(low) and low[-1] == running[-1],
        breach=Crossing(basis.ends_at, _reads(figures.in_time, len(known))) if over else None,
        sources=tuple(fact.label for fact in known if fact.missed),
        next_at=next_at,
    )


def _running(known: Sequence[Counted]) -> Iterator[tuple[datetime, int, int]]:
    hits = 0
    for total, fact in enumerate(known, start=1):
        hits += not fact.missed
        yield fact.at, hits, total


def _low(hits: int, total: int, wanted: Decimal) -> bool:
    return hits * 100 < wanted * total


def _reads(hits: int, total: int) -> str:
    return f"{percent(share(hits, total) or Decimal(0))} of {total}"


def _misses(
    basis: Basis,
    target: ResolutionTarget,
    known: Sequence[Counted],
    figures: Resolutions,
    now: datetime,
    next_at: datetime | None,
) -> Assessment:
    """At risk at the miss that reaches the configured percent of those allowed, breached at the first beyond."""
    allowed = target.misses_allowed or 0
    missed = [fact for fact in known if fact.missed]
    risky = [number for number in range(1, allowed + 1) if number * 100 >= basis.at_risk_percent * allowed]
    line = risky[0] if risky else None
    return Assessment(
        figures=figures,
        budget=count(allowed, "miss"),
        at_risk=Crossing(missed[line - 1].at, count(line, "miss")) if line and len(missed) >= line else None,
        at_risk_now=line is not None and len(missed) >= line,
        breach=Crossing(missed[allowed].at, count(len(missed), "miss")) if len(missed) > allowed else None,
        sources=tuple(fact.label for fact in missed),
        next_at=next_at,
    )
