"""The machinery on a real, empty database: `db`, `store`, `writer`, `handler`; `elsewhere` is a second of each."""

from collections.abc import AsyncIterator

import asyncpg
import pytest
from bus_words import World, clean
from toy_jar import jars

from events.handling import Handler
from events.store.database import Database
from events.store.folds import Folds
from events.store.postgres import PostgresStore
from events.store.schema import create_latest
from events.store.writer import Writer
from stack.nats import Nats
from stack.postgres import plain_url

SHARED = ("broker_conformance", "conformance", "incoming_conformance", "outgoing_conformance")
pytest.register_assert_rewrite(*SHARED, "making", "racing")


@pytest.fixture
async def db(database: str) -> AsyncIterator[Database]:
    db = Database.at(database)
    async with db.writes.connect() as connection:
        await connection.run_sync(create_latest)
    yield db
    await db.close()


@pytest.fixture
async def sql(db: Database, database: str) -> AsyncIterator[asyncpg.Connection]:
    """A session of somebody else, in plain SQL."""
    connection = await asyncpg.connect(plain_url(database), server_settings={"application_name": "somebody"})
    yield connection
    await connection.close()


@pytest.fixture
def store(db: Database) -> PostgresStore:
    return PostgresStore(db)


@pytest.fixture
def folds(db: Database) -> Folds:
    return Folds(db)


@pytest.fixture
async def writer(store: PostgresStore) -> AsyncIterator[Writer]:
    writer = Writer(store)
    writer.start()
    yield writer
    await writer.stop()


@pytest.fixture
def handler(store: PostgresStore, writer: Writer) -> Handler:
    return Handler(store, writer, [jars])


@pytest.fixture
async def elsewhere(database: str, db: Database) -> AsyncIterator[Handler]:
    """The handler of another replica: its own connections, its own writer."""
    other = Database.at(database)
    store = PostgresStore(other)
    writer = Writer(store)
    writer.start()
    yield Handler(store, writer, [jars])
    await writer.stop()
    await other.close()


@pytest.fixture
async def world(db: Database, handler: Handler, nats_server: Nats) -> AsyncIterator[World]:
    """Speaker and hearer at a broker without streams."""
    async with clean(nats_server.url):
        yield World(db, handler, nats_server.url)
