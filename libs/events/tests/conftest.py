"""The machinery on a real, empty database: `db`, `store`, `writer`, `handler`."""

from collections.abc import AsyncIterator

import pytest
from toy_jar import jars

from events.handling import Handler
from events.store.database import Database
from events.store.postgres import PostgresStore
from events.store.schema import create_core
from events.store.writer import Writer


@pytest.fixture
async def db(database: str) -> AsyncIterator[Database]:
    db = Database.at(database)
    async with db.writes.connect() as connection:
        await connection.run_sync(create_core)
    yield db
    await db.close()


@pytest.fixture
def store(db: Database) -> PostgresStore:
    return PostgresStore(db)


@pytest.fixture
async def writer(store: PostgresStore) -> AsyncIterator[Writer]:
    writer = Writer(store)
    writer.start()
    yield writer
    await writer.stop()


@pytest.fixture
def handler(store: PostgresStore, writer: Writer) -> Handler:
    return Handler(store, writer, [jars])
