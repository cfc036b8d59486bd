"""A connection that died without a word is given up in time, and what was under way on it comes again."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator

import pytest
from proxy import Proxy
from sqlalchemy import make_url, text
from sqlalchemy.ext.asyncio import AsyncEngine

from events.bus.nats import NatsBroker
from events.bus.port import Delivery, DurableSpec, Fate, StreamSpec
from events.bus.runtime import BusSettings
from events.message import Message
from events.store.database import Database, ask
from events.store.port import OutcomeUnknown, Unavailable
from stack.nats import Nats
from stack.postgres import Postgres
from stack.processes import LOOPBACK

SOON = 8.0
"""Seconds; ten are allowed until all is ready again, and connections must be made, too."""


@pytest.fixture
def proxy(postgres: Postgres) -> Iterator[Proxy]:
    with Proxy(lambda: postgres.socket_folder / ".s.PGSQL.5432") as proxy:
        yield proxy


@pytest.fixture
async def pools(proxy: Proxy, database: str) -> AsyncIterator[Database]:
    name = make_url(database).database
    pools = Database.at(f"postgresql+asyncpg://postgres@{LOOPBACK}:{proxy.port}/{name}")
    yield pools
    await pools.close()


@pytest.mark.parametrize(("pool", "size"), [("appends", 1), ("reads", 4)])
async def test_all_is_well_soon_after_a_silent_link_has_healed(
    proxy: Proxy, pools: Database, pool: str, size: int
) -> None:
    engine: AsyncEngine = getattr(pools, pool)
    assert await all_answer(engine, size)
    proxy.half_open()
    dying = asyncio.create_task(all_answer(engine, size))
    await asyncio.sleep(0.3)
    assert proxy.swallowed
    proxy.heal()
    healed = time.monotonic()
    assert not await dying
    while not await all_answer(engine, size):
        assert time.monotonic() - healed < SOON
    assert time.monotonic() - healed < SOON


async def all_answer(engine: AsyncEngine, size: int) -> bool:
    """Whether so many statements, side by side, are answered."""
    asked = (ask(engine, text("SELECT pg_sleep(0.05)")) for _ in range(size))
    answers = await asyncio.gather(*asked, return_exceptions=True)
    for answer in answers:
        if isinstance(answer, BaseException) and not isinstance(answer, Unavailable | OutcomeUnknown):
            raise answer
    return not any(isinstance(answer, BaseException) for answer in answers)


# --- NATS -------------------------------------------------------------------------------------------------------------

TOY = StreamSpec("DEAD_CONNECTIONS", "dead-connections.>", max_bytes=1 << 20, replicas=1)
EAR = DurableSpec(TOY.name, "ear", BusSettings().ack_wait)


@pytest.fixture
def way(nats_server: Nats) -> Iterator[Proxy]:
    with Proxy(lambda: (LOOPBACK, nats_server.port)) as way:
        yield way


@pytest.fixture
async def broker(way: Proxy) -> AsyncIterator[NatsBroker]:
    broker = NatsBroker(f"nats://{LOOPBACK}:{way.port}", "test")
    broker.start()
    await seen(lambda: broker.connected, within=5)
    yield broker
    await broker.stop()


async def test_a_silent_link_to_nats_is_noticed_and_made_anew(way: Proxy, broker: NatsBroker) -> None:
    before = broker.connections
    way.half_open()
    await asyncio.sleep(2.5)
    assert way.swallowed
    way.heal()
    await seen(lambda: broker.connections > before and broker.connected, within=SOON - 2.5)


async def test_messages_that_were_under_way_when_a_link_broke_come_again_soon(way: Proxy, broker: NatsBroker) -> None:
    if await broker.stream(TOY.name) is None:
        await broker.make_stream(TOY)
    message = Message("dead-connections.one", {}, b"{}")
    assert await broker.publish(TOY.name, [message], 3.0) == [Fate.ACKED]
    await broker.make_durable(EAR, 1)
    assert len(await heard(broker)) == 1
    way.cut()
    cut = time.monotonic()
    await seen(lambda: broker.connections > 1 and broker.connected, within=5)
    while not await heard(broker):
        assert time.monotonic() - cut < SOON
    assert time.monotonic() - cut < SOON


async def heard(broker: NatsBroker) -> list[Delivery]:
    """What is delivered within a second."""
    subscription = await broker.subscribe(EAR)
    try:
        return list(await subscription.fetch(10, 0.9))
    finally:
        await subscription.close()


async def seen(look: Callable[[], bool], within: float) -> None:
    give_up_at = time.monotonic() + within
    while not look():
        assert time.monotonic() < give_up_at
        await asyncio.sleep(0.02)
