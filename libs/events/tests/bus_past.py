"""A world whose database can be put back to what it was, and words for what happens then."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

import pytest
from bus_words import STREAM, World, clean, until
from nats.js.errors import NotFoundError

from events.bus.envelope import POSITION, VERSION, sent_again
from events.bus.nats import NatsBroker
from events.bus.restored import Restored
from events.handling import Handler
from events.store.database import Database
from events.store.outgoing import PostgresOutgoing
from events.store.port import OutcomeUnknown, Unavailable
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


@asynccontextmanager
async def the_desk(world: World) -> AsyncIterator[Restored]:
    broker = NatsBroker(world.url, "operator")
    broker.start()
    try:
        await until(lambda: true(broker.connected))
        yield Restored("toy", broker, PostgresOutgoing(world.db))
    finally:
        await broker.stop()


async def true(value: bool) -> bool:
    """For `until`."""
    return value


async def stubbornly(world: World, jar: UUID | None = None, command: UUID | None = None) -> None:
    """A filling, asked for again where connections were lost."""
    jar, command = jar or uuid4(), command or uuid4()
    for _ in range(20):
        with suppress(Unavailable, OutcomeUnknown):
            return await world.fill(jar, command=command)
        await asyncio.sleep(0.1)
    raise AssertionError("it was never done")


async def checkpoint(world: World) -> int:
    return int((await world.row("SELECT position FROM relay"))[0])


async def told(world: World, position: int) -> None:
    """Wait until everything up to a position is on the bus, and noted to be of our log."""

    async def there() -> bool:
        if await checkpoint(world) < position:
            return False
        with suppress(NotFoundError):
            async with world.jetstream() as js:
                last = (await js.stream_info(STREAM)).state.last_seq
            return int((await world.row("SELECT sequence FROM relay"))[0]) == last
        return False

    await until(there)


async def bus_holds(world: World) -> list[tuple[int, UUID, int]]:
    """(position, stream, public version) of each message, in order."""
    return [
        (int(m.headers[POSITION]), UUID(m.headers["ce-subject"]), int(m.headers[VERSION]))
        for m in await world.on_the_bus()
    ]


def strange(messages: Sequence[Any], position: int) -> tuple[str, bytes, float, None, dict[str, str]]:
    """What a process of a lost log, and of an earlier release, may still send: subject, body and headers."""
    said = messages[-1]
    new = {"ce-id": str(uuid4()), "ce-subject": str(uuid4()), POSITION: str(position)}
    return said.subject, said.data, 2.0, None, sent_again(said.headers, str(uuid4())) | new
