"""Reading from the database on the way out to a caller: what goes wrong there is a 503, never a driver's error."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Executable, RowMapping
from sqlalchemy.ext.asyncio import AsyncEngine

from events.store import database
from events.store.port import OutcomeUnknown, Unavailable


async def ask(
    engine: AsyncEngine, statement: Executable, parameters: Mapping[str, Any] | None = None
) -> Sequence[RowMapping]:
    """The rows that one statement gives. Raises Unavailable."""
    try:
        return await database.ask(engine, statement, parameters)
    except OutcomeUnknown as error:
        raise Unavailable("the database did not answer") from error
