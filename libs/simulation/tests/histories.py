"""Random histories on two databases at once: every answer is the same, and so is what every table holds in the end."""

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import astuple, dataclass, fields, is_dataclass, replace
from datetime import UTC, datetime
from typing import Any

import asyncpg
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, run_state_machine_as_test

from events.codec import canonical
from events.kernel import Unacceptable
from events.message import Message
from events.store import tables as t
from events.store.bus_port import Incoming, Outgoing
from events.store.database import Database
from events.store.incoming import PostgresIncoming
from events.store.outgoing import PostgresOutgoing
from events.store.port import Store, StoredEvent, Unavailable
from events.store.postgres import PostgresStore
from events.store.schema import create_latest
from simulation.database import Database as SimulatedDatabase
from simulation.database import Tables
from simulation.incoming import SimulatedIncoming
from simulation.outgoing import SimulatedOutgoing
from simulation.store import SimulatedStore
from stack.postgres import plain_url

HISTORIES = int(os.environ.get("CLOSELOOP_HISTORIES", "0"))
"""So many other histories than those that every build runs; the first that fails is made as short as it can be."""
EVERY_BUILD = 25
STEPS = 50

TENANTS = ("meridian", "elsewhere")
tenants = st.sampled_from(["meridian", "meridian", "meridian", "elsewhere"])
identities = st.sampled_from(["", "right", "right", "wrong"])

CLOCKS = {"attached", "decided_at", "identity", "now", "oldest", "parked_at", "recorded_at", "seconds", "settled_at"}

COLUMNS = {
    "head": "position",
    "events": "position, tenant, kind, stream, version, event_id, type, schema_version, data, metadata, public_type, "
    "public_schema, public_body, public_version, dense_rank() OVER (ORDER BY recorded_at)",
    "states": "tenant, kind, id, version, public_version, shape, state::text, deadline",
    "commands": "tenant, id, kind, stream, version, position, status, fingerprint, origin",
    "claims": "tenant, key, kind, stream",
    "side_rows": "tenant, kind, stream, name, source, id, body, position, place",
    "numbers": "tenant, series, last",
    "business_clock": "ahead",
    "parked_deadlines": "tenant, kind, stream, version, shape, reason",
    "leases": "holder, epoch",
    "relay": "position, epoch, stream_created, sequence",
    "restores": "number, last_position, goes_on_after, lost",
    "lost_announcements": "event_id, position, tenant, stream, public_version, subject, headers, body, restore",
    "listeners": "source, stream_created, handled, identity <> ''",
    "inbox": "tenant, source, stream, version",
    "waiting": "tenant, source, stream, version, subject, headers, body",
    "dead_letters": "id, source, tenant, stream, version, subject, headers, body, reason, status, "
    "settled_at IS NOT NULL",
}
"""Of every table all that does not tell real time."""
ELSEWHERE = {"list_declarations"}
"""Nothing that is simulated reads or writes it."""

EMPTY = """
    SET session_replication_role = replica;
    DELETE FROM events; DELETE FROM side_rows; DELETE FROM states; DELETE FROM commands; DELETE FROM claims;
    DELETE FROM numbers; DELETE FROM parked_deadlines; DELETE FROM leases; DELETE FROM listeners; DELETE FROM inbox;
    DELETE FROM waiting; DELETE FROM dead_letters; DELETE FROM restores; DELETE FROM lost_announcements;
    UPDATE head SET position = 0; UPDATE relay SET position = 0, epoch = 0, stream_created = '', sequence = 0;
    UPDATE business_clock SET ahead = interval '0';
    SET session_replication_role = DEFAULT
"""


@dataclass(frozen=True)
class World:
    """A database with all that may be asked of it."""

    store: Store
    incoming: Incoming
    outgoing: Outgoing

    async def identity(self, of: str) -> str:
        """What the database calls itself ("right"), or whatever else is said."""
        return (await self.outgoing.noted()).identity if of == "right" else of


class History(RuleBasedStateMachine):
    """Each rule of a subclass asks the same of both, and compares."""

    runner: asyncio.Runner
    sql: asyncpg.Connection
    postgres: World

    @initialize()
    def begin(self) -> None:
        self.runner.run(self.sql.execute(EMPTY))
        self.database = SimulatedDatabase("toy", lambda: datetime.now(UTC))
        self.simulated = World(
            SimulatedStore(self.database), SimulatedIncoming(self.database), SimulatedOutgoing(self.database)
        )
        self.made = 0

    def teardown(self) -> None:
        if hasattr(self, "database"):
            assert held_by_simulation(self.database.tables) == self.runner.run(held_by_postgres(self.sql))

    def number(self) -> int:
        """Another each time."""
        self.made += 1
        return self.made

    def same(self, ask: Callable[[World], Awaitable[Any]]) -> None:
        simulated = self.runner.run(outcome(ask(self.simulated)))
        assert simulated == self.runner.run(outcome(ask(self.postgres)))


async def outcome(asked: Awaitable[Any]) -> Any:
    """The answer, or the refusal, without the time of day."""
    try:
        return timeless(await asked)
    except (Unacceptable, Unavailable) as refusal:
        return type(refusal)


def timeless(value: Any) -> Any:
    """The same answer at any time in any database; of a time only whether there is one."""
    if isinstance(value, list | tuple):
        return [timeless(each) for each in value]
    if isinstance(value, dict):
        return {key: timeless(each) for key, each in value.items()}
    if not is_dataclass(value) or isinstance(value, type):
        return value
    changed = {each.name: timeless(getattr(value, each.name)) for each in fields(value)}
    return replace(value, **{name: bool(old) if name in CLOCKS else old for name, old in changed.items()})


def run_histories(machine: type[History], url: str) -> None:
    """Histories of one kind on a fresh database."""

    @asynccontextmanager
    async def connected() -> AsyncIterator[tuple[World, asyncpg.Connection]]:
        database = Database.at(url)
        async with database.writes.connect() as connection:
            await connection.run_sync(create_latest)
        sql = await asyncpg.connect(plain_url(url))
        yield World(PostgresStore(database), PostgresIncoming(database), PostgresOutgoing(database)), sql
        await sql.close()
        await database.close()

    with asyncio.Runner() as runner:
        connection = connected()
        world, sql = runner.run(connection.__aenter__())
        try:
            run_state_machine_as_test(
                type(machine.__name__, (machine,), {"runner": runner, "postgres": world, "sql": sql}),
                settings=settings(
                    max_examples=HISTORIES or EVERY_BUILD,
                    stateful_step_count=STEPS,
                    deadline=None,
                    phases=[Phase.generate, Phase.shrink] if HISTORIES else [Phase.generate],
                    derandomize=not HISTORIES,
                    database=None,
                    suppress_health_check=list(HealthCheck),
                ),
            )
        finally:
            runner.run(connection.__aexit__(None, None, None))


async def held_by_postgres(sql: asyncpg.Connection) -> dict[str, list[tuple[Any, ...]]]:
    """Every table, its rows in a fixed order."""
    assert set(COLUMNS) | ELSEWHERE == set(t.metadata.tables)
    found = {name: await sql.fetch(f"SELECT {columns} FROM {name}") for name, columns in COLUMNS.items()}
    return {name: _sorted(tuple(row) for row in rows) for name, rows in found.items()}


def held_by_simulation(tables: Tables) -> dict[str, list[tuple[Any, ...]]]:
    """The same of the simulated tables."""
    ranks = {at: rank for rank, at in enumerate(sorted({event.recorded_at for event in tables.events}), 1)}
    found = {
        "head": [(tables.position,)],
        "events": [_event(event, ranks) for event in tables.events],
        "states": [
            (*key, s.version, s.public_version, s.shape, s.state, s.deadline) for key, s in tables.states.items()
        ],
        "commands": [
            (*key, c.kind, c.stream, c.version, c.position, c.status, c.fingerprint, c.origin)
            for key, c in tables.commands.items()
        ],
        "claims": [(*key, *holder) for key, holder in tables.claims.items()],
        "side_rows": [(*key, row.body, row.position, row.place) for key, row in tables.side_rows.items()],
        "numbers": [(*key, last) for key, last in tables.numbers.items()],
        "business_clock": [(tables.ahead,)],
        "parked_deadlines": [(*key, p.version, p.shape, p.reason) for key, p in tables.parked_deadlines.items()],
        "leases": [(tables.lease.holder, tables.lease.epoch)] if tables.lease else [],
        "relay": [astuple(tables.checkpoint)],
        "restores": [(r.number, r.last_position, r.goes_on_after, r.lost) for r in tables.restores],
        "lost_announcements": [
            (*key, each.lost.tenant, each.lost.stream, each.lost.version, *_columns(each.lost.message), each.restore)
            for key, each in tables.given_up.items()
        ],
        "listeners": [(source, h.created, h.handled, bool(h.attached)) for source, h in tables.listeners.items()],
        "inbox": [(*place, version) for place, version in tables.inbox.items()],
        "waiting": [(*place, *_columns(kept.message)) for place, kept in tables.waiting.items()],
        "dead_letters": [
            (
                d.id,
                d.source,
                d.tenant,
                d.stream,
                d.version,
                *_columns(d.message),
                d.reason,
                d.status,
                bool(d.settled_at),
            )
            for d in tables.dead_letters.values()
        ],
    }
    return {name: _sorted(rows) for name, rows in found.items()}


def _event(event: StoredEvent, ranks: dict[datetime, int]) -> tuple[Any, ...]:
    values = {each.name: getattr(event, each.name) for each in fields(event)}
    rank = ranks[values.pop("recorded_at")]
    return (*values.values(), rank)


def _columns(message: Message) -> tuple[str, str, bytes]:
    return message.subject, canonical(dict(message.headers)), message.body


def _sorted(rows: Any) -> list[tuple[Any, ...]]:
    return sorted(rows, key=repr)
