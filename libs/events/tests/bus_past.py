"""A world whose database can be put back to what it was."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
from bus_words import World, clean

from events.handling import Handler
from events.store.database import Database
from stack.nats import Nats
from stack.postgres import Postgres
from stack.snapshots import copy_database, put_back


@dataclass
class Past:
    """A copy of the world's database, to be put back."""

    world: World
    server: str

    async def is_kept(self, name: str = "past") -> None:
        await copy_database(self.server, self._name, f"{self._name}_{name}")
        await self.world.db.close()

    async def comes_back(self, name: str = "past") -> None:
        await put_back(self.server, self._name, f"{self._name}_{name}")
        await self.world.db.close()

    @property
    def _name(self) -> str:
        return str(self.world.db.reads.url.database)


@pytest.fixture
async def world(db: Database, handler: Handler, nats_server: Nats) -> AsyncIterator[World]:
    async with clean(nats_server.url):
        yield World(db, handler, nats_server.url)


@pytest.fixture
def past(world: World, postgres: Postgres) -> Past:
    return Past(world, postgres.url())
