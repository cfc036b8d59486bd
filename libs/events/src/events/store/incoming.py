"""What the consumers keep in the database: how far each foreign stream was heard, what waits, and what was parked.

Whoever stores a waiting message and whoever moves an inbox row on both hold that row's lock. So either the one who
stores sees that the predecessor is handled, or the one who moved on finds the waiting message when it looks, after its
own commit, for what waits behind it: whoever finds the predecessor handled handles the message.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import RowMapping, bindparam, text

from events.codec import canonical
from events.failpoints import failpoint
from events.message import Message
from events.store import tables as t
from events.store.bus_port import Early, Gap, Key, Letter, Listener, Mark, Waiting, letter_id
from events.store.database import IDENTITY, Database, ask
from events.store.port import Unavailable

FIRST = UUID(int=0)

MARKS = text(f"""
    SELECT k.tenant, k.stream, coalesce(i.version, 0) AS version, d.id IS NOT NULL AS parked, {IDENTITY} AS identity
    FROM unnest(CAST(:tenants AS text[]), CAST(:streams AS uuid[])) AS k(tenant, stream)
    LEFT JOIN inbox i ON (i.tenant, i.source, i.stream) = (k.tenant, :source, k.stream)
    LEFT JOIN dead_letters d ON d.status = 'parked' AND d.source = :source AND d.tenant = k.tenant
        AND d.stream = k.stream AND d.version = coalesce(i.version, 0) + 1
""")  # noqa: S608

KEEP = text("""
    WITH came AS (
        SELECT * FROM unnest(
            CAST(:tenants AS text[]), CAST(:streams AS uuid[]), CAST(:versions AS integer[]),
            CAST(:subjects AS text[]), CAST(:headers AS text[]), CAST(:bodies AS bytea[])
        ) AS c(tenant, stream, version, subject, headers, body)
    ), marks AS (
        INSERT INTO inbox AS i (tenant, source, stream, version)
        SELECT DISTINCT tenant, CAST(:source AS text), stream, 0 FROM came ORDER BY tenant, stream
        ON CONFLICT (tenant, source, stream) DO UPDATE SET version = i.version
        RETURNING tenant, stream, version
    ), kept AS (
        INSERT INTO waiting (tenant, source, stream, version, subject, headers, body, since)
        SELECT c.tenant, :source, c.stream, c.version, c.subject, c.headers, c.body, clock_timestamp()
        FROM came c JOIN marks m USING (tenant, stream) WHERE c.version > m.version + CAST(:ahead AS integer)
        ON CONFLICT DO NOTHING
    )
    SELECT tenant, stream, version FROM marks
""")

ADVANCE = text(f"""
    WITH moved AS (
        INSERT INTO inbox AS i (tenant, source, stream, version)
        SELECT tenant, CAST(:source AS text), stream, version
        FROM unnest(CAST(:tenants AS text[]), CAST(:streams AS uuid[]), CAST(:versions AS integer[]))
            AS h(tenant, stream, version)
        WHERE CAST(:identity AS text) = '' OR {IDENTITY} = :identity
        ORDER BY tenant, stream
        ON CONFLICT (tenant, source, stream) DO UPDATE SET version = greatest(i.version, excluded.version)
        RETURNING tenant, stream, version
    ), forgotten AS (
        DELETE FROM waiting w USING moved m
        WHERE (w.tenant, w.source, w.stream) = (m.tenant, :source, m.stream) AND w.version <= m.version
    ), settled AS (
        UPDATE dead_letters d SET status = :settled, settled_at = clock_timestamp() FROM moved m
        WHERE d.status = 'parked' AND d.source = :source AND d.tenant = m.tenant AND d.stream = m.stream
            AND d.version <= m.version
    )
    SELECT count(*) AS moved FROM moved
""")  # noqa: S608

PARK = text("""
    WITH mark AS (
        INSERT INTO inbox AS i (tenant, source, stream, version)
        SELECT :tenant, :source, CAST(:stream AS uuid), 0 WHERE CAST(:version AS integer) IS NOT NULL
        ON CONFLICT (tenant, source, stream) DO UPDATE SET version = i.version
        RETURNING version
    ), forgotten AS (
        DELETE FROM waiting WHERE (tenant, source, stream, version) = (:tenant, :source, :stream, :version)
    )
    INSERT INTO dead_letters (id, source, tenant, stream, version, subject, headers, body, reason, status, parked_at)
    SELECT :id, :source, :tenant, :stream, :version, :subject, :headers, :body, :reason, 'parked', clock_timestamp()
    WHERE NOT EXISTS (SELECT 1 FROM mark WHERE version >= :version)
    ON CONFLICT (id) DO UPDATE SET reason = excluded.reason WHERE dead_letters.status = 'parked'
    RETURNING xmax = 0 AS first
""").bindparams(
    bindparam("id", type_=t.dead_letters.c.id.type),
    bindparam("tenant", type_=t.dead_letters.c.tenant.type),
    bindparam("source", type_=t.dead_letters.c.source.type),
    bindparam("stream", type_=t.dead_letters.c.stream.type),
    bindparam("version", type_=t.dead_letters.c.version.type),
    bindparam("body", type_=t.dead_letters.c.body.type),
)

READY = """
    SELECT w.source, w.tenant, w.stream, w.version, w.subject, w.headers, w.body
    FROM waiting n
    LEFT JOIN inbox i USING (tenant, source, stream)
    JOIN waiting w USING (tenant, source, stream)
    WHERE n.version = coalesce(i.version, 0) + 1 AND w.version BETWEEN n.version AND n.version + 63 {only}
      AND NOT EXISTS (
        SELECT 1 FROM dead_letters d WHERE d.status = 'parked' AND d.source = n.source AND d.tenant = n.tenant
            AND d.stream = n.stream AND d.version = n.version)
    ORDER BY w.tenant, w.stream, w.source, w.version LIMIT 256
"""
READY_ALL = text(
    READY.format(only="AND (n.tenant, n.stream, n.source) > (:after_tenant, :after_stream, :after_source)")
).bindparams(bindparam("after_stream", type_=t.waiting.c.stream.type))
READY_BEHIND = text(
    READY.format(
        only="""AND n.source = :source AND (n.tenant, n.stream) IN (
            SELECT * FROM unnest(CAST(:tenants AS text[]), CAST(:streams AS uuid[])))"""
    )
)

TIDY = text("""
    WITH forgotten AS (
        DELETE FROM waiting w USING inbox i
        WHERE (w.tenant, w.source, w.stream) = (i.tenant, i.source, i.stream) AND w.version <= i.version
    )
    UPDATE dead_letters d SET status = 'replayed', settled_at = clock_timestamp() FROM inbox i
    WHERE d.status = 'parked' AND (d.tenant, d.source, d.stream) = (i.tenant, i.source, i.stream)
        AND d.version <= i.version
""")

GAPS = text("""
    SELECT w.source, w.tenant, w.stream, coalesce(i.version, 0) + 1 AS missing,
           extract(epoch FROM clock_timestamp() - min(w.since))::float8 AS seconds
    FROM waiting w LEFT JOIN inbox i USING (tenant, source, stream)
    WHERE NOT EXISTS (
        SELECT 1 FROM dead_letters d WHERE d.status = 'parked' AND d.source = w.source AND d.tenant = w.tenant
            AND d.stream = w.stream AND d.version = coalesce(i.version, 0) + 1)
    GROUP BY w.source, w.tenant, w.stream, i.version
    HAVING min(w.version) > coalesce(i.version, 0) + 1
       AND min(w.since) < clock_timestamp() - make_interval(secs => :older)
    ORDER BY seconds DESC LIMIT 20
""")

LISTENER = text(f"""
    SELECT stream_created, handled, identity AS attached, {IDENTITY} AS identity FROM listeners WHERE source = :source
""")  # noqa: S608
LISTEN = text(f"""
    INSERT INTO listeners (source, stream_created, handled, identity)
    SELECT :source, :created, :handled, {IDENTITY} WHERE CAST(:identity AS text) = '' OR {IDENTITY} = :identity
    ON CONFLICT (source) DO UPDATE SET stream_created = excluded.stream_created, handled = excluded.handled,
        identity = excluded.identity
    RETURNING identity
""")
HEARD = text(f"""
    UPDATE listeners SET handled = :handled
    WHERE source = :source AND stream_created = :created AND handled = :seen AND {IDENTITY} = :identity
    RETURNING handled
""")  # noqa: S608

LETTERS = f"""
    SELECT {t.columns_of(t.dead_letters, "d")},
        (SELECT count(*) FROM waiting w WHERE (w.tenant, w.source, w.stream) = (d.tenant, d.source, d.stream)) AS held
    FROM dead_letters d WHERE {{which}} ORDER BY d.parked_at, d.id LIMIT 100
"""  # noqa: S608
LETTER = text(LETTERS.format(which="d.id = :id")).bindparams(bindparam("id", type_=t.dead_letters.c.id.type))
LETTERS_BEHIND = text(
    LETTERS.format(
        which="""(CAST(:status AS text) IS NULL OR d.status = :status)
        AND (CAST(:reasons AS text[]) = '{}' OR d.reason ^@ ANY(:reasons))
        AND (CAST(:after_at AS timestamptz) IS NULL OR (d.parked_at, d.id) > (:after_at, :after_id))"""
    )
).bindparams(
    bindparam("after_at", type_=t.dead_letters.c.parked_at.type), bindparam("after_id", type_=t.dead_letters.c.id.type)
)


class PostgresIncoming:
    """Implements `events.store.bus_port.Incoming`."""

    def __init__(self, database: Database) -> None:
        """On these connections."""
        self._db = database

    async def marks(self, source: str, keys: Iterable[Key]) -> dict[Key, Mark]:
        """How far each of these streams was heard."""
        rows = await ask(self._db.reads, MARKS, {"source": source, **_columns(sorted(keys), "tenants", "streams")})
        return {(row["tenant"], row["stream"]): Mark(row["version"], row["parked"], row["identity"]) for row in rows}

    async def keep(self, source: str, early: Sequence[Early], *, in_turn: bool = False) -> list[Early]:
        """Store messages until their turn; those are returned whose turn it is by now."""
        await failpoint("W9-waiting")
        parameters = {
            "source": source,
            "tenants": [each.tenant for each in early],
            "streams": [each.stream for each in early],
            "versions": [each.version for each in early],
            "subjects": [each.message.subject for each in early],
            "headers": [canonical(dict(each.message.headers)) for each in early],
            "bodies": [each.message.body for each in early],
            "ahead": (ahead := 0 if in_turn else 1),
        }
        rows = await ask(self._db.writes, KEEP, parameters)
        heard = {(row["tenant"], row["stream"]): row["version"] for row in rows}
        return [each for each in early if each.version <= heard[each.tenant, each.stream] + ahead]

    async def advance(
        self, source: str, heard: Mapping[Key, int], settled: str = "replayed", identity: str = ""
    ) -> None:
        """All up to these versions is done with; what was parked among it is settled."""
        rows = sorted((tenant, stream, version) for (tenant, stream), version in heard.items())
        parameters = {"source": source, "settled": settled, "identity": identity}
        (done,) = await ask(self._db.writes, ADVANCE, parameters | _columns(rows, "tenants", "streams", "versions"))
        if rows and not done["moved"]:
            raise Unavailable("the database is another one than the messages were handled in")

    async def ready(
        self, source: str | None = None, keys: Iterable[Key] = (), *, after: Waiting | None = None
    ) -> list[Waiting]:
        """What waits and has its turn now, with what waits behind it: of some streams, or (no source) of all."""
        if source is None:
            last = (*after.key, after.source) if after else ("", FIRST, "")
            names = ("after_tenant", "after_stream", "after_source")
            rows = await ask(self._db.reads, READY_ALL, dict(zip(names, last, strict=True)))
        else:
            parameters = {"source": source, **_columns(sorted(keys), "tenants", "streams")}
            rows = await ask(self._db.reads, READY_BEHIND, parameters)
        return [Waiting(row["source"], _message(row), (row["tenant"], row["stream"])) for row in rows]

    async def tidy(self) -> None:
        """Forget what waits, and settle what is parked, although it was handled: others at work leave such rows."""
        await ask(self._db.writes, TIDY)

    async def park(self, source: str, message: Message, place: Early | None, reason: str) -> bool:
        """Set a message aside, unless it was handled meanwhile; True when it was not there before."""
        parameters = {
            "id": letter_id(source, message, place),
            "source": source,
            "tenant": place.tenant if place else None,
            "stream": place.stream if place else None,
            "version": place.version if place else None,
            "subject": message.subject.replace("\x00", "\\x00"),
            "headers": canonical(dict(message.headers)),
            "body": message.body,
            "reason": reason.replace("\x00", " ")[:2000],
        }
        rows = await ask(self._db.writes, PARK, parameters)
        return bool(rows) and bool(rows[0]["first"])

    async def gaps(self, older: float) -> list[Gap]:
        """Messages that others have waited for longer than so many seconds; parked ones are not missing."""
        rows = await ask(self._db.reads, GAPS, {"older": older})
        return [Gap(r["source"], r["tenant"], r["stream"], r["missing"], r["seconds"]) for r in rows]

    async def listener(self, source: str) -> Listener | None:
        """How far we have heard a service's JetStream stream."""
        rows = await ask(self._db.reads, LISTENER, {"source": source})
        if not rows:
            return None
        return Listener(rows[0]["stream_created"], rows[0]["handled"], rows[0]["identity"], rows[0]["attached"])

    async def listen(self, source: str, created: str, handled: int, identity: str = "") -> Listener:
        """From now on we hear this stream, from there."""
        parameters = {"source": source, "created": created, "handled": handled, "identity": identity}
        rows = await ask(self._db.writes, LISTEN, parameters)
        if not rows:
            raise Unavailable("the database is another one than it was a moment ago")
        return Listener(created, handled, rows[0]["identity"], rows[0]["identity"])

    async def heard(self, source: str, seen: Listener, handled: int) -> bool:
        """Move on from where we last were; False if the row is elsewhere, or in another database."""
        parameters = {
            "source": source,
            "created": seen.created,
            "seen": seen.handled,
            "identity": seen.identity,
            "handled": handled,
        }
        return bool(await ask(self._db.writes, HEARD, parameters))

    async def letters(
        self, status: str | None = "parked", *, reasons: Sequence[str] = (), after: Letter | None = None
    ) -> list[Letter]:
        """A page of dead letters, oldest first: of every status where none is given; whose reasons begin so, if any."""
        last = {"after_at": after.parked_at if after else None, "after_id": after.id if after else None}
        parameters = {"status": status, "reasons": list(reasons), **last}
        return [_letter(row) for row in await ask(self._db.reads, LETTERS_BEHIND, parameters)]

    async def letter(self, id: UUID) -> Letter | None:
        """One dead letter."""
        rows = await ask(self._db.reads, LETTER, {"id": id})
        return _letter(rows[0]) if rows else None

    async def parked(self) -> int:
        """How many messages are parked."""
        (row,) = await ask(self._db.reads, text("SELECT count(*) AS n FROM dead_letters WHERE status = 'parked'"))
        return int(row["n"])

    async def settle(self, id: UUID, status: str) -> None:
        """A letter that belongs to no stream is done with."""
        statement = text("""
            UPDATE dead_letters SET status = :status, settled_at = clock_timestamp()
            WHERE id = :id AND status = 'parked'
        """).bindparams(bindparam("id", type_=t.dead_letters.c.id.type))
        await ask(self._db.writes, statement, {"id": id, "status": status})


def _columns(rows: Sequence[tuple[Any, ...]], *names: str) -> dict[str, list[Any]]:
    return {name: [row[number] for row in rows] for number, name in enumerate(names)}


def _message(row: RowMapping) -> Message:
    return Message(row["subject"], json.loads(row["headers"]), bytes(row["body"]))


def _letter(row: RowMapping) -> Letter:
    return Letter(
        id=row["id"],
        source=row["source"],
        tenant=row["tenant"],
        stream=row["stream"],
        version=row["version"],
        message=_message(row),
        reason=row["reason"],
        status=row["status"],
        parked_at=row["parked_at"],
        settled_at=row["settled_at"],
        held=row["held"],
    )
