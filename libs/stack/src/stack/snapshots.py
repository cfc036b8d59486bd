"""Copies of a database, taken and put back on the server itself: the past comes back, as after a restore."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg

from stack.postgres import plain_url

MOST_TRIES = 100


async def copy_database(server_url: str, name: str, copy: str) -> None:
    """Everything as it is at one moment; others lose their connections, and wait meanwhile."""
    async with _alone(server_url, name) as sql:
        await sql.execute(f'DROP DATABASE IF EXISTS "{copy}" WITH (FORCE)')
        await sql.execute(f'CREATE DATABASE "{copy}" TEMPLATE "{name}"')
    await _open(server_url, copy)


async def put_back(server_url: str, name: str, copy: str, aside: str = "") -> None:
    """The copy takes the place of its original, under whoever is connected; the original is gone, or put aside."""
    async with _alone(server_url, name) as sql:
        if aside:
            await sql.execute(f'DROP DATABASE IF EXISTS "{aside}" WITH (FORCE)')
            await sql.execute(f'ALTER DATABASE "{name}" RENAME TO "{aside}"')
            await _open(server_url, aside)
        else:
            await sql.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
        await sql.execute(f'ALTER DATABASE "{copy}" RENAME TO "{name}"')


@asynccontextmanager
async def _alone(server_url: str, name: str) -> AsyncIterator[asyncpg.Connection]:
    """Nobody is connected to the database, and nobody can connect."""
    sql = await asyncpg.connect(plain_url(server_url))
    try:
        await sql.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false')
        for _ in range(MOST_TRIES):
            busy = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1"
            if not await sql.fetch(busy, name):
                break
            await asyncio.sleep(0.02)
        yield sql
    finally:
        await sql.close()
        await _open(server_url, name)


async def _open(server_url: str, name: str) -> None:
    sql = await asyncpg.connect(plain_url(server_url))
    try:
        await sql.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true')
    finally:
        await sql.close()
