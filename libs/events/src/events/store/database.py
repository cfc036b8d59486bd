"""The connections of one process: one for appends, up to four for reads, one for short writes, one for the relay.

And what a driver's errors mean.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import RowMapping, TextClause, event
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from events.store.port import OutcomeUnknown, Unavailable, Unstorable

IDENTITY = """
    (SELECT concat(pg_postmaster_start_time(), ' ', d.oid, ' ', to_regclass('events')::oid)
     FROM pg_database d WHERE d.datname = current_database())
"""
"""Another after every restart of the server, and after every restore: of the server, a database, or its tables."""

SETTINGS = {
    "lock_timeout": "2s",
    "statement_timeout": "5s",
    "idle_in_transaction_session_timeout": "5s",
    "synchronous_commit": "on",
    "timezone": "UTC",
    "jit": "off",
    "tcp_keepalives_idle": "5",
    "tcp_keepalives_interval": "5",
    "tcp_keepalives_count": "2",
}
WAIT_FOR_CONNECTION = 3.0
ANSWER_WITHIN = 6.0
"""A server that lives has cancelled any statement before that; whoever is silent for longer is dead."""
BAD_DATA = ("22", "23")
LOST = ("08", "57P")
"""Connection failures and a server going down: the answer is lost, not the question whether it was done."""


@dataclass(frozen=True)
class Database:
    """Engines in autocommit: a statement is a transaction, so a client that stops holds no lock."""

    appends: AsyncEngine
    reads: AsyncEngine
    writes: AsyncEngine
    relay: AsyncEngine

    @classmethod
    def at(cls, url: str) -> "Database":
        """Engines for a URL of the form `postgresql+asyncpg://...`; nothing is connected yet."""
        return cls(*(_engine(url, name, size) for name, size in _POOLS))

    async def close(self) -> None:
        """Close every connection."""
        for engine in (self.appends, self.reads, self.writes, self.relay):
            await engine.dispose()


async def ask(
    engine: AsyncEngine, statement: TextClause | Any, parameters: Mapping[str, Any] | None = None
) -> Sequence[RowMapping]:
    """One statement, one transaction."""
    try:
        async with engine.connect() as connection:
            result = await connection.execute(statement, parameters or {})
            return result.mappings().all() if result.returns_rows else []
    except (DBAPIError, PoolTimeout, OSError) as error:
        raise failure_of(error) from error


def failure_of(error: BaseException) -> Exception:
    """What a driver's error means for the one who asked."""
    if isinstance(error, PoolTimeout):
        return Unavailable("no database connection is free")
    state = str(getattr(getattr(error, "orig", error), "sqlstate", None) or "")
    if not state or state.startswith(LOST):
        return OutcomeUnknown("the database did not answer")
    if state.startswith(BAD_DATA):
        return Unstorable("The database refuses this data.")
    return Unavailable(f"the database undid it (SQLSTATE {state})")


_POOLS = (("appends", 1), ("reads", 4), ("writes", 1), ("relay", 1))


def _engine(url: str, name: str, size: int) -> AsyncEngine:
    connect: dict[str, Any] = {
        "server_settings": {**SETTINGS, "application_name": f"closeloop {name}"},
        "timeout": WAIT_FOR_CONNECTION,
        "command_timeout": ANSWER_WITHIN,
    }
    engine = create_async_engine(
        url,
        isolation_level="AUTOCOMMIT",
        pool_size=size,
        max_overflow=0,
        pool_timeout=WAIT_FOR_CONNECTION,
        pool_pre_ping=False,
        pool_use_lifo=True,
        connect_args=connect,
    )
    event.listen(engine.sync_engine, "handle_error", _give_up_the_dead)
    return engine


def _give_up_the_dead(failed: ExceptionContext) -> None:
    """The driver keeps a connection that did not answer in time and waits for it again; others are no better off."""
    if isinstance(failed.original_exception, TimeoutError) and failed.connection is not None:
        driver = failed.connection.connection.driver_connection
        assert driver is not None
        driver.terminate()
        failed.is_disconnect = True
