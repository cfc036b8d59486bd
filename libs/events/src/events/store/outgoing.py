"""What the relay keeps in the database: who leads, how far the bus has come, and the announcements after that."""

import json
from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import RowMapping, text

from events.codec import canonical
from events.failpoints import failpoint
from events.message import Message
from events.store import tables as t
from events.store.bus_port import Behind, Lost, Noted, Restore, Tail
from events.store.database import IDENTITY, Database, ask
from events.store.port import ANOTHER_DATABASE, StoredEvent, Unavailable
from events.store.postgres import stored_event
from events.store.told import as_told, lost_beside

RELAY = "relay"
AT_A_TIME = 1000

LEASE = text("""
    INSERT INTO leases AS l (name, holder, epoch, expires_at)
    VALUES (:name, :holder, 1, clock_timestamp() + make_interval(secs => :seconds))
    ON CONFLICT (name) DO UPDATE SET
        holder = excluded.holder,
        epoch = CASE WHEN l.holder = excluded.holder THEN l.epoch ELSE l.epoch + 1 END,
        expires_at = excluded.expires_at
    WHERE l.holder = excluded.holder OR l.expires_at < clock_timestamp()
        OR l.expires_at > clock_timestamp() + make_interval(secs => :seconds)
    RETURNING epoch
""")
"""A lease that ends later than any begun now was given before the clock stepped back: its holder may be dead."""

RELEASE = text("UPDATE leases SET expires_at = '-infinity' WHERE name = :name AND holder = :holder")

TAKE_OVER = text("""
    INSERT INTO relay AS r (only_row, position, epoch) VALUES (1, 0, :epoch)
    ON CONFLICT (only_row) DO UPDATE SET epoch = excluded.epoch WHERE r.epoch <= excluded.epoch
    RETURNING position
""")

MOVE = text(f"""
    UPDATE relay SET position = :to WHERE epoch = :epoch AND position = :from
        AND (CAST(:identity AS text) = '' OR {IDENTITY} = :identity) RETURNING position
""")  # noqa: S608

NOTED = text(f"SELECT stream_created, sequence, {IDENTITY} AS identity FROM relay")  # noqa: S608
NOTE = text(f"""
    UPDATE relay SET stream_created = :created, sequence = :sequence
    WHERE epoch = :epoch AND {IDENTITY} = :identity RETURNING position
""")  # noqa: S608

UNDECIDED = "restore > (SELECT coalesce(max(r.number), 0) FROM restores r)"
FORGET = text(f"DELETE FROM lost_announcements WHERE {UNDECIDED}")  # noqa: S608
GIVE_UP = text(f"""
    INSERT INTO lost_announcements (event_id, position, tenant, stream, public_version, subject, headers, body, restore)
    SELECT *, (SELECT coalesce(max(r.number), 0) + 1 FROM restores r)
    FROM unnest(CAST(:events AS uuid[]), CAST(:positions AS bigint[]), CAST(:tenants AS text[]),
                CAST(:streams AS uuid[]), CAST(:versions AS integer[]), CAST(:subjects AS text[]),
                CAST(:headers AS text[]), CAST(:bodies AS bytea[]))
    WHERE {IDENTITY} = :identity
    ON CONFLICT DO NOTHING
""")  # noqa: S608
DECIDE = text(f"""
    SELECT d.* FROM (SELECT CAST(:created AS text) AS created WHERE {IDENTITY} = :identity OFFSET 0) here
    CROSS JOIN LATERAL accept_restore(here.created, :sequence) d
""")  # noqa: S608

LOST = text("""
    SELECT l.event_id FROM lost_announcements l JOIN restores r ON r.number = l.restore
    WHERE l.event_id = ANY (CAST(:ids AS uuid[]))
""")
LOST_ANNOUNCEMENTS = text(f"""
    SELECT {t.columns_of(t.lost_announcements, "l")} FROM lost_announcements l JOIN restores r ON r.number = l.restore
    WHERE l.position >= :start ORDER BY l.position, l.restore
""")  # noqa: S608

BEHIND = text("""
    SELECT h.position AS head, coalesce(r.position, 0) AS checkpoint,
           coalesce(extract(epoch FROM clock_timestamp() - (
               SELECT e.recorded_at FROM events e
               WHERE e.public_body IS NOT NULL AND e.position > coalesce(r.position, 0) ORDER BY e.position LIMIT 1
           )), 0)::float8 AS oldest
    FROM head h LEFT JOIN relay r ON true
""")


class PostgresOutgoing:
    """Implements `events.store.bus_port.Outgoing`."""

    def __init__(self, database: Database) -> None:
        """On these connections; the relay has one for itself."""
        self._db = database

    async def lease(self, holder: str, seconds: float) -> int | None:
        """Take or renew the lead; the epoch, or None while somebody else leads. Time is the database's."""
        await failpoint("W9-lease")
        rows = await ask(self._db.relay, LEASE, {"name": RELAY, "holder": holder, "seconds": seconds})
        return int(rows[0]["epoch"]) if rows else None

    async def release(self, holder: str) -> None:
        """Let somebody else lead at once."""
        await ask(self._db.relay, RELEASE, {"name": RELAY, "holder": holder})

    async def take_over(self, epoch: int) -> int | None:
        """The checkpoint, which from now on only this epoch or a later one moves; None if a later one has it."""
        rows = await ask(self._db.relay, TAKE_OVER, {"epoch": epoch})
        return int(rows[0]["position"]) if rows else None

    async def move(self, epoch: int, old: int, new: int, identity: str = "") -> bool:
        """Move the checkpoint, if it is where, whose, and in which database we believe."""
        parameters = {"epoch": epoch, "from": old, "to": new, "identity": identity}
        return bool(await ask(self._db.relay, MOVE, parameters))

    async def tail(self, after: int, limit: int) -> Tail:
        """Announcements after a position, in order, as they are told."""
        rows = await ask(self._db.relay, _TAIL, {"after": after, "limit": limit})
        events = [as_told(stored_event(row), row) for row in rows if row["event_id"] is not None]
        return Tail(int(rows[0]["head"]), events, int(rows[0]["checkpoint"]), rows[0]["identity"])

    async def at(self, positions: Iterable[int]) -> dict[int, StoredEvent]:
        """The announcements at these positions, as they are told."""
        rows = await ask(self._db.reads, _AT, {"positions": list(positions)})
        return {row["position"]: as_told(stored_event(row), row) for row in rows}

    async def behind(self) -> Behind:
        """How far the bus is behind the log."""
        rows = await ask(self._db.reads, BEHIND)
        return Behind(int(rows[0]["head"]), int(rows[0]["checkpoint"]), float(rows[0]["oldest"])) if rows else Behind()

    async def noted(self) -> Noted:
        """How much of the JetStream stream is known to be of our log."""
        (row,) = await ask(self._db.relay, NOTED)
        return Noted(row["stream_created"], row["sequence"], row["identity"])

    async def note(self, epoch: int, noted: Noted) -> bool:
        """So much is known now; False if another epoch leads, or in another database."""
        parameters = {name: getattr(noted, name) for name in ("created", "sequence", "identity")}
        return bool(await ask(self._db.relay, NOTE, {"epoch": epoch, **parameters}))

    async def lost(self, ids: Iterable[UUID]) -> set[UUID]:
        """Which of these were given up after a restore."""
        return {row["event_id"] for row in await ask(self._db.reads, LOST, {"ids": list(ids)})}

    async def lost_announcements(self, start: int = 0) -> list[Lost]:
        """What was given up, from a position on, in the order of positions."""
        return [_lost(row) for row in await ask(self._db.reads, LOST_ANNOUNCEMENTS, {"start": start})]

    async def give_up(self, lost: Sequence[Lost], noted: Noted) -> Restore:
        """Written first, decided then: until the last statement nothing counts."""
        await ask(self._db.writes, FORGET)
        for start in range(0, len(lost), AT_A_TIME):
            await ask(self._db.writes, GIVE_UP, _as_columns(lost[start : start + AT_A_TIME], noted.identity))
        parameters = {"created": noted.created, "sequence": noted.sequence, "identity": noted.identity}
        rows = await ask(self._db.writes, DECIDE, parameters)
        if not rows:
            raise Unavailable(ANOTHER_DATABASE)
        return Restore(**rows[0])


_TAIL = text(f"""
    SELECT h.position AS head, r.position AS checkpoint, {IDENTITY} AS identity, e.*
    FROM head h JOIN relay r ON true LEFT JOIN LATERAL (
        SELECT {t.columns_of(t.events, "e")}, {lost_beside("e")} FROM events e
        WHERE e.public_body IS NOT NULL AND e.position > :after ORDER BY e.position LIMIT :limit
    ) e ON true
    ORDER BY e.position
""")  # noqa: S608

_AT = text(f"""
    SELECT {t.columns_of(t.events, "e")}, {lost_beside("e")} FROM events e
    WHERE e.public_body IS NOT NULL AND e.position = ANY (CAST(:positions AS bigint[]))
""")  # noqa: S608


def _lost(row: RowMapping) -> Lost:
    message = Message(row["subject"], json.loads(row["headers"]), bytes(row["body"]))
    return Lost(row["event_id"], row["position"], row["tenant"], row["stream"], row["public_version"], message)


def _as_columns(lost: Sequence[Lost], identity: str) -> dict[str, Any]:
    return {
        "events": [each.event for each in lost],
        "positions": [each.position for each in lost],
        "tenants": [each.tenant for each in lost],
        "streams": [each.stream for each in lost],
        "versions": [each.version for each in lost],
        "subjects": [each.message.subject for each in lost],
        "headers": [canonical(dict(each.message.headers)) for each in lost],
        "bodies": [each.message.body for each in lost],
        "identity": identity,
    }
