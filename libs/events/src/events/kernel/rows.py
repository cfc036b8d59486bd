"""Side rows: evidence beside a stream, and how an event vouches for it."""

from collections.abc import Iterable
from hashlib import sha256

from events.kernel.values import value


@value
class Row:
    """A side row: evidence kept beside the stream, which an event of that stream vouches for.

    `body` is canonical JSON. A row is unique by tenant, table, source and id: the same id with another body is refused.
    """

    table: str
    source: str
    id: str
    body: str


def fingerprint(rows: Iterable[Row]) -> str:
    """The SHA-256 by which an event vouches for the side rows that came with it, in their order."""
    return sha256("\n".join(row.body for row in rows).encode()).hexdigest()


@value
class Vouched:
    """What an event says of the side rows that came with it: how many, and their `fingerprint` where it has one."""

    rows: int
    sha256: str | None
