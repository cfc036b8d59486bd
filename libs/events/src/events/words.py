"""The small vocabulary that every domain shares: bounded text, strict numbers, instants and periods of time.

The bounds stand here once, so that a limit on a field reads the same in a command, in its OpenAPI schema and in its
problem. The annotations only describe; nothing in this module does input or output.
"""

from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Annotated
from zoneinfo import ZoneInfo, available_timezones

from pydantic import AfterValidator, AwareDatetime, Field, StringConstraints

NO_NUL = r"^[^\x00]*$"
"""PostgreSQL's text cannot hold NUL, so it is refused at the door."""

Line = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=NO_NUL)]
"""One line: a name, a title, a reference."""
Text = Annotated[str, StringConstraints(min_length=1, max_length=4000, pattern=NO_NUL)]
"""Prose: a statement, a reason, a cause."""
Key = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:/-]{0,99}$")]
"""A name given by people or other systems: SVC-MAIL, INC-4711, 8.3.3."""
Person = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:-]{0,63}$")]
"""An opaque id of a person (or `system:<service>`); names and addresses live elsewhere."""
Role = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{0,63}$")]
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]

Count = Annotated[int, Field(ge=0, le=10_000_000)]
Percent = Annotated[Decimal, Field(ge=0, le=100, max_digits=9, decimal_places=6)]
Days = Annotated[int, Field(ge=0, le=3660)]
Seconds = Annotated[int, Field(ge=0, le=10**9)]
DayShift = Annotated[int, Field(ge=-3660, le=3660)]
"""So many days after a day, or (negative) before it."""
Figure = Annotated[Decimal, Field(ge=0, le=10_000_000, max_digits=13, decimal_places=6)]
"""A measured quantity, or a bound for one."""


def _sane_year(at: datetime) -> datetime:
    if not 1990 <= at.year <= 2200:
        raise ValueError("must lie between the years 1990 and 2200")
    return at


def _sane_day(on: date) -> date:
    if not 1990 <= on.year <= 2200:
        raise ValueError("must lie between the years 1990 and 2200")
    return on


ZONES = frozenset(available_timezones())
"""Read once: the zone stands in many events, and a look at the disk takes longer than an append."""


def _known_zone(name: str) -> str:
    if name not in ZONES:
        raise ValueError("must be an IANA time zone, such as Europe/Berlin")
    return name


Instant = Annotated[AwareDatetime, AfterValidator(_sane_year)]
"""A moment with its offset, RFC 3339."""
Day = Annotated[date, AfterValidator(_sane_day)]
"""A calendar day; whose calendar, the object that holds it says."""
Zone = Annotated[str, StringConstraints(max_length=64), AfterValidator(_known_zone)]


def as_line(text: str) -> str:
    """As much of a text as one Line holds."""
    return text[:200]


def day_of(at: datetime, zone: str) -> date:
    """The calendar day of an instant in a time zone."""
    return at.astimezone(ZoneInfo(zone)).date()


def start_of(day: date, zone: str) -> datetime:
    """The instant at which a day begins in a time zone."""
    return datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(zone))


def end_of(day: date, zone: str) -> datetime:
    """The instant at which a day has ended in a time zone: a due date is missed from here on."""
    return start_of(day + timedelta(days=1), zone)
