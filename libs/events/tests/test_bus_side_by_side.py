"""Two consumers of one service at work on one stream: what each has begun before the other was done."""

import asyncio
from uuid import uuid4

import asyncpg
import pytest
from incoming_conformance import TENANT, TOY, early, mark, news, waiting_versions
from processes import until

from events.store.bus_port import Mark, letter_id
from events.store.database import Database
from events.store.incoming import PostgresIncoming

LOCK = """
    INSERT INTO inbox AS i (tenant, source, stream, version) VALUES ($1, $2, $3, 0)
    ON CONFLICT (tenant, source, stream) DO UPDATE SET version = i.version
"""
PARKED = """
    INSERT INTO dead_letters (id, source, tenant, stream, version, subject, headers, body, reason, status, parked_at)
    VALUES ($1, $2, $3, $4, 1, '', '{}', '', 'older code does not know it', 'parked', clock_timestamp())
"""
WAITING = """
    INSERT INTO waiting (tenant, source, stream, version, subject, headers, body, since)
    VALUES ($1, $2, $3, 2, '', '{"ce-id": "e-2"}', '', clock_timestamp())
"""


@pytest.fixture
def incoming(db: Database) -> PostgresIncoming:
    return PostgresIncoming(db)


async def blocked(sql: asyncpg.Connection) -> bool:
    return bool(await sql.fetchval("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"))


async def test_what_one_parks_while_the_other_handles_it_is_settled_by_the_sweep(
    incoming: PostgresIncoming, sql: asyncpg.Connection
) -> None:
    stream = uuid4()
    place = early(stream, 1)
    async with sql.transaction():
        await sql.execute(LOCK, TENANT, TOY, stream)
        await sql.execute(PARKED, letter_id(TOY, news(1), place), TOY, TENANT, stream)
        advancing = asyncio.create_task(incoming.advance(TOY, {(TENANT, stream): 1}))
        await until(lambda: blocked(sql))
    await advancing
    assert await incoming.parked() == 1, "the advance did not look again after it had waited"
    await incoming.tidy()
    assert await incoming.parked() == 0
    assert [letter.status for letter in await incoming.letters(None)] == ["replayed"]
    assert await mark(incoming, stream) == Mark(1, False)


async def test_what_one_keeps_while_the_other_handles_it_is_forgotten_by_the_sweep(
    incoming: PostgresIncoming, sql: asyncpg.Connection
) -> None:
    stream = uuid4()
    async with sql.transaction():
        await sql.execute(LOCK, TENANT, TOY, stream)
        await sql.execute(WAITING, TENANT, TOY, stream)
        advancing = asyncio.create_task(incoming.advance(TOY, {(TENANT, stream): 2}))
        await until(lambda: blocked(sql))
    await advancing
    assert await waiting_versions(incoming) == []
    assert await sql.fetchval("SELECT count(*) FROM waiting") == 1
    await incoming.tidy()
    assert await sql.fetchval("SELECT count(*) FROM waiting") == 0
