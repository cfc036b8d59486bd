"""What the services must say about the real input, counted row by row: shares no code with the service that says it.

An incident counts once: in time, in the month of its resolution; too late or never resolved, in the month in which its
time was over. The desk reports each open incident at the latest when a month ends, so both are well-defined.
Downtime is counted second by second, in the calendar month of the agreement's zone.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from zoneinfo import ZoneInfo

from stack.demo.real_input import Incident, Outage


@dataclass(frozen=True)
class ResolutionTarget:
    """Incidents of a priority are resolved within a time: so many percent of them, or all but so many."""

    key: str
    priority: str
    within: timedelta
    percent: Decimal | None = None
    misses_allowed: int | None = None


@dataclass(frozen=True)
class Verdict:
    """What a target came to in a month; `breached_at` is the instant at which it was lost."""

    service: str
    target: str
    month: str
    attainment: Decimal
    breached_at: datetime | None

    @property
    def name(self) -> str:
        """How a person would name it: SVC-DESK p1-in-4h 2016-03."""
        return f"{self.service} {self.target} {self.month}"


def resolution(
    service: str, target: ResolutionTarget, rows: Iterable[Incident], zone: ZoneInfo, until: datetime
) -> list[Verdict]:
    """The months of a target in which at least one incident counts, as they stand at `until`."""
    months: dict[str, list[tuple[datetime, bool]]] = {}
    for row in rows:
        if row.priority == target.priority:
            at, missed = _outcome(row, target.within)
            if at <= until:
                months.setdefault(_month(at, zone), []).append((at, missed))
    return [_resolution_verdict(service, target, month, facts, zone, until) for month, facts in sorted(months.items())]


def in_time(row: Incident, within: timedelta) -> bool:
    """Whether an incident was resolved within that time, round the clock."""
    return row.resolved_at is not None and row.resolved_at <= _limit(row, within)


def _limit(row: Incident, within: timedelta) -> datetime:
    """In absolute time: local clocks may be put forward or back in between."""
    return row.opened_at.astimezone(UTC) + within


def _outcome(row: Incident, within: timedelta) -> tuple[datetime, bool]:
    if row.resolved_at is not None and in_time(row, within):
        return row.resolved_at, False
    return _limit(row, within), True


def _resolution_verdict(
    service: str,
    target: ResolutionTarget,
    month: str,
    facts: list[tuple[datetime, bool]],
    zone: ZoneInfo,
    until: datetime,
) -> Verdict:
    misses = sorted(at for at, missed in facts if missed)
    hits = len(facts) - len(misses)
    breached_at: datetime | None = None
    if target.misses_allowed is not None:
        if len(misses) > target.misses_allowed:
            breached_at = misses[target.misses_allowed]
    elif target.percent is not None:
        over = _month_span(month, zone)[1]
        if until >= over and Decimal(hits * 100) < target.percent * len(facts):
            breached_at = over
    return Verdict(service, target.key, month, _percent(hits, len(facts)), breached_at)


def availability(
    service: str, target: str, percent: Decimal, outages: Sequence[Outage], month: str, zone: ZoneInfo, until: datetime
) -> Verdict:
    """How long the service was usable in the month, round the clock, as far as is known at `until`."""
    begins, ends = _month_span(month, zone)
    whole = int((ends - begins).total_seconds())
    allowed = Decimal(whole) * (100 - percent) / 100
    down: set[int] = set()
    breached_at: datetime | None = None
    for outage in sorted(outages, key=lambda each: each.started_at):
        start, end = max(outage.started_at, begins), min(outage.ended_at or until, ends, until)
        for second in range(int(start.timestamp()), int(end.timestamp())):
            down.add(second)
            if breached_at is None and len(down) > allowed:
                breached_at = datetime.fromtimestamp(second, zone) + _used_of_second(allowed)
    return Verdict(service, target, month, _percent(whole - len(down), whole), breached_at)


def _used_of_second(allowed: Decimal) -> timedelta:
    """How far into its last second the budget reaches."""
    return timedelta(microseconds=int(allowed % 1 * 1_000_000))


def _month(at: datetime, zone: ZoneInfo) -> str:
    return at.astimezone(zone).strftime("%Y-%m")


def _month_span(month: str, zone: ZoneInfo) -> tuple[datetime, datetime]:
    year, number = int(month[:4]), int(month[5:])
    following = (year + 1, 1) if number == 12 else (year, number + 1)
    return datetime(year, number, 1, tzinfo=zone), datetime(*following, 1, tzinfo=zone)


def _percent(part: int, whole: int) -> Decimal:
    return (Decimal(part) * 100 / whole).quantize(Decimal("0.001"), ROUND_HALF_UP)
