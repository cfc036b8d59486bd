"""By what a target is judged in a month: the version that governs it, the time agreed in it, and the budget."""

from datetime import UTC, date, datetime
from decimal import Decimal

from events.kernel import value
from events.words import Count, Line, Percent, end_of, start_of
from sla_service import agreed_time
from sla_service.agreed_time import Span
from sla_service.months import first_day, last_day
from sla_service.slas.state import Sla
from sla_service.slas.terms import AvailabilityTarget, Target, Terms


@value
class Basis:
    """One version governs a month, from the month's first day in force to its last; only that time is judged.

    `agreed_seconds` is the service time agreed between both, `total_seconds` the time round the clock (S-06).
    """

    version: Count
    target: Target
    zone: Line
    starts_at: datetime
    ends_at: datetime
    agreed_seconds: Decimal
    total_seconds: Decimal
    at_risk_percent: Percent

    @property
    def span(self) -> Span:
        """The time that is judged."""
        return self.starts_at, self.ends_at

    @property
    def budget_seconds(self) -> Decimal:
        """How long the service may be down in agreed time without missing its target."""
        assert isinstance(self.target, AvailabilityTarget)
        return self.agreed_seconds * (100 - self.target.percent) / 100


def days_in_force(sla: Sla, month: str) -> tuple[date, date] | None:
    """The first and the last day of a month on which the agreement is in force."""
    first, last = first_day(month), last_day(month)
    version = sla.governing(first, last)
    if version is None or version.applies_from is None:
        return None
    return max(first, version.applies_from), min(last, sla.last_day or last)


def basis_of(sla: Sla, target: str, month: str) -> Basis | None:
    """By what the target is judged in that month; None where the agreement or the target is not in force."""
    version, days = sla.governing(first_day(month), last_day(month)), days_in_force(sla, month)
    meant = version.terms.target(target) if version else None
    if version is None or days is None or meant is None:
        return None
    zone = version.terms.time_zone
    span = start_of(days[0], zone).astimezone(UTC), end_of(days[1], zone).astimezone(UTC)
    return Basis(
        version=version.number,
        target=meant,
        zone=zone,
        starts_at=span[0],
        ends_at=span[1],
        agreed_seconds=agreed_time.seconds_in(agreed_spans(version.terms, span)),
        total_seconds=agreed_time.seconds_in([span]),
        at_risk_percent=version.terms.at_risk_percent if meant.at_risk_percent is None else meant.at_risk_percent,
    )


def agreed_spans(terms: Terms, span: Span) -> tuple[Span, ...]:
    """The agreed service time within a span."""
    return agreed_time.service_time(terms.hours, terms.holidays, terms.time_zone, span)
