"""What happened: the history of one object, and everything that this service announced (the feed)."""

from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic_core import from_json
from sqlalchemy import ColumnElement, select, text
from starlette.responses import Response

from chassis.calls import Call
from chassis.endpoints import Endpoint
from chassis.paging import LIMIT, bad_cursor, decode_cursor, encode_cursor, limit_of, page
from chassis.queries import ask
from chassis.representation import dumped, list_type
from events.codec import codec_of, digest
from events.decisions import metadata_of
from events.folding import NEWER, WrittenByNewer
from events.kernel import Aggregate, value
from events.store import tables as t
from events.store.database import Database
from events.store.port import StoredEvent
from events.store.postgres import stored_event
from events.store.told import as_told, lost_beside

AFTER = {"type": "integer", "minimum": 0, "default": 0, "description": "The last position that you have."}


@value
class Who:
    """A person (or `system:...`), and the token roles under which they acted."""

    person: str
    roles: tuple[str, ...]


@value
class Entry:
    """One event in the history of an object: who, when, what and why.

    `causation` is the `id` of the event, mostly of another service, that was heard and led to this one;
    `correlation` is shared by all that followed from one request.
    """

    id: UUID
    version: int
    position: int
    type: str
    schema_version: int
    by: Who
    at: datetime
    recorded_at: datetime
    reason: str | None
    correlation: str
    causation: UUID | None
    data: dict[str, Any]


@value
class Announcement:
    """One public event, as the bus carries it."""

    position: int
    id: UUID
    correlation: str
    causation: UUID | None
    type: str
    schema_version: int
    stream: UUID
    public_version: int
    at: datetime
    recorded_at: datetime
    data: dict[str, Any]


FEED = text(f"""
    SELECT {t.columns_of(t.events, "e")}, {lost_beside("e")} FROM events e
    WHERE e.tenant = :tenant AND e.public_body IS NOT NULL AND e.position > :after ORDER BY e.position LIMIT :limit
""")  # noqa: S608


async def entries(
    database: Database, call: Call, aggregate: Aggregate[Any, Any, Any], stream: UUID
) -> tuple[list[Entry], str]:
    """One page of an object's history, oldest first, and the cursor to the next."""
    kind = aggregate.kind
    scope = digest(f"{call.tenant} {kind} {stream}")[:16]
    limit, after = limit_of(call), _version_in(call.request.query_params.get("cursor"), scope)
    e = t.events.c
    found = await _events(
        database, limit + 1, e.version, e.tenant == call.tenant, e.kind == kind, e.stream == stream, e.version > after
    )
    shown = found[:limit]
    if not all(codec_of(aggregate).knows(each.type, each.schema) for each in shown):
        raise WrittenByNewer(NEWER)
    return [_entry(each) for each in shown], encode_cursor([scope, shown[-1].version]) if len(found) > limit else ""


def feed(database: Database) -> Endpoint:
    """`GET /v1/events`: for those who missed what the bus no longer holds."""

    async def serve(call: Call) -> Response:
        limit, after = limit_of(call), call.whole_number("after", 0, 0, 2**63 - 1)
        rows = await ask(database.reads, FEED, {"tenant": call.tenant, "after": after, "limit": limit + 1})
        found = [as_told(stored_event(row), row) for row in rows]
        shown = found[:limit]
        following = str(shown[-1].position) if len(found) > limit else ""
        return page(call, [dumped(_announcement(each)) for each in shown], following, "after")

    return Endpoint(
        method="GET",
        path="/v1/events",
        permission="events.read",
        id="listEvents",
        summary="Read what this service announced, in order, also what the bus no longer holds",
        tag="events",
        answer=list_type("AnnouncementPage", Announcement),
        serve=serve,
        query={"after": AFTER, "limit": LIMIT},
    )


async def _events(
    database: Database, limit: int, order: ColumnElement[Any], *where: ColumnElement[bool]
) -> list[StoredEvent]:
    rows = await ask(database.reads, select(t.events).where(*where).order_by(order).limit(limit))
    return [stored_event(row) for row in rows]


def _version_in(cursor: str | None, scope: str) -> int:
    """The last version that the caller has, by a cursor for this history."""
    if cursor is None:
        return 0
    match decode_cursor(cursor):
        case [str() as of, int() as version] if of == scope and version is not True and 0 < version < 2**31:
            return version
    raise bad_cursor()


def _entry(event: StoredEvent) -> Entry:
    metadata = metadata_of(event)
    return Entry(
        id=event.id,
        version=event.version,
        position=event.position,
        type=event.type,
        schema_version=event.schema,
        by=Who(person=metadata["by"]["person"], roles=tuple(metadata["by"]["roles"])),
        at=datetime.fromisoformat(metadata["at"]),
        recorded_at=event.recorded_at,
        reason=metadata["reason"],
        correlation=metadata["correlation"],
        causation=_uuid(metadata["causation"]),
        data=from_json(event.data),
    )


def _announcement(event: StoredEvent) -> Announcement:
    assert event.public_type is not None
    assert event.public_schema is not None
    assert event.public_body is not None
    assert event.public_version is not None
    metadata = metadata_of(event)
    return Announcement(
        position=event.position,
        id=event.id,
        correlation=metadata["correlation"],
        causation=_uuid(metadata["causation"]),
        type=event.public_type,
        schema_version=event.public_schema,
        stream=event.stream,
        public_version=event.public_version,
        at=datetime.fromisoformat(metadata["at"]),
        recorded_at=event.recorded_at,
        data=from_json(event.public_body),
    )


def _uuid(written: str | None) -> UUID | None:
    return UUID(written) if written else None
