"""The arithmetic of agreed time: spans, service hours in a time zone, and the instant at which a budget is gone.

A span is half-open and in UTC. Seconds are exact decimals; an instant that falls between two microseconds is rounded
up, so that at that instant the seconds are used up for certain.
"""

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_CEILING, Decimal
from zoneinfo import ZoneInfo

Span = tuple[datetime, datetime]
Hours = tuple[tuple[int, int, int], ...]
"""Weekly windows: (weekday with Monday = 0, first minute of the day, minute after the last)."""

AROUND_THE_CLOCK: Hours = tuple((weekday, 0, 24 * 60) for weekday in range(7))
MICROSECOND = timedelta(microseconds=1)
SECOND = timedelta(seconds=1)
DAY = timedelta(days=1)


def union(spans: Iterable[Span]) -> tuple[Span, ...]:
    """The same time without overlaps, in order; spans that touch become one."""
    merged: list[Span] = []
    for start, end in sorted(span for span in spans if span[0] < span[1]):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], end))
        else:
            merged.append((start, end))
    return tuple(merged)


def intersection(some: Sequence[Span], others: Sequence[Span]) -> tuple[Span, ...]:
    """The time that lies in both; each must be a union."""
    common: list[Span] = []
    i = j = 0
    while i < len(some) and j < len(others):
        start, end = max(some[i][0], others[j][0]), min(some[i][1], others[j][1])
        if start < end:
            common.append((start, end))
        if some[i][1] <= others[j][1]:
            i += 1
        else:
            j += 1
    return tuple(common)


def shares_time(span: Span, others: Sequence[Span]) -> bool:
    """Whether a span and others, which must be a union, have any time in common."""
    began = bisect_left(others, span[1], key=lambda other: other[0])
    return span[0] < span[1] and began > 0 and others[began - 1][1] > span[0]


def seconds_in(spans: Iterable[Span]) -> Decimal:
    """How long these spans are together, if they do not overlap."""
    length = sum((end - start for start, end in spans), timedelta())
    return Decimal(length // MICROSECOND).scaleb(-6)


def reached(spans: Iterable[Span], seconds: Decimal) -> datetime | None:
    """The first instant by which these spans have lasted that long together."""
    return _used_up(spans, seconds, more=False)


def exceeded(spans: Iterable[Span], seconds: Decimal) -> datetime | None:
    """The instant from which on these spans last longer than that; a span that ends just then exceeds nothing."""
    return _used_up(spans, seconds, more=True)


def _used_up(spans: Iterable[Span], seconds: Decimal, *, more: bool) -> datetime | None:
    left = seconds
    for start, end in spans:
        length = seconds_in([(start, end)])
        if length > left or (length == left and not more):
            return start + int(left.scaleb(6).to_integral_value(ROUND_CEILING)) * MICROSECOND
        left -= length
    return None


def service_time(hours: Hours, holidays: Sequence[date], zone: str, within: Span) -> tuple[Span, ...]:
    """The time within a span whose wall clock in the zone shows a service hour of a day that is no holiday.

    Where clocks go back, an hour that is passed twice counts twice; where they go forward, the hour left out counts for
    nothing.
    """
    closed = frozenset(holidays)
    spans = (
        (max(start, begin), min(end, stop))
        for begin, stop, offset in _pieces_of_one_offset(ZoneInfo(zone), within)
        for start, end in _windows(hours, closed, (begin + offset).date(), (stop + offset).date(), offset)
    )
    return union(spans)


def _windows(hours: Hours, closed: frozenset[date], first: date, last: date, offset: timedelta) -> Iterator[Span]:
    for days in range((last - first).days + 1):
        day = first + timedelta(days=days)
        if day not in closed:
            midnight = datetime(day.year, day.month, day.day, tzinfo=UTC) - offset
            for weekday, opens, closes in hours:
                if weekday == day.weekday():
                    yield midnight + timedelta(minutes=opens), midnight + timedelta(minutes=closes)


def _pieces_of_one_offset(zone: ZoneInfo, within: Span) -> Iterator[tuple[datetime, datetime, timedelta]]:
    """The span, cut where the zone's clocks are put back or forward."""
    begin, stop = (at.astimezone(UTC) for at in within)
    offset, here = _offset(zone, begin), begin
    while here < stop:
        there = min(here + DAY, stop)
        if _offset(zone, there) != offset:
            change = _change(zone, here, there, offset)
            yield begin, change, offset
            begin, offset = change, _offset(zone, change)
        here = there
    if begin < stop:
        yield begin, stop, offset


def _change(zone: ZoneInfo, here: datetime, there: datetime, offset: timedelta) -> datetime:
    """The first second after `here` whose offset is another one."""
    steps = range((there - here) // SECOND + 1)
    return here + SECOND * bisect_left(steps, True, key=lambda step: _offset(zone, here + SECOND * step) != offset)


def _offset(zone: ZoneInfo, at: datetime) -> timedelta:
    offset = at.astimezone(zone).utcoffset()
    assert offset is not None
    return offset
