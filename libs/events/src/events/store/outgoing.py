"""What the relay keeps in the database: who leads, how far the bus has come, and the announcements after that."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import RowMapping, TextClause, select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncEngine

from events.failpoints import failpoint
from events.store import tables as t
from events.store.database import Database
from events.store.port import StoredEvent
from events.store.postgres import failure_of, stored_event

RELAY = "relay"

LEASE = text("""
    INSERT INTO leases AS l (name, holder, epoch, expires_at)
    VALUES (:name, :holder, 1, clock_timestamp() + make_interval(secs => :seconds))
    ON CONFLICT (name) DO UPDATE SET
        holder = excluded.holder,
        epoch = CASE WHEN l.holder = excluded.holder THEN l.epoch ELSE l.epoch + 1 END,
        expires_at = excluded.expires_at
    WHERE l.holder = excluded.holder OR l.expires_at < clock_timestamp()
    RETURNING epoch
""")

RELEASE = text("UPDATE leases SET expires_at = '-infinity' WHERE name = :name AND holder = :holder")

TAKE_OVER = text("""
    INSERT INTO relay AS r (only_row, position, epoch) VALUES (1, 0, :epoch)
    ON CONFLICT (only_row) DO UPDATE SET epoch = excluded.epoch WHERE r.epoch <= excluded.epoch
    RETURNING position
""")

MOVE = text("UPDATE relay SET position = :to WHERE epoch = :epoch AND position = :from RETURNING position")

BEHIND = text("""
    SELECT h.position AS head, coalesce(r.position, 0) AS checkpoint,
           coalesce(extract(epoch FROM clock_timestamp() - (
               SELECT e.recorded_at FROM events e
               WHERE e.public_body IS NOT NULL AND e.position > coalesce(r.position, 0) ORDER BY e.position LIMIT 1
           )), 0)::float8 AS oldest
    FROM head h LEFT JOIN relay r ON true
""")


@dataclass(frozen=True, slots=True)
class Tail:
    """The next announcements, and the last position of the log when they were read, both in one snapshot."""

    head: int
    events: Sequence[StoredEvent]


@dataclass(frozen=True, slots=True)
class Behind:
    """How far the bus is behind the log; `oldest` is the age in seconds of the first announcement not on it."""

    head: int = 0
    checkpoint: int = 0
    oldest: float = 0.0


class Outgoing:
    """The relay's side of the store. Raises Unavailable or OutcomeUnknown where the database does not answer."""

    def __init__(self, database: Database) -> None:
        """On these connections; the relay has one for itself."""
        self._db = database

    async def lease(self, holder: str, seconds: float) -> int | None:
        """Take or renew the lead; the epoch, or None while somebody else leads. Time is the database's."""
        await failpoint("W9")
        rows = await ask(self._db.relay, LEASE, {"name": RELAY, "holder": holder, "seconds": seconds})
        return int(rows[0]["epoch"]) if rows else None

    async def release(self, holder: str) -> None:
        """Let somebody else lead at once."""
        await ask(self._db.relay, RELEASE, {"name": RELAY, "holder": holder})

    async def take_over(self, epoch: int) -> int | None:
        """The checkpoint, which from now on only this epoch or a later one moves; None if a later one has it."""
        rows = await ask(self._db.relay, TAKE_OVER, {"epoch": epoch})
        return int(rows[0]["position"]) if rows else None

    async def move(self, epoch: int, old: int, new: int) -> bool:
        """Move the checkpoint, if it is where and whose we believe."""
        return bool(await ask(self._db.relay, MOVE, {"epoch": epoch, "from": old, "to": new}))

    async def tail(self, after: int, limit: int) -> Tail:
        """Announcements after a position, in order."""
        rows = await ask(self._db.relay, _TAIL, {"after": after, "limit": limit})
        head = int(rows[0]["head"]) if rows else 0
        return Tail(head, [stored_event(row) for row in rows if row["event_id"] is not None])

    async def event_at(self, position: int) -> UUID | None:
        """The id of the event at a position."""
        rows = await ask(self._db.relay, select(t.events.c.event_id).where(t.events.c.position == position))
        return rows[0]["event_id"] if rows else None

    async def behind(self) -> Behind:
        """How far the bus is behind the log."""
        rows = await ask(self._db.reads, BEHIND)
        return Behind(int(rows[0]["head"]), int(rows[0]["checkpoint"]), float(rows[0]["oldest"])) if rows else Behind()


_TAIL = text("""
    SELECT h.position AS head, e.*
    FROM head h LEFT JOIN LATERAL (
        SELECT * FROM events WHERE public_body IS NOT NULL AND position > :after ORDER BY position LIMIT :limit
    ) e ON true
    ORDER BY e.position
""")


async def ask(
    engine: AsyncEngine, statement: TextClause | Any, parameters: Mapping[str, Any] | None = None
) -> Sequence[RowMapping]:
    """One statement, one transaction."""
    try:
        async with engine.connect() as connection:
            result = await connection.execute(statement, parameters or {})
            return result.mappings().all() if result.returns_rows else []
    except (DBAPIError, PoolTimeout, OSError) as error:
        raise failure_of(error) from error
