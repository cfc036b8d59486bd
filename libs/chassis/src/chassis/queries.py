"""Reading from the database on the way out to a caller: what goes wrong there is a 503, never a driver's error."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Executable, RowMapping
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncEngine

from events.store.port import OutcomeUnknown, Unavailable
from events.store.postgres import failure_of


async def ask(
    engine: AsyncEngine, statement: Executable, parameters: Mapping[str, Any] | None = None
) -> Sequence[RowMapping]:
    """The rows that one statement gives."""
    try:
        async with engine.connect() as connection:
            result = await connection.execute(statement, parameters or {})
            return result.mappings().all() if result.returns_rows else []
    except (DBAPIError, PoolTimeout, OSError) as error:
        failure = failure_of(error)
        if isinstance(failure, OutcomeUnknown):
            raise Unavailable("the database did not answer") from error
        raise failure from error
