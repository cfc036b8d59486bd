"""Alembic for one service's database: once, under a lock, from the migrations in the service's own folder."""

import asyncio
import hashlib
import importlib.util
import os
from contextlib import suppress
from pathlib import Path

from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from chassis.queries import ask
from events.store.database import Database
from events.store.port import OutcomeUnknown, Unavailable

_WAIT_SECONDS = 60
_LOCK = int.from_bytes(hashlib.sha256(b"closeloop migrations").digest()[:8], signed=True)


class MigrationsMissing(Exception):
    """The folder with a service's migrations is not where it should be."""


class DatabaseMissing(Exception):
    """Nobody answers at the database's address."""


def folder_of(service: str) -> Path:
    """`services/<service>-service/migrations`, beside the service's code, or as CLOSELOOP_MIGRATIONS says."""
    if given := os.environ.get("CLOSELOOP_MIGRATIONS"):
        return _checked(Path(given))
    found = importlib.util.find_spec(f"{service}_service")
    if found is None or not found.submodule_search_locations:
        raise MigrationsMissing(f"there is no package {service}_service")
    package = Path(next(iter(found.submodule_search_locations))).resolve()
    return _checked(package.parent.parent / "migrations")


def _checked(folder: Path) -> Path:
    if not (folder / "env.py").is_file():
        raise MigrationsMissing(f"{folder} holds no migrations; set CLOSELOOP_MIGRATIONS to their folder")
    return folder


def head_of(folder: Path) -> str | None:
    """The revision that this code was written for: revisions are numbered, and files named after them."""
    return max((file.name.partition("_")[0] for file in (folder / "versions").glob("*.py")), default=None)


async def revision_of(database: Database) -> str | None:
    """The revision that a database is at; None before the first migration."""
    (found,) = await ask(database.reads, text("SELECT to_regclass('alembic_version') IS NOT NULL AS migrated"))
    if not found["migrated"]:
        return None
    rows = await ask(database.reads, text("SELECT version_num FROM alembic_version"))
    return str(rows[0]["version_num"]) if rows else None


async def migrate(url: str, folder: Path, to: str = "head") -> None:
    """Bring a database up. Several may try at once: one does it, the others wait and find it done."""
    if to == "head" and await _is_current(url, folder):
        return
    engine = create_async_engine(url, poolclass=NullPool, connect_args={"server_settings": {"timezone": "UTC"}})
    try:
        async with engine.connect() as connection:
            await connection.run_sync(lambda sync: _upgrade(sync, folder, to))
    finally:
        await engine.dispose()


async def _is_current(url: str, folder: Path) -> bool:
    """Where everything starts at once, the database may need a moment longer than we do."""
    database = Database.at(url)
    try:
        for _ in range(_WAIT_SECONDS):
            with suppress(Unavailable, OutcomeUnknown):
                return await revision_of(database) == head_of(folder)
            await asyncio.sleep(1)
        raise DatabaseMissing(f"the database did not answer for {_WAIT_SECONDS} s; is CLOSELOOP_DATABASE_URL right?")
    finally:
        await database.close()


def _upgrade(connection: Connection, folder: Path, to: str) -> None:
    # Half of the time that a service takes to start, and needed only when there is something to do.
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(folder).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    connection.execute(text("SELECT pg_advisory_lock(:lock)"), {"lock": _LOCK})
    connection.commit()
    try:
        command.upgrade(config, to)
    finally:
        connection.rollback()
        connection.execute(text("SELECT pg_advisory_unlock(:lock)"), {"lock": _LOCK})
        connection.commit()


def run_env() -> None:
    """What every service's `migrations/env.py` does: each migration in a transaction of its own."""
    from alembic import context

    connection: Connection = context.config.attributes["connection"]
    context.configure(connection=connection, transaction_per_migration=True, target_metadata=None)
    with context.begin_transaction():
        context.run_migrations()


def migrate_now(url: str, folder: Path) -> None:
    """`migrate`, for callers without an event loop."""
    asyncio.run(migrate(url, folder))
