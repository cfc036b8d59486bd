"""Migrations beside running replicas: whoever is killed, waits, or is older than the database, the others go on."""

import asyncio
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from shutil import copytree

import asyncpg
import pytest
from plain_sql import connected
from sqlalchemy.exc import SQLAlchemyError

from chassis.migrations import head_of, migrate

Migrations = Callable[..., Path]

REVISION = "SELECT version_num FROM alembic_version"
STATES_FORM = """
from chassis.migrations import build_index

def upgrade() -> None:
    build_index("ix_states_form", "states (tenant, (state->>'form'), id)")
"""
EVENTS_FORM = """
from alembic import op

def upgrade() -> None:
    op.execute("ALTER TABLE events ADD COLUMN form integer")
"""


@pytest.fixture
def further(migrations: Path, tmp_path: Path) -> Migrations:
    """The migrations of a later release: today's, and one more."""

    def made(migration: str) -> Path:
        folder = tmp_path / "later"
        copytree(migrations, folder)
        number = int(head_of(migrations) or 0)
        revisions = f'revision, down_revision = "{number + 1:04}", "{number:04}"\n'
        (folder / "versions" / f"{number + 1:04}_more.py").write_text(revisions + migration)
        return folder

    return made


@asynccontextmanager
async def under_way(database: str, statement: str) -> AsyncIterator[asyncpg.Connection]:
    """Somebody's transaction, begun and not ended."""
    async with connected(database) as sql:
        await sql.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
        await sql.execute(statement)
        yield sql


async def migrating_apart(database: str, folder: Path, failpoint: str) -> asyncio.subprocess.Process:
    """Another process that migrates, and does so in the middle of it."""
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(sys.path),
        "CLOSELOOP_MIGRATIONS": str(folder),
        "CLOSELOOP_DATABASE_URL": database,
        "CLOSELOOP_ENV": "test",
        "CLOSELOOP_FAILPOINT": failpoint,
    }
    return await asyncio.create_subprocess_exec(
        sys.executable, "-P", "-m", "chassis", "migrate", "toy", env=environment
    )


async def test_an_older_replica_has_nothing_to_migrate_on_a_newer_database(
    database: str, migrations: Path, further: Migrations
) -> None:
    await migrate(database, folder := further(EVENTS_FORM))
    await migrate(database, migrations)
    async with connected(database) as sql:
        assert await sql.fetchval(REVISION) == head_of(folder)


async def test_a_replica_that_waits_for_its_turn_does_not_hold_up_an_index_build(
    database: str, migrations: Path, further: Migrations
) -> None:
    """`CREATE INDEX CONCURRENTLY` waits for every transaction under way, a statement that waits for a lock included."""
    await migrate(database, migrations)
    folder = further(STATES_FORM)
    async with asyncio.timeout(20), under_way(database, "SELECT 1 FROM states") as reader:
        replicas = [asyncio.create_task(migrate(database, folder)) for _ in range(3)]
        await asyncio.sleep(2.5)  # longer than PostgreSQL takes to break a deadlock
        await reader.execute("COMMIT")
        await asyncio.gather(*replicas)
    async with connected(database) as sql:
        assert await sql.fetchval("SELECT indisvalid FROM pg_index WHERE indexrelid = 'ix_states_form'::regclass")


async def test_an_index_that_was_left_half_built_is_built_anew(
    database: str, migrations: Path, further: Migrations
) -> None:
    await migrate(database, migrations)
    folder = further(STATES_FORM)
    building = "SELECT pid FROM pg_stat_activity WHERE query LIKE 'CREATE INDEX CONCURRENTLY%' AND state = 'active'"
    half_built = "SELECT count(*) FROM pg_index WHERE NOT indisvalid AND indexrelid = to_regclass('ix_states_form')"
    async with asyncio.timeout(20), connected(database) as sql:
        async with under_way(database, "LOCK states IN ROW EXCLUSIVE MODE"):
            first = asyncio.create_task(migrate(database, folder))
            while not await sql.fetchval(half_built):  # noqa: ASYNC110 - another session makes it true
                await asyncio.sleep(0.05)
            await sql.execute(f"SELECT pg_terminate_backend(pid) FROM ({building}) b")
            with pytest.raises(SQLAlchemyError):
                await first
        assert await sql.fetchval(half_built) == 1
        await migrate(database, folder)
        assert await sql.fetchval("SELECT indisvalid FROM pg_index WHERE indexrelid = 'ix_states_form'::regclass")


async def test_a_migration_that_waits_for_a_table_lets_others_pass(
    database: str, migrations: Path, further: Migrations
) -> None:
    """Whoever waits for an exclusive lock makes everybody behind it wait; so it asks briefly, and again later."""
    await migrate(database, migrations)
    folder = further(EVENTS_FORM)
    longest = 0.0
    async with asyncio.timeout(30), connected(database) as passer_by:
        async with under_way(database, "SELECT 1 FROM events"):
            migrating = asyncio.create_task(migrate(database, folder))
            begun = time.monotonic()
            while time.monotonic() < begun + 4:
                asked = time.monotonic()
                await passer_by.execute("SELECT count(*) FROM events")
                longest = max(longest, time.monotonic() - asked)
                await asyncio.sleep(0.02)
            assert not migrating.done()
        await migrating
    assert 0 < longest < 1.5, "within the lock_timeout of requests, with time to spare"


async def test_a_migration_that_is_killed_in_the_middle_is_simply_done_again(
    database: str, migrations: Path, further: Migrations
) -> None:
    await migrate(database, migrations)
    folder = further(EVENTS_FORM)
    process = await migrating_apart(database, folder, "W10:kill9:1")
    assert await asyncio.wait_for(process.wait(), 30) == -signal.SIGKILL
    async with connected(database) as sql:
        assert await sql.fetchval(REVISION) == head_of(migrations)
        await migrate(database, folder)
        assert await sql.fetchval(REVISION) == head_of(folder)


async def test_a_migration_that_is_stopped_in_the_middle_gives_up_its_tables_and_its_turn(
    database: str, migrations: Path, further: Migrations
) -> None:
    """A machine that hangs, or is cut off, says nothing: the server would keep its locks for hours."""
    await migrate(database, migrations)
    folder = further(EVENTS_FORM)
    process = await migrating_apart(database, folder, "W10:stop:1")
    locked = "SELECT count(*) FROM pg_locks WHERE relation = 'events'::regclass AND mode = 'AccessExclusiveLock'"
    try:
        async with asyncio.timeout(30), connected(database) as sql:
            while not await sql.fetchval(locked):  # noqa: ASYNC110 - another session makes it true
                await asyncio.sleep(0.05)
            await sql.fetchval("SELECT count(*) FROM events")
            await migrate(database, folder)
            assert await sql.fetchval(REVISION) == head_of(folder)
    finally:
        process.kill()
        await process.wait()
