"""What a service's database holds, read from outside in one read-only snapshot, from a position on."""

from collections import defaultdict
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import asyncpg

from events.store.port import StoredEvent
from events.store.postgres import stored_event
from events.store.told import told

Stream = tuple[str, str, UUID]
"""(tenant, kind, id)"""

TOUCHED = "SELECT DISTINCT tenant, kind, stream FROM events WHERE position > $1"
QUERIES = {
    "events": f"SELECT * FROM events WHERE (tenant, kind, stream) IN ({TOUCHED}) ORDER BY position",
    "states": f"SELECT * FROM states WHERE $1 = 0 OR (tenant, kind, id) IN ({TOUCHED})",
    "claims": f"SELECT * FROM claims WHERE $1 = 0 OR (tenant, kind, stream) IN ({TOUCHED})",
    # One that decided for no events bears the position of the head that it saw.
    "commands": "SELECT * FROM commands WHERE position >= $1",
    "inbox": "SELECT * FROM inbox WHERE $1 >= 0",
    "announced": """SELECT tenant, id AS stream, public_version AS version FROM states
        WHERE $1 >= 0 AND public_version > 0""",
    "listeners": "SELECT * FROM listeners WHERE $1 >= 0",
    "waiting": "SELECT source, tenant, stream, version FROM waiting WHERE $1 >= 0",
    "dead_letters": "SELECT * FROM dead_letters WHERE $1 >= 0 AND status = 'parked'",
    "parked_deadlines": "SELECT * FROM parked_deadlines WHERE $1 >= 0",
    "side_rows": f"""SELECT * FROM side_rows WHERE position > $1 OR (tenant, kind, stream) IN ({TOUCHED})
        ORDER BY position, place""",
    "numbered_twice": """SELECT kind, state->>'number' AS number FROM states
        WHERE $1 >= 0 AND kind IN ('audit', 'finding', 'corrective-action', 'risk', 'sla') AND state->>'number' <> ''
        GROUP BY tenant, kind, state->>'number' HAVING count(*) > 1""",
    # By the clock of the database, not by what the service says of itself.
    "overdue": """SELECT s.kind, s.id, s.deadline FROM states s, business_clock b
        WHERE $1 >= 0 AND s.deadline < clock_timestamp() + b.ahead - interval '10 seconds'""",
    "head": "SELECT * FROM head WHERE $1 >= 0",
}
AFTER_A_RESTORE = {
    "restores": "SELECT * FROM restores WHERE $1 >= 0",
    "lost": "SELECT l.* FROM lost_announcements l JOIN restores r ON r.number = l.restore WHERE $1 >= 0",
}
"""Earlier releases have no such tables."""


@dataclass(frozen=True, kw_only=True)
class Rows:
    """Rows by table; of events, states and claims all those of each stream that was touched since `after`."""

    service: str
    after: int
    events: tuple[StoredEvent, ...]
    states: tuple[Any, ...]
    claims: tuple[Any, ...]
    commands: tuple[Any, ...]
    inbox: tuple[Any, ...]
    announced: tuple[Any, ...]
    listeners: tuple[Any, ...]
    waiting: tuple[Any, ...]
    dead_letters: tuple[Any, ...]
    parked_deadlines: tuple[Any, ...]
    side_rows: tuple[Any, ...]
    numbered_twice: tuple[Any, ...]
    overdue: tuple[Any, ...]
    head: tuple[Any, ...]
    restores: tuple[Any, ...] = ()
    lost: tuple[Any, ...] = ()
    """What an operator has given up after a restore: others have heard it, the log does not have it."""

    def as_told(self, event: StoredEvent) -> StoredEvent:
        """Under the number and id by which others hear of it."""
        if not self.lost or event.public_body is None:
            return event
        versions = self.lost_versions.get((event.tenant, event.stream), ())
        return told(event, versions, id_was_lost=event.id in {row["event_id"] for row in self.lost})

    @property
    def lost_versions(self) -> dict[tuple[str, UUID], list[int]]:
        """By tenant and stream the numbers that are never used again."""
        found: dict[tuple[str, UUID], list[int]] = defaultdict(list)
        for row in self.lost:
            found[row["tenant"], row["stream"]].append(row["public_version"])
        return found

    @property
    def positions(self) -> list[int]:
        """Those that the log must have behind `after`: all but the ones that a restore has left out."""
        left_out = {
            position for row in self.restores for position in range(row["last_position"] + 1, row["goes_on_after"] + 1)
        }
        return [position for position in range(self.after + 1, self.position + 1) if position not in left_out]

    @property
    def position(self) -> int:
        """Where the log ends."""
        return int(self.head[0]["position"]) if self.head else 0

    @property
    def new(self) -> list[StoredEvent]:
        """Events behind `after`."""
        return [event for event in self.events if event.position > self.after]

    def streams(self) -> dict[Stream, list[StoredEvent]]:
        """The events of each touched stream."""
        found: dict[Stream, list[StoredEvent]] = defaultdict(list)
        for event in self.events:
            found[event.tenant, event.kind, event.stream].append(event)
        return found


async def read(service: str, url: str, after: int) -> Rows:
    """All tables at one moment."""
    connection = await asyncpg.connect(url, timeout=5, server_settings={"application_name": "chaos"})
    try:
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            queries = QUERIES | (AFTER_A_RESTORE if await connection.fetchval("SELECT to_regclass('restores')") else {})
            found = {table: tuple(await connection.fetch(query, after)) for table, query in queries.items()}
    finally:
        await connection.close(timeout=2)
    found["events"] = tuple(stored_event(row) for row in found["events"])
    return Rows(service=service, after=after, **found)
