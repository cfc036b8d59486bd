"""A session of somebody else at a service's database."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg

from stack.postgres import plain_url


@asynccontextmanager
async def connected(database: str) -> AsyncIterator[asyncpg.Connection]:
    """In plain SQL, past the service."""
    sql = await asyncpg.connect(plain_url(database))
    try:
        yield sql
    finally:
        await sql.close()
