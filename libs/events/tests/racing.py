"""Others at the same moment: somebody who is always faster, somebody who holds the lock that all need."""

from collections.abc import Awaitable, Callable, Sequence

import asyncpg
from toy_jar import jars

from events.handling import Handler
from events.store.database import Database
from events.store.port import Answer, Append, Together
from events.store.postgres import PostgresStore
from events.store.writer import Writer

Session = asyncpg.Connection


class Raced(PostgresStore):
    """The real store, where somebody is always a little faster."""

    def __init__(self, db: Database, faster: Callable[[], Awaitable[object]]) -> None:
        super().__init__(db)
        self.faster = faster
        self.tried: list[Append | Together] = []

    async def append(self, batch: Sequence[Append | Together]) -> list[Answer]:
        self.tried += batch
        await self.faster()
        return await super().append(batch)


async def raced(db: Database, faster: Callable[[], Awaitable[object]]) -> tuple[Handler, Raced, Writer]:
    store = Raced(db, faster)
    writer = Writer(store)
    writer.start()
    return Handler(store, writer, [jars]), store, writer


async def hold_head(sql: Session) -> asyncpg.transaction.Transaction:
    """Somebody else holds the lock that every append needs."""
    transaction = sql.transaction()
    await transaction.start()
    await sql.execute("SELECT FROM head FOR UPDATE")
    return transaction


async def an_append_waits(sql: Session) -> bool:
    """pg_stat_activity would not do: within a transaction it is read only once."""
    return bool(await sql.fetchval("SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted)"))


async def assert_dense(sql: Session) -> int:
    """Positions run from 1 to the head's without a gap; the last one."""
    count, first, last = await sql.fetchrow("SELECT count(*), min(position), max(position) FROM events")
    assert (first or 1, last or 0) == (1, count)
    assert await sql.fetchval("SELECT position FROM head") == count
    return int(count)
