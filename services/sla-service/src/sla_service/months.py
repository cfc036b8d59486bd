"""Calendar months, written as 2026-04."""

from collections.abc import Iterator
from datetime import date, datetime, timedelta

from events.words import day_of


def month_of(at: datetime, zone: str) -> str:
    """The month of an instant in a time zone."""
    return month_of_day(day_of(at, zone))


def month_of_day(day: date) -> str:
    """The month of a day."""
    return f"{day.year:04}-{day.month:02}"


def first_day(month: str) -> date:
    """2026-04 -> 2026-04-01"""
    return date(int(month[:4]), int(month[5:]), 1)


def next_month(month: str) -> str:
    """2026-12 -> 2027-01"""
    return month_of_day(first_day(month) + timedelta(days=31))


def last_day(month: str) -> date:
    """2026-04 -> 2026-04-30"""
    return first_day(next_month(month)) - timedelta(days=1)


def months_between(first: str, last: str) -> Iterator[str]:
    """Every month from the first to the last, both included."""
    while first <= last:
        yield first
        first = next_month(first)
