"""The store on PostgreSQL: every read is one statement on the primary, the one write is the function `append`."""

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import groupby
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, RowMapping, TextClause, bindparam, literal_column, select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncEngine

from events.kernel import Row, Unacceptable
from events.store import tables as t
from events.store.database import IDENTITY, Database, failure_of
from events.store.port import (
    AllRecorded,
    AnotherDatabase,
    Answer,
    Append,
    ClaimHeld,
    DueStream,
    Loaded,
    Origin,
    OutcomeUnknown,
    Recorded,
    RowDiffers,
    ShapeBehind,
    StateRow,
    StoredEvent,
    Together,
    Unavailable,
    VersionMoved,
    databases_meant,
)

LOAD = text("""
    SELECT clock_timestamp() + b.ahead AS now, s.version, s.shape, s.state::text AS state,
           c.kind AS c_kind, c.stream AS c_stream, c.version AS c_version, c.position AS c_position,
           c.status AS c_status, c.fingerprint AS c_fingerprint, c.origin AS c_origin
    FROM business_clock b
    LEFT JOIN states s ON s.tenant = :tenant AND s.kind = :kind AND s.id = :stream
    LEFT JOIN commands c ON c.tenant = :tenant AND c.id = :command
""").bindparams(bindparam("stream", type_=t.states.c.id.type), bindparam("command", type_=t.states.c.id.type))

DUE = text("""
    SELECT s.tenant, s.kind, s.id, s.version, s.shape, s.deadline
    FROM states s
    LEFT JOIN parked_deadlines p ON (p.tenant, p.kind, p.stream, p.version, p.shape)
                                  = (s.tenant, s.kind, s.id, s.version, s.shape)
    WHERE s.deadline <= (SELECT clock_timestamp() + b.ahead FROM business_clock b) AND p.tenant IS NULL
      AND (CAST(:kinds AS text[]) IS NULL OR EXISTS (
        SELECT 1 FROM unnest(CAST(:kinds AS text[]), CAST(:shapes AS integer[])) AS k(kind, shape)
        WHERE k.kind = s.kind AND k.shape >= s.shape))
      AND (s.deadline, s.tenant, s.kind, s.id)
        > (coalesce(:after, CAST('-infinity' AS timestamptz)), :after_tenant, :after_kind, :after_stream)
    ORDER BY s.deadline, s.tenant, s.kind, s.id LIMIT :limit
""").bindparams(bindparam("after", type_=t.Instant), bindparam("after_stream", type_=t.states.c.id.type))
"""The clock stands in a query of its own: compared directly, a volatile value keeps the index from being used."""

OVER = text("""
    UPDATE head SET recorded_at = :at + interval '1 microsecond'
    WHERE recorded_at <= :at AND (clock_timestamp() >= :at OR recorded_at = :at)
""").bindparams(bindparam("at", type_=t.Instant))
"""From now on everything is recorded after this instant, also where the clock steps back behind it."""

IS_OVER = text("SELECT recorded_at > :at AS past FROM head").bindparams(bindparam("at", type_=t.Instant))

PARKED = text("""
    SELECT count(*) AS parked FROM parked_deadlines p
    JOIN states s ON (s.tenant, s.kind, s.id, s.version, s.shape) = (p.tenant, p.kind, p.stream, p.version, p.shape)
""")

PARK = text("""
    INSERT INTO parked_deadlines (tenant, kind, stream, version, shape, reason, parked_at)
    VALUES (:tenant, :kind, :stream, :version, :shape, :reason, clock_timestamp())
    ON CONFLICT (tenant, kind, stream) DO UPDATE SET version = excluded.version, shape = excluded.shape,
        reason = excluded.reason, parked_at = excluded.parked_at
""").bindparams(bindparam("stream", type_=t.states.c.id.type))

NUMBER = text("""
    INSERT INTO numbers AS n (tenant, series, last) VALUES (:tenant, :series, :first)
    ON CONFLICT (tenant, series) DO UPDATE SET last = n.last + 1 RETURNING last
""")


APPEND = text(f"""
    SELECT a::text AS answer
    FROM (SELECT 1 WHERE CAST(:within AS text) = '' OR {IDENTITY} = :within OFFSET 0) here
    CROSS JOIN LATERAL append_parts(CAST(CAST(:parts AS text) AS jsonb)) AS a
""")  # noqa: S608

_STATE_TEXT: ColumnElement[str] = literal_column("state::text").label("state_text")


class PostgresStore:
    """Implements `events.store.port.Store`."""

    def __init__(self, database: Database) -> None:
        """On these connections; the database must be migrated."""
        self._db = database

    async def load(self, tenant: str, kind: str, stream: UUID, command: UUID | None) -> Loaded:
        """State row, earlier outcome and business time in one statement."""
        parameters = {"tenant": tenant, "kind": kind, "stream": stream, "command": command}
        (row,) = await self._ask(self._db.reads, LOAD, parameters)
        return Loaded(row["version"] or 0, row["shape"] or 0, row["state"], row["now"], _recorded(row))

    async def append(self, batch: Sequence[Append | Together]) -> list[Answer]:
        """One call of the function `append_parts`: one transaction, one flush.

        Where something is meant for another database that call does nothing, and a second one appends the rest.
        """
        within, *others = databases_meant(batch) or {""}
        if batch and not others and (answers := await self._append(batch, within)):
            return answers
        rest = iter(await self._append([each for each in batch if not databases_meant([each])], ""))
        return [AnotherDatabase() if databases_meant([each]) else next(rest) for each in batch]

    async def _append(self, batch: Sequence[Append | Together], within: str) -> list[Answer]:
        """Nothing, and no answer, in another database than this."""
        parameters = {"parts": json.dumps([*_parts(batch)], ensure_ascii=False), "within": within}
        rows = await self._ask(self._db.appends, APPEND, parameters)
        return [_answer(json.loads(row["answer"])) for row in rows]

    async def stream(
        self, tenant: str, kind: str, stream: UUID, *, version: int | None = None, position: int | None = None
    ) -> list[StoredEvent]:
        """The events of a stream in order of version."""
        e = t.events.c
        query = select(t.events).where(e.tenant == tenant, e.kind == kind, e.stream == stream).order_by(e.version)
        if version is not None:
            query = query.where(e.version <= version)
        if position is not None:
            query = query.where(e.position <= position)
        return [stored_event(row) for row in await self._ask(self._db.reads, query)]

    async def holder(self, tenant: str, key: str) -> tuple[str, UUID] | None:
        """Who holds the claim."""
        c = t.claims.c
        query = select(c.kind, c.stream).where(c.tenant == tenant, c.key == key)
        rows = await self._ask(self._db.reads, query)
        return (rows[0]["kind"], rows[0]["stream"]) if rows else None

    async def where(self, tenant: str, kind: str, fields: Sequence[tuple[str, str]], limit: int) -> list[StateRow]:
        """State rows by equality of top-level fields."""
        s = t.states.c
        of_kind = s.kind == literal_column(_q(kind))
        query = select(s.id, s.version, s.shape, _STATE_TEXT).where(s.tenant == tenant, of_kind)
        for name, wanted in fields:
            query = query.where(literal_column(f"state->>{_q(name)}") == wanted)
        rows = await self._ask(self._db.reads, query.order_by(s.id).limit(limit))
        return [StateRow(row["id"], row["version"], row["shape"], row["state_text"]) for row in rows]

    async def rows(self, tenant: str, kind: str, stream: UUID, table: str) -> list[Row]:
        """The side rows of a stream, in the order of their arrival."""
        r = t.side_rows.c
        query = (
            select(r.source, r.id, r.body)
            .where(r.tenant == tenant, r.kind == kind, r.stream == stream, r.name == table)
            .order_by(r.position, r.place)
        )
        found = await self._ask(self._db.reads, query)
        return [Row(table=table, source=row["source"], id=row["id"], body=row["body"]) for row in found]

    async def next_number(self, tenant: str, series: str, first: int) -> int:
        """Count a series on."""
        rows = await self._ask(self._db.writes, NUMBER, {"tenant": tenant, "series": series, "first": first})
        return int(rows[0]["last"])

    async def due(
        self, limit: int, shapes: Mapping[str, int] | None = None, *, after: DueStream | None = None
    ) -> list[DueStream]:
        """Streams whose deadline has come by business time."""
        known = {"kinds": shapes and list(shapes), "shapes": shapes and list(shapes.values())}
        last = (after.deadline, after.tenant, after.kind, after.stream) if after else (None, "", "", UUID(int=0))
        names = ("after", "after_tenant", "after_kind", "after_stream")
        rows = await self._ask(self._db.reads, DUE, {"limit": limit, **known, **dict(zip(names, last, strict=True))})
        return [DueStream(r["tenant"], r["kind"], r["id"], r["version"], r["shape"], r["deadline"]) for r in rows]

    async def park_deadline(self, due: DueStream, reason: str) -> None:
        """Remember the version and shape at which the deadline did not move on."""
        parameters = {name: getattr(due, name) for name in ("tenant", "kind", "stream", "version", "shape")}
        await self._ask(self._db.writes, PARK, {**parameters, "reason": reason})

    async def parked_deadlines(self) -> int:
        """Those whose stream and code have not changed since."""
        return int((await self._ask(self._db.reads, PARKED))[0]["parked"])

    async def now(self) -> datetime:
        """Business time: the database's clock and the lead that a throwaway stack was given."""
        rows = await self._ask(self._db.reads, text("SELECT clock_timestamp() + ahead AS now FROM business_clock"))
        return rows[0]["now"].astimezone(UTC)  # type: ignore[no-any-return]

    async def position_at(self, instant: datetime) -> int:
        """Wait out appends in flight by the lock on `head`, which remembers that the instant is over."""
        await self._ask(self._db.reads, OVER, {"at": instant})
        (row,) = await self._ask(self._db.reads, IS_OVER, {"at": instant})
        if not row["past"]:
            raise Unacceptable("as_of lies in the future; leave it out to see what is known now.")
        e = t.events.c
        query = select(e.position).where(e.recorded_at <= instant)
        rows = await self._ask(self._db.reads, query.order_by(e.recorded_at.desc(), e.position.desc()).limit(1))
        return int(rows[0]["position"]) if rows else 0

    async def _ask(
        self, engine: AsyncEngine, statement: TextClause | Any, parameters: Mapping[str, Any] | None = None
    ) -> Sequence[RowMapping]:
        try:
            async with engine.connect() as connection:
                result = await connection.execute(statement, parameters or {})
                return result.mappings().all() if result.returns_rows else []
        except (DBAPIError, PoolTimeout, OSError) as error:  # OSError: TimeoutError and refused connections too
            failure = failure_of(error)
            if isinstance(failure, OutcomeUnknown) and engine is not self._db.appends:
                raise Unavailable("the database did not answer") from error
            raise failure from error


def stored_event(row: RowMapping) -> StoredEvent:
    """A row of `events` as a value."""
    return StoredEvent(
        position=row["position"],
        tenant=row["tenant"],
        kind=row["kind"],
        stream=row["stream"],
        version=row["version"],
        id=row["event_id"],
        type=row["type"],
        schema=row["schema_version"],
        data=row["data"],
        metadata=row["metadata"],
        recorded_at=row["recorded_at"],
        public_type=row["public_type"],
        public_schema=row["public_schema"],
        public_body=row["public_body"],
        public_version=row["public_version"],
    )


def _q(name: str) -> str:
    """A name from our own code as an SQL literal: written out, so that it matches the expression indexes."""
    assert name.replace("-", "_").isidentifier(), name
    return f"'{name}'"


def _recorded(row: RowMapping) -> Recorded | None:
    if row["c_kind"] is None:
        return None
    return Recorded(
        kind=row["c_kind"],
        stream=row["c_stream"],
        version=row["c_version"],
        position=row["c_position"],
        status=row["c_status"],
        fingerprint=row["c_fingerprint"],
        origin=Origin(row["c_origin"]),
        first=False,
    )


def _parts(batch: Sequence[Append | Together]) -> Iterator[dict[str, Any]]:
    """The batch in runs of commands that stand alone, and sets that belong together."""
    for kind, run in groupby(batch, type):
        if kind is Append:
            yield {"each": [_as_json(each) for each in run if isinstance(each, Append)]}
        else:
            yield from ({"all": [_as_json(each) for each in one.appends]} for one in run if isinstance(one, Together))


def _as_json(append: Append) -> dict[str, Any]:
    return {
        "tenant": append.tenant,
        "command": str(append.command),
        "origin": append.origin,
        "fingerprint": append.fingerprint,
        "status": append.status,
        "kind": append.kind,
        "stream": str(append.stream),
        "expected": append.expected,
        "shape": append.shape,
        "metadata": append.metadata,
        "state": append.state,
        "deadline": append.deadline.isoformat() if append.deadline else None,
        "claims": list(append.claims),
        "rows": [{"name": row.table, "source": row.source, "id": row.id, "body": row.body} for row in append.rows],
        "events": [
            {
                "id": str(event.id),
                "type": event.type,
                "schema": event.schema,
                "data": event.data,
                "public_type": event.public_type,
                "public_schema": event.public_schema,
                "public_body": event.public_body,
            }
            for event in append.events
        ],
    }


def _answer(said: Mapping[str, Any]) -> Answer:
    match said["is"]:
        case "recorded":
            return Recorded(
                kind=said["kind"],
                stream=UUID(said["stream"]),
                version=said["version"],
                position=said["position"],
                status=said["status"],
                fingerprint=said["fingerprint"],
                origin=Origin(said["origin"]),
                first=said["first"],
            )
        case "all":
            return AllRecorded(tuple(each for each in map(_answer, said["each"]) if isinstance(each, Recorded)))
        case "version":
            return VersionMoved()
        case "shape":
            return ShapeBehind()
        case "claim":
            return ClaimHeld(said["key"], said["kind"], UUID(said["stream"]))
        case "row":
            return RowDiffers(said["name"], said["source"], said["id"])
    raise AssertionError(said)
