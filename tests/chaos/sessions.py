"""Sessions of our own at PostgreSQL, straight and past every proxy."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import asyncpg


@asynccontextmanager
async def session(url: str, *, read_only: bool = False) -> AsyncIterator[asyncpg.Connection]:
    """Known as `chaos` to whoever looks at pg_stat_activity; closed even where the server is in no state to."""
    settings = {"application_name": "chaos", "default_transaction_read_only": "on" if read_only else "off"}
    connection = await asyncpg.connect(url, timeout=5, server_settings=settings)
    try:
        yield connection
    finally:
        with suppress(Exception):
            await connection.close(timeout=2)
