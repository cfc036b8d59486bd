"""The bus where the broker behaves badly: what it sends away comes back, and nobody storms in the meantime."""

import asyncio
from collections.abc import AsyncIterator
from uuid import uuid4

import pytest
from bus_words import World, clean, until, until_complains, until_well

from events.handling import Handler
from events.store.database import Database
from stack.nats import Nats


@pytest.fixture
async def world(db: Database, handler: Handler, nats_server: Nats) -> AsyncIterator[World]:
    async with clean(nats_server.url):
        yield World(db, handler, nats_server.url)


async def test_a_server_that_sends_us_away_is_asked_again(world: World) -> None:
    """Maximum connections exceeded, authorization violation: nats-py closes for good, and cancels whoever waits."""
    async with world.running(bus := world.bus()):
        await until_well(bus)
        await bus._broker._client._process_err("'maximum connections exceeded'")
        await until_complains(bus, "is not connected")
        await world.fill(jar := uuid4())
        await until_well(bus)

        async def mirrored() -> bool:
            return await world.mirrored(jar) == 1

        await until(mirrored)


async def test_a_relay_that_cannot_lead_tries_once_a_second_however_much_is_appended(
    db: Database, handler: Handler, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each try writes the lease: at the rate of the appends it would double the load of a service in trouble."""
    bus = World(db, handler, "nats://127.0.0.1:9").bus()
    tries = 0
    lease = bus.relay._outgoing.lease

    async def counted(holder: str, seconds: float) -> int | None:
        nonlocal tries
        tries += 1
        return await lease(holder, seconds)

    monkeypatch.setattr(bus.relay._outgoing, "lease", counted)
    bus.start()
    for _ in range(150):
        bus.wake()
        await asyncio.sleep(0.01)
    await bus.stop()
    assert 1 <= tries <= 4
