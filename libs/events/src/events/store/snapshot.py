"""What verification reads: a few streams, with all that is derived from them, as they are at one moment.

Each snapshot is a read-only transaction of its own and short, so nothing is kept waiting, and what is appended between
two snapshots makes no difference between a stream and what is derived from it.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import RowMapping, TextClause, bindparam, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection

from events.store import tables as t
from events.store.database import Database, failure_of
from events.store.port import StoredEvent
from events.store.postgres import stored_event

DERIVED = text("""
    SELECT k.stream, s.version, s.public_version, s.shape, s.state::text AS state, s.deadline,
           ARRAY(SELECT c.key FROM claims c
                 WHERE c.tenant = :tenant AND c.kind = :kind AND c.stream = k.stream) AS claims
    FROM unnest(CAST(:streams AS uuid[])) AS k(stream)
    LEFT JOIN states s ON s.tenant = :tenant AND s.kind = :kind AND s.id = k.stream
""")

EVENTS = text(f"""
    SELECT {t.columns_of(t.events, "e")} FROM events e
    WHERE e.tenant = :tenant AND e.kind = :kind AND e.stream = ANY(CAST(:streams AS uuid[]))
    ORDER BY e.stream, e.version
""")  # noqa: S608

SIDE_ROWS = text("""
    SELECT r.stream, r.position, r.body FROM side_rows r
    WHERE r.tenant = :tenant AND r.kind = :kind AND r.stream = ANY(CAST(:streams AS uuid[]))
    ORDER BY r.stream, r.position, r.place
""")

AS_KEPT = text("""
    SELECT CAST(v.state AS jsonb)::text AS state FROM unnest(CAST(:states AS text[])) WITH ORDINALITY AS v(state, place)
    ORDER BY v.place
""")

LOG = text("""
    SELECT h.position AS head, count(e.position) AS events, min(e.position) AS first,
           coalesce(bool_or(e.recorded_at < e.before), false) AS turned_back,
           (SELECT max(position) FROM events) AS last
    FROM head h LEFT JOIN (
        SELECT position, recorded_at, lag(recorded_at) OVER (ORDER BY position) AS before FROM events
        WHERE position > :after AND position <= :until) e ON true
    GROUP BY h.position
""")

MISSING = text("""
    SELECT n.position FROM generate_series(CAST(:after AS bigint) + 1, CAST(:until AS bigint)) AS n(position)
    WHERE NOT EXISTS (SELECT 1 FROM events e WHERE e.position = n.position)
      AND NOT EXISTS (SELECT 1 FROM restores r WHERE n.position > r.last_position AND n.position <= r.goes_on_after)
    ORDER BY n.position LIMIT :limit
""")

COMMANDS = text("""
    SELECT c.tenant, c.id, c.kind, c.stream, c.version, c.position, e.position AS at, h.position AS head
    FROM (SELECT * FROM commands WHERE (tenant, id) > (:tenant, :after) ORDER BY tenant, id LIMIT :limit) c
    CROSS JOIN head h
    LEFT JOIN events e ON (e.tenant, e.kind, e.stream, e.version) = (c.tenant, c.kind, c.stream, c.version)
    ORDER BY c.tenant, c.id
""").bindparams(bindparam("after", type_=t.commands.c.id.type))


@dataclass(frozen=True, slots=True)
class Derived:
    """The row of a stream as it is kept, and its claims; version 0: there is no row."""

    stream: UUID
    version: int
    public_version: int
    shape: int
    state: str
    deadline: datetime | None
    claims: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Outcome:
    """A command record, and the position of the event at the version that it names (None: there is none)."""

    tenant: str
    id: UUID
    kind: str
    stream: UUID
    version: int
    position: int
    at: int | None
    head: int


@dataclass(frozen=True, slots=True)
class LogPart:
    """So many positions of the log: how many events there are, and whether recorded time ever went back."""

    head: int
    events: int
    turned_back: bool
    last: int


class Snapshot:
    """One moment of a database."""

    def __init__(self, connection: AsyncConnection) -> None:
        """Inside a transaction."""
        self._connection = connection

    async def derived(self, tenant: str, kind: str, streams: Sequence[UUID]) -> dict[UUID, Derived]:
        """What is kept of these streams."""
        rows = await self._all(DERIVED, {"tenant": tenant, "kind": kind, "streams": list(streams)})
        return {row["stream"]: _derived(row) for row in rows}

    async def events(self, tenant: str, kind: str, streams: Sequence[UUID]) -> AsyncIterator[StoredEvent]:
        """Their events, stream by stream in order, however many there are."""
        parameters = {"tenant": tenant, "kind": kind, "streams": list(streams)}
        async for row in (await self._connection.stream(EVENTS, parameters)).mappings():
            yield stored_event(row)

    async def side_rows(self, tenant: str, kind: str, streams: Sequence[UUID]) -> AsyncIterator[tuple[UUID, int, str]]:
        """(stream, position, body) of their side rows, stream by stream in the order of arrival."""
        parameters = {"tenant": tenant, "kind": kind, "streams": list(streams)}
        async for row in (await self._connection.stream(SIDE_ROWS, parameters)).mappings():
            yield row["stream"], row["position"], row["body"]

    async def as_kept(self, states: Sequence[str]) -> list[str]:
        """The texts that the database gives for states once they are kept."""
        return [row["state"] for row in await self._all(AS_KEPT, {"states": list(states)})]

    async def log(self, after: int, until: int) -> LogPart:
        """The log between two positions."""
        (row,) = await self._all(LOG, {"after": after, "until": until})
        return LogPart(row["head"], row["events"], row["turned_back"], row["last"] or 0)

    async def missing(self, after: int, until: int, limit: int) -> list[int]:
        """Positions without an event, but for those that a restore has left out."""
        rows = await self._all(MISSING, {"after": after, "until": until, "limit": limit})
        return [row["position"] for row in rows]

    async def outcomes(self, tenant: str, after: UUID, limit: int) -> list[Outcome]:
        """Command records in the order of tenant and id."""
        rows = await self._all(COMMANDS, {"tenant": tenant, "after": after, "limit": limit})
        return [Outcome(**row) for row in rows]

    async def _all(self, statement: TextClause, parameters: Mapping[str, Any]) -> Sequence[RowMapping]:
        return (await self._connection.execute(statement, parameters)).mappings().all()


@asynccontextmanager
async def snapshot(database: Database) -> AsyncIterator[Snapshot]:
    """The database as it is now. Raises Unavailable or OutcomeUnknown."""
    try:
        async with database.reads.connect() as connection:
            await connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
            async with connection.begin():
                yield Snapshot(connection)
    except (DBAPIError, PoolTimeout, OSError) as error:
        raise failure_of(error) from error


def _derived(row: RowMapping) -> Derived:
    return Derived(
        row["stream"],
        row["version"] or 0,
        row["public_version"] or 0,
        row["shape"] or 0,
        row["state"] or "",
        row["deadline"],
        tuple(sorted(row["claims"])),
    )
