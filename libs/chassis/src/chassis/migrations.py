"""Alembic for one service's database: once, under a lock, from the migrations in the service's own folder.

Replicas serve meanwhile, older ones too: a migration waits for a table only briefly, then lets others pass, and builds
indexes concurrently (`build_index`).
"""

import asyncio
import hashlib
import importlib.util
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool
from sqlalchemy.util import await_only

from chassis.queries import ask
from events.failpoints import failpoint
from events.store.database import Database
from events.store.port import OutcomeUnknown, Unavailable

_WAIT_SECONDS = 60
_LOCK = int.from_bytes(hashlib.sha256(b"closeloop migrations").digest()[:8], signed=True)
_LOCK_TIMEOUT = "500ms"
"""Well below that of requests: they queue behind whoever waits for a whole table."""
_SETTINGS = {
    "timezone": "UTC",
    "lock_timeout": _LOCK_TIMEOUT,
    "idle_in_transaction_session_timeout": "5s",
    "idle_session_timeout": "10s",
    "tcp_keepalives_idle": "5",
    "tcp_keepalives_interval": "5",
    "tcp_keepalives_count": "2",
    "application_name": "closeloop migration",
}
"""Whoever migrates and hangs, or is cut off, loses its session: with it what it has locked, and its turn."""
_TRIES = 100
_GIVE_WAY_SECONDS = 0.5
_IN_THE_WAY = ("55P03", "40P01")
"""Somebody else holds the table; a deadlock with somebody else."""


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
    """Bring a database up. Several may try at once: one does it, the others wait and find it done.

    A database that newer code has migrated further is left as it is: it serves this code, too.
    """
    if to == "head" and await _is_current(url, folder):
        return
    engine = create_async_engine(url, poolclass=NullPool, connect_args={"server_settings": _SETTINGS})
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
                return _serves(await revision_of(database), folder)
            await asyncio.sleep(1)
        raise DatabaseMissing(f"the database did not answer for {_WAIT_SECONDS} s; is CLOSELOOP_DATABASE_URL right?")
    finally:
        await database.close()


def _serves(revision: str | None, folder: Path) -> bool:
    """Whether a database at this revision is all that this code needs, or more."""
    return revision is not None and revision >= (head_of(folder) or "")


def _upgrade(connection: Connection, folder: Path, to: str) -> None:
    # Half of the time that a service takes to start, and needed only when there is something to do.
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(folder).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    with _alone(connection):
        for left in reversed(range(_TRIES)):
            if to == "head" and _serves(_revision(connection), folder):
                return  # done by another replica in the meantime, or more than that
            try:
                command.upgrade(config, to)
                return
            except DBAPIError as error:
                if left == 0 or getattr(error.orig, "sqlstate", None) not in _IN_THE_WAY:
                    raise
            connection.rollback()
            await_only(asyncio.sleep(_GIVE_WAY_SECONDS))


@contextmanager
def _alone(connection: Connection) -> Iterator[None]:
    """One replica migrates at a time. The others ask again and again, each time in a transaction of its own: one that
    stayed and waited would hold up concurrent index builds, which wait for every transaction under way.
    """
    while not _scalar(connection, "SELECT pg_try_advisory_lock(:lock)", lock=_LOCK):
        await_only(asyncio.sleep(_GIVE_WAY_SECONDS))
    try:
        yield
    finally:
        with suppress(DBAPIError):  # a connection that is lost holds no lock either
            connection.rollback()
            _scalar(connection, "SELECT pg_advisory_unlock(:lock)", lock=_LOCK)


def _revision(connection: Connection) -> str | None:
    migrated = _scalar(connection, "SELECT to_regclass('alembic_version') IS NOT NULL")
    return _scalar(connection, "SELECT max(version_num) FROM alembic_version") if migrated else None


def _scalar(connection: Connection, sql: str, **parameters: Any) -> Any:
    found = connection.scalar(text(sql), parameters)
    connection.commit()
    return found


def run_env() -> None:
    """What every service's `migrations/env.py` does: each migration in a transaction of its own."""
    from alembic import context

    connection: Connection = context.config.attributes["connection"]
    context.configure(
        connection=connection,
        transaction_per_migration=True,
        target_metadata=None,
        on_version_apply=lambda **_: await_only(failpoint("W10")),
    )
    with context.begin_transaction():
        context.run_migrations()


def build_index(name: str, on: str) -> None:
    """For migrations: an index on a table that is in use; `on` is what follows ON.

    One that a crash left half built is built anew. Give it a migration of its own: after a crash all of that is done
    again.
    """
    invalid = "SELECT count(*) FROM pg_index WHERE NOT indisvalid AND indexrelid = to_regclass(:name)"
    with _unhurried() as connection:
        if connection.scalar(text(invalid), {"name": name}):
            connection.execute(text(f"DROP INDEX CONCURRENTLY {name}"))
        connection.execute(text(f"CREATE INDEX CONCURRENTLY IF NOT EXISTS {name} ON {on}"))


def drop_index(name: str) -> None:
    """For migrations: an index that nobody needs any more, on a table that is in use."""
    with _unhurried() as connection:
        connection.execute(text(f"DROP INDEX CONCURRENTLY IF EXISTS {name}"))


@contextmanager
def _unhurried() -> Iterator[Connection]:
    """Outside any transaction, and without a limit to waiting: for what locks nobody out while it waits."""
    from alembic import op

    with op.get_context().autocommit_block():
        connection = op.get_bind()
        connection.execute(text("SET lock_timeout = 0"))
        yield connection
        connection.execute(text(f"SET lock_timeout = '{_LOCK_TIMEOUT}'"))


def migrate_now(url: str, folder: Path) -> None:
    """`migrate`, for callers without an event loop."""
    asyncio.run(migrate(url, folder))
