"""Words for the tests of the bus: a speaker and a hearer in one service, on real servers, and ways to watch them."""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

import nats
from nats.js import JetStreamContext
from sqlalchemy import text
from toy_jar import Filled, Jar, Put, jars, react

from events.bus.envelope import MESSAGE_ID, VERSION
from events.bus.nats import NatsBroker
from events.bus.relay import RelaySettings
from events.bus.runtime import Bus, BusSettings
from events.handling import Handler, Instruction
from events.kernel import Actor, React, derived_id
from events.store.database import Database
from events.store.incoming import PostgresIncoming
from events.store.outgoing import PostgresOutgoing
from events.store.port import Origin

TENANT = "meridian"
STREAM = "CLOSELOOP_TOY"
QUICK = BusSettings(
    relay=RelaySettings(poll=0.05, lease=1.5, renew=0.3, look=0.5), ack_wait=2.0, gap_after=1.0, look_every=0.3
)


@dataclass(frozen=True)
class Ear:
    """A feature that hears fillings. Mirrors put one thing, an odd number, and are never announced."""

    hears: tuple[type[Any], ...] = (Filled,)
    react: React | None = react


DEAF = Ear(hears=(), react=None)


@dataclass
class World:
    """One service's database and its way to the bus."""

    db: Database
    handler: Handler
    url: str

    def bus(self, *ears: Ear, service: str = "toy", settings: BusSettings = QUICK) -> Bus:
        return Bus(
            self.handler,
            service,
            ears or (Ear(),),
            broker=NatsBroker(self.url, f"closeloop-{service}"),
            incoming=PostgresIncoming(self.db),
            outgoing=PostgresOutgoing(self.db),
            settings=settings,
        )

    async def fill(self, jar: UUID, things: int = 2, tenant: str = TENANT, *, command: UUID | None = None) -> None:
        """A filling; `command`: under an id that may be used again."""
        await self.handler.handle(
            Instruction(
                aggregate=jars,
                tenant=tenant,
                stream=jar,
                command=Put(things=things),
                id=command or uuid4(),
                origin=Origin.HTTP,
                by=Actor(person="p-1"),
                correlation="a story",
            )
        )

    async def mirrored(self, jar: UUID, tenant: str = TENANT) -> int:
        """How many fillings of a jar had their effect."""
        found = await self.handler.read(jars, tenant, derived_id("mirror", tenant, jar))
        assert isinstance(found.state, Jar)
        return found.state.things

    async def row(self, query: str) -> Any:
        async with self.db.reads.connect() as connection:
            return (await connection.execute(text(query))).one()

    async def do(self, *statements: str) -> None:
        async with self.db.writes.connect() as connection:
            for statement in statements:
                await connection.execute(text(statement))

    @asynccontextmanager
    async def running(self, *buses: Bus) -> AsyncIterator[None]:
        for bus in buses:
            bus.start()
        try:
            yield
        finally:
            await asyncio.gather(*(bus.stop() for bus in buses))

    @asynccontextmanager
    async def jetstream(self) -> AsyncIterator[JetStreamContext]:
        connection = await nats.connect(self.url)
        try:
            yield connection.jetstream()
        finally:
            await connection.close()

    async def on_the_bus(self) -> list[Any]:
        """Every message of the stream, in order."""
        async with self.jetstream() as js:
            state = (await js.stream_info(STREAM)).state
            return [await js.get_msg(STREAM, seq=n) for n in range(state.first_seq, state.last_seq + 1)]


@asynccontextmanager
async def clean(url: str) -> AsyncIterator[None]:
    """The broker without streams."""
    connection = await nats.connect(url)
    js = connection.jetstream()
    for stream in await js.streams_info():
        await js.delete_stream(str(stream.config.name))
    await connection.close()
    yield


async def until(true: Callable[[], Awaitable[Any]], seconds: float = 15.0) -> Any:
    """Wait until something holds."""
    deadline = asyncio.get_running_loop().time() + seconds
    while asyncio.get_running_loop().time() < deadline:
        if found := await true():
            return found
        await asyncio.sleep(0.05)
    raise AssertionError("it did not come true in time")


async def until_complains(bus: Bus, saying: str, seconds: float = 15.0) -> None:
    """Wait until the status names something."""

    async def named() -> bool:
        return any(re.search(saying, each) for each in bus.status().degraded)

    try:
        await until(named, seconds)
    except AssertionError:
        raise AssertionError(f"{saying!r} is not among {bus.status().degraded}") from None


async def until_well(bus: Bus, seconds: float = 15.0) -> None:
    """Wait until nothing is degraded."""

    async def well() -> bool:
        return not bus.status().degraded

    try:
        await until(well, seconds)
    except AssertionError:
        raise AssertionError(str(bus.status().degraded)) from None


def filled(
    jar: UUID, version: int, *, tenant: str = TENANT, body: bytes | None = None, schema: int = 1, **headers: str
) -> tuple[str, bytes, dict[str, str]]:
    """A message as another replica's relay would send it: subject, body, headers."""
    name = headers.pop("name", "jar-filled")
    said = {
        MESSAGE_ID: str(uuid4()),
        "ce-specversion": "1.0",
        "ce-id": str(derived_id("event", tenant, jar, version)),
        "ce-source": f"/closeloop/{tenant}/toy",
        "ce-type": f"closeloop.toy.{name}.v{schema}",
        "ce-subject": str(jar),
        "ce-time": "2026-02-12T09:00:00+00:00",
        VERSION: str(version),
        **{key.replace("_", "-"): text for key, text in headers.items()},
    }
    said = {key: text for key, text in said.items() if text}
    return f"closeloop.{tenant}.toy.jar.{name}.v{schema}", body or b'{"label":null,"things":2}', said


async def publish(js: JetStreamContext, messages: Sequence[tuple[str, bytes, Mapping[str, str]]]) -> None:
    """Send messages, in order."""
    for start in range(0, len(messages), 200):
        batch = messages[start : start + 200]
        await asyncio.gather(*(js.publish(subject, body, headers=dict(headers)) for subject, body, headers in batch))


def numbered(count: int) -> Iterator[UUID]:
    """So many jars."""
    return (derived_id("jar", number) for number in range(count))


async def made(world: World) -> None:
    """The stream is there, empty."""
    async with world.running(bus := world.bus(DEAF)):
        await until_well(bus)


async def heard(world: World, count: int) -> None:
    """Wait until the inbox has moved on by so many messages in all."""

    async def there() -> bool:
        row = await world.row("SELECT coalesce(sum(version), 0) FROM inbox")
        return int(row[0]) >= count

    await until(there, 30)


async def waiting(world: World) -> int:
    """How many messages wait for one before them."""
    return int((await world.row("SELECT count(*) FROM waiting"))[0])


async def are_waiting(world: World, count: int) -> bool:
    """Whether it is so many."""
    return await waiting(world) == count


async def idle(bus: Bus) -> bool:
    """Whether all that the broker has was handled."""
    info = bus._consumers["toy"]
    durable = await bus._broker.durable(info._spec)
    return bool(durable and durable.pending == durable.in_flight == 0) and info.pending == 0
