"""The figures of a period: what has been counted so far, and when something will happen by itself."""

from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal

from events.kernel import value
from events.words import Count, Key, Line

THOUSANDTH = Decimal("0.001")


@value
class Open:
    """A sample that is not over: an outage since its start, an incident since its opening."""

    source: Key
    id: Key
    since: datetime
    corrects: Key | None


@value
class Downtime:
    """An availability target so far: seconds down in agreed time and round the clock, and who said so (S-06, S-09)."""

    down_seconds: Decimal
    down_seconds_unadjusted: Decimal
    attainment: Decimal | None
    """Percent of the whole agreed time of the month; null where nothing was agreed."""
    attainment_unadjusted: Decimal | None
    sources: tuple[Line, ...]
    open: tuple[Open, ...]


@value
class Resolutions:
    """A resolution-time target so far: how many incidents were in time, and how many were not."""

    in_time: Count
    misses: Count
    attainment: Decimal | None
    """Percent in time; null while there is none."""
    open: tuple[Open, ...]


Figures = Downtime | Resolutions


@dataclass(frozen=True)
class Crossing:
    """A line was crossed: when, and how that reads to people."""

    at: datetime
    used: str


@dataclass(frozen=True)
class Assessment:
    """How a period stands at an instant. What is recorded of it are the figures, the crossings and `next_at`."""

    figures: Figures
    budget: str
    at_risk: Crossing | None
    at_risk_now: bool
    breach: Crossing | None
    sources: tuple[str, ...]
    """The samples that a breach rests on."""
    next_at: datetime | None
    """When the figures or the verdict change by themselves, if nothing more is reported."""


def share(part: Decimal | int, whole: Decimal | int) -> Decimal | None:
    """A percentage with three places, half up; None of nothing."""
    return rounded(Decimal(part) * 100 / Decimal(whole)) if whole else None


def rounded(figure: Decimal) -> Decimal:
    """Three places, half up."""
    return figure.quantize(THOUSANDTH, ROUND_HALF_UP)


def minutes(seconds: Decimal) -> str:
    """2592 seconds -> 43.2 min"""
    return f"{plain(rounded(seconds / 60))} min"


def percent(figure: Decimal) -> str:
    """99.900 -> 99.9 %"""
    return f"{plain(figure)} %"


def plain(figure: Decimal) -> str:
    """Without trailing zeros, and never as 1E+2."""
    return f"{figure.normalize():f}"


def count(number: int, noun: str) -> str:
    """1 miss, 2 misses"""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}es"
