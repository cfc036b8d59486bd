"""Whether a fault met work under way; one that met none does not count."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from kinds import Missed

from stack.cluster import SERVICE_PORTS

if TYPE_CHECKING:
    from arena import Arena

ANNOUNCED = "SELECT count(*) AS n FROM events WHERE public_body IS NOT NULL"


def announced(arena: "Arena", service: str | None = None) -> int:
    """How many announcements the log of one service holds, or all logs together."""
    names = [service] if service else SERVICE_PORTS
    return sum(arena.sql(name, ANNOUNCED)[0]["n"] for name in names)


@contextmanager
def under_announcements(arena: "Arena", service: str | None = None) -> Iterator[None]:
    """Lasts until something was announced meanwhile, so that relay or consumers have work. Raises Missed."""
    before = announced(arena, service)
    yield
    must_come(arena, lambda: announced(arena, service) > before, "an announcement")


def must_come(arena: "Arena", look: Callable[[], bool], what: str) -> None:
    """Returns when it is seen, within five seconds. Raises Missed."""
    try:
        arena.until(look, what, 5.0)
    except TimeoutError as nothing:
        raise Missed(str(nothing)) from nothing
