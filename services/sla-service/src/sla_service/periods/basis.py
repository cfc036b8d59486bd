"""By what a target is judged in a month: the versions in force in it, the time agreed in each, and the budget."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise

from events.kernel import value
from events.words import Count, Line, Percent, end_of, start_of
from sla_service import agreed_time
from sla_service.agreed_time import Span
from sla_service.months import first_day, last_day
from sla_service.slas.state import Part, Sla
from sla_service.slas.terms import AvailabilityTarget, ResolutionTarget, Target, Terms


@value
class Segment:
    """A part of a month in which one version is in force, and the time agreed in it (S-05)."""

    version: Count
    percent: Percent
    starts_at: datetime
    ends_at: datetime
    agreed_seconds: Decimal

    @property
    def span(self) -> Span:
        return self.starts_at, self.ends_at

    @property
    def budget_seconds(self) -> Decimal:
        """How long the service may be down in agreed time."""
        return self.agreed_seconds * (100 - self.percent) / 100


@value
class Basis:
    """What is judged of a month: the time from the first day to the last on which the target is in force.

    `agreed_seconds` is the service time agreed between both, `total_seconds` the time round the clock (S-06). `version`
    and `target` are those at the beginning; availability follows each version in its own segment.
    """

    version: Count
    target: Target
    zone: Line
    starts_at: datetime
    ends_at: datetime
    agreed_seconds: Decimal
    total_seconds: Decimal
    at_risk_percent: Percent
    segments: tuple[Segment, ...] = ()

    @property
    def span(self) -> Span:
        """The time that is judged."""
        return self.starts_at, self.ends_at

    @property
    def budget_seconds(self) -> Decimal:
        """How long the service may be down in agreed time without missing its target: the sum of what each allows."""
        return sum((segment.budget_seconds for segment in self.segments), Decimal())


def judged_by(sla: Sla, target: str, month: str) -> tuple[Part, ...]:
    """The versions by which a target is judged in a month, each with its days; none, where the target is not in force.

    Availability is judged by each version in its own days. Incidents are counted over the month as a whole, so their
    share is judged by the version at its beginning; a change in mid-month governs from the next.
    """
    parts = sla.parts(first_day(month), last_day(month))
    if parts and isinstance(parts[0].version.terms.target(target), ResolutionTarget):
        return (replace(parts[0], last=parts[-1].last),)
    return tuple(part for part in parts if isinstance(part.version.terms.target(target), AvailabilityTarget))


def basis_of(sla: Sla, target: str, month: str) -> Basis | None:
    """By what the target is judged in that month; None where the agreement or the target is not in force."""
    parts = judged_by(sla, target, month)
    meant = parts[0].version.terms.target(target) if parts else None
    if meant is None:
        return None
    terms, spans = parts[0].version.terms, _spans(parts)
    agreed = [
        agreed_time.seconds_in(agreed_spans(part.version.terms, span)) for part, span in zip(parts, spans, strict=True)
    ]
    whole = spans[0][0], spans[-1][1]
    return Basis(
        version=parts[0].version.number,
        target=meant,
        zone=terms.time_zone,
        starts_at=whole[0],
        ends_at=whole[1],
        agreed_seconds=sum(agreed, Decimal()),
        total_seconds=agreed_time.seconds_in([whole]),
        at_risk_percent=terms.at_risk_percent if meant.at_risk_percent is None else meant.at_risk_percent,
        segments=tuple(_segments(parts, spans, agreed, target)),
    )


def _spans(parts: Sequence[Part]) -> list[Span]:
    """The time of each part: until the next one begins by the clocks of its own zone, or its last day is over."""
    starts = [start_of(part.first, part.version.terms.time_zone).astimezone(UTC) for part in parts]
    ends = [end_of(part.last, part.version.terms.time_zone).astimezone(UTC) for part in parts]
    for n, (part, following) in enumerate(pairwise(parts)):
        if following.first - part.last == timedelta(days=1):
            ends[n] = starts[n + 1]
    return list(zip(starts, ends, strict=True))


def _segments(
    parts: Sequence[Part], spans: Sequence[Span], agreed: Sequence[Decimal], target: str
) -> Iterator[Segment]:
    for part, (start, end), seconds in zip(parts, spans, agreed, strict=True):
        meant = part.version.terms.target(target)
        if isinstance(meant, AvailabilityTarget):
            yield Segment(
                version=part.version.number,
                percent=meant.percent,
                starts_at=start,
                ends_at=end,
                agreed_seconds=seconds,
            )


def agreed_spans(terms: Terms, span: Span) -> tuple[Span, ...]:
    """The agreed service time within a span."""
    return agreed_time.service_time(terms.hours, terms.holidays, terms.time_zone, span)
