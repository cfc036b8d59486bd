"""A replica goes on while a migration of a later release adds to the tables that it uses."""

from uuid import uuid4

import asyncpg
import pytest
from making import ask
from toy_jar import Put, jars

from events.handling import Handler
from events.store.database import Database
from events.store.incoming import PostgresIncoming
from events.store.outgoing import PostgresOutgoing
from events.store.postgres import PostgresStore

TABLES = (
    "events",
    "states",
    "commands",
    "claims",
    "side_rows",
    "head",
    "leases",
    "relay",
    "inbox",
    "waiting",
    "listeners",
    "dead_letters",
    "parked_deadlines",
    "numbers",
    "business_clock",
)


@pytest.mark.parametrize("table", TABLES)
async def test_it_does_not_notice_a_new_column(
    table: str, handler: Handler, store: PostgresStore, db: Database, sql: asyncpg.Connection
) -> None:
    jar = uuid4()
    outgoing, incoming = PostgresOutgoing(db), PostgresIncoming(db)

    async def everything() -> None:
        await handler.handle(ask(Put(things=1), jar))
        await handler.read(jars, "meridian", jar, version=1)
        await store.due(10)
        await store.stream("meridian", jars.kind, jar)
        epoch = await outgoing.lease("me", 8)
        assert epoch
        await outgoing.take_over(epoch)
        await outgoing.tail(0, 10)
        await outgoing.behind()
        await incoming.letters("parked")
        await incoming.ready()
        await incoming.gaps(0)
        await incoming.listen("audit", "then", 1)

    for _ in range(7):  # from its sixth use on, a statement's plan may be kept
        await everything()
    await sql.execute(f"ALTER TABLE {table} ADD COLUMN added integer")
    await everything()
