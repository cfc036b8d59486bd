"""Agreed time, against an oracle that asks every single minute."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st

from sla_service.agreed_time import (
    AROUND_THE_CLOCK,
    Span,
    exceeded,
    intersection,
    reached,
    seconds_in,
    service_time,
    union,
)

MINUTE = timedelta(minutes=1)
EPOCH = datetime(2026, 3, 28, tzinfo=UTC)


def at(minute: int) -> datetime:
    return EPOCH + minute * MINUTE


spans = st.lists(
    st.tuples(st.integers(0, 300), st.integers(0, 60)).map(lambda pair: (at(pair[0]), at(pair[0] + pair[1]))),
    max_size=12,
)


def minutes_of(some: list[Span] | tuple[Span, ...]) -> set[datetime]:
    return {minute for minute in map(at, range(400)) for start, end in some if start <= minute < end}


@given(spans)
def test_a_union_is_the_same_minutes_each_counted_once(some: list[Span]) -> None:
    merged = union(some)
    assert minutes_of(merged) == minutes_of(some)
    assert seconds_in(merged) == 60 * len(minutes_of(some))
    assert union(reversed(some)) == merged


@given(spans, spans)
def test_an_intersection_is_the_minutes_in_both(some: list[Span], others: list[Span]) -> None:
    assert minutes_of(intersection(union(some), union(others))) == minutes_of(some) & minutes_of(others)


@given(spans, st.integers(0, 400))
def test_a_budget_is_exceeded_from_the_minute_that_is_one_too_many(some: list[Span], budget: int) -> None:
    minutes = sorted(minutes_of(some))
    too_many = minutes[budget] if budget < len(minutes) else None
    assert exceeded(union(some), Decimal(60 * budget)) == too_many
    if 0 < budget <= len(minutes):
        assert reached(union(some), Decimal(60 * budget)) == minutes[budget - 1] + MINUTE


@given(st.decimals("0.000001", 3000, places=9))
def test_at_the_instant_found_the_seconds_are_used_up(seconds: Decimal) -> None:
    instant = reached([(at(0), at(60))], seconds)
    assert instant is not None
    assert 0 <= seconds_in([(at(0), instant)]) - seconds < Decimal("0.000001")


ZONES = ("Europe/Berlin", "America/Sao_Paulo", "America/Havana", "Australia/Lord_Howe", "Asia/Kathmandu", "UTC")
DAYS_WITH_CHANGES = (date(2016, 2, 20), date(2016, 10, 15), date(2026, 3, 28), date(2026, 10, 24), date(2026, 4, 4))
windows = st.lists(
    st.tuples(st.integers(0, 6), st.integers(0, 1439), st.integers(1, 1440)).filter(lambda each: each[1] < each[2]),
    min_size=1,
    max_size=8,
).map(tuple)


@given(st.sampled_from(ZONES), st.sampled_from(DAYS_WITH_CHANGES), windows, st.booleans())
@settings(max_examples=60, deadline=None)
def test_service_hours_are_what_the_clock_on_the_wall_says_minute_by_minute(
    zone: str, day: date, hours: tuple[tuple[int, int, int], ...], closed: bool
) -> None:
    start = datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(zone)).astimezone(UTC)
    end = start + timedelta(days=3)
    holidays = [day + timedelta(days=1)] if closed else []
    agreed = service_time(hours, holidays, zone, (start, end))
    minutes = [start + n * MINUTE for n in range(3 * 24 * 60)]
    on_the_wall = [(minute, minute.astimezone(ZoneInfo(zone))) for minute in minutes]
    expected = {
        minute
        for minute, wall in on_the_wall
        if wall.date() not in holidays
        and any(
            wall.weekday() == day and opens <= wall.hour * 60 + wall.minute < closes for day, opens, closes in hours
        )
    }
    assert {minute for minute in minutes for begin, stop in agreed if begin <= minute < stop} == expected
    assert seconds_in(agreed) == 60 * len(expected)


def test_the_day_the_clocks_go_forward_has_23_hours_and_the_day_they_go_back_25() -> None:
    def hours_of(first: date, days: int) -> Decimal:
        start, end = (
            datetime(d.year, d.month, d.day, tzinfo=ZoneInfo("Europe/Berlin")) for d in (first, first + timedelta(days))
        )
        return seconds_in(service_time(AROUND_THE_CLOCK, (), "Europe/Berlin", (start, end))) / 3600

    assert hours_of(date(2026, 3, 29), 1) == 23
    assert hours_of(date(2026, 10, 25), 1) == 25
    assert hours_of(date(2026, 3, 1), 31) == 31 * 24 - 1
    assert hours_of(date(2026, 10, 1), 31) == 31 * 24 + 1
