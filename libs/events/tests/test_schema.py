"""The released schema and the description of it in `tables` are one."""

import asyncpg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection

from events.store import tables
from events.store.database import Database


def _differences(connection: Connection) -> list[object]:
    context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
    return list(compare_metadata(context, tables.metadata))


async def test_a_migrated_database_is_what_the_tables_describe(db: Database) -> None:
    async with db.writes.connect() as connection:
        assert await connection.run_sync(_differences) == []


async def test_hot_rows_have_room_to_be_changed_in_place(sql: asyncpg.Connection) -> None:
    rows = await sql.fetch("SELECT relname, reloptions FROM pg_class WHERE relname IN ('head', 'states')")
    assert len(rows) == 2
    for row in rows:
        assert set(row["reloptions"]) == {"fillfactor=70", "autovacuum_vacuum_scale_factor=0.02"}


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("lock_timeout", "2s"),
        ("statement_timeout", "5s"),
        ("idle_in_transaction_session_timeout", "5s"),
        ("synchronous_commit", "on"),
        ("transaction_isolation", "read committed"),
    ],
)
async def test_our_sessions_are_bounded_and_durable(db: Database, setting: str, value: str) -> None:
    for engine in (db.appends, db.reads, db.writes, db.relay):
        async with engine.connect() as connection:
            assert (await connection.exec_driver_sql(f"SHOW {setting}")).scalar_one() == value


async def test_there_is_no_sequence_anywhere(sql: asyncpg.Connection) -> None:
    """A sequence hands out numbers before the commit; positions and numbers are handed out under a lock."""
    assert await sql.fetch("SELECT relname FROM pg_class WHERE relkind = 'S'") == []
