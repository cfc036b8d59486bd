"""The proxy does to connections what it is told to, and nothing else."""

import asyncio
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import asyncpg
import nats
import pytest
from proxy import LOOPBACK, Proxy, Streams
from weather import BOTH, Way

from stack.nats import Nats
from stack.postgres import Postgres

REQUESTS, ANSWERS = frozenset({Way.REQUESTS}), frozenset({Way.ANSWERS})


class Echo:
    """A server that says everything back, and remembers what it was told and how each conversation ended."""

    def __init__(self) -> None:
        self.heard = bytearray()
        self.ended: list[str] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(4096):
                self.heard += data
                writer.write(data)
                await writer.drain()
            self.ended.append("closed")
        except ConnectionError:
            self.ended.append("reset")
        finally:
            writer.close()


@pytest.fixture
def echo() -> Echo:
    return Echo()


@pytest.fixture
async def proxy(echo: Echo) -> AsyncIterator[Proxy]:
    with tempfile.TemporaryDirectory(prefix="closeloop-test-") as folder:
        path = Path(folder) / "echo"
        async with await asyncio.start_unix_server(echo.serve, path):
            with Proxy(lambda: path) as proxy:
                yield proxy


async def connect(proxy: Proxy) -> Streams:
    return await asyncio.open_connection(LOOPBACK, proxy.port)


async def said_back(streams: Streams, what: bytes, within: float = 2.0) -> bytes | None:
    """What comes back; None if nothing does in time."""
    streams[1].write(what)
    try:
        return await asyncio.wait_for(streams[0].read(len(what)), within)
    except TimeoutError:
        return None


async def test_in_calm_weather_everything_passes_both_ways(proxy: Proxy, echo: Echo) -> None:
    one, other = await connect(proxy), await connect(proxy)
    assert await said_back(one, b"one") == b"one"
    assert await said_back(other, b"other") == b"other"
    large = bytes(range(256)) * 4096
    one[1].write(large)
    assert await asyncio.wait_for(one[0].readexactly(len(large)), 5) == large
    one[1].close()
    await eventually(lambda: echo.ended == ["closed"] and proxy.links == 1)


async def test_a_cut_resets_both_ends_and_new_connections_are_welcome(proxy: Proxy, echo: Echo) -> None:
    streams = await connect(proxy)
    assert await said_back(streams, b"hello") == b"hello"
    assert proxy.cut() == 1
    with pytest.raises(ConnectionResetError):
        await streams[0].read(1)
    await eventually(lambda: len(echo.ended) == 1)
    assert await said_back(await connect(proxy), b"again") == b"again"


async def test_refused_means_refused_until_healed_on_the_same_port(proxy: Proxy) -> None:
    streams = await connect(proxy)
    assert await said_back(streams, b"hello") == b"hello"
    proxy.cut(refuse=True)
    for _ in range(3):
        with pytest.raises(ConnectionRefusedError):
            await connect(proxy)
    proxy.heal()
    assert await said_back(await connect(proxy), b"again") == b"again"


async def test_half_open_swallows_and_never_gives_back(proxy: Proxy, echo: Echo) -> None:
    old = await connect(proxy)
    assert await said_back(old, b"before") == b"before"
    proxy.half_open()
    assert await said_back(old, b"lost", within=0.2) is None
    new = await connect(proxy)
    assert await said_back(new, b"nobody there", within=0.2) is None
    proxy.heal()
    assert await said_back(old, b"still lost", within=0.2) is None
    assert await said_back(await connect(proxy), b"fresh") == b"fresh"
    assert bytes(echo.heard) == b"beforefresh"
    assert proxy.swallowed == len(b"lost" + b"nobody there" + b"still lost")


async def test_answers_alone_may_be_lost(proxy: Proxy, echo: Echo) -> None:
    streams = await connect(proxy)
    proxy.half_open(ANSWERS)
    assert await said_back(streams, b"done", within=0.2) is None
    assert bytes(echo.heard) == b"done"


async def test_requests_alone_may_be_lost(proxy: Proxy, echo: Echo) -> None:
    streams = await connect(proxy)
    proxy.half_open(REQUESTS)
    assert await said_back(streams, b"not done", within=0.2) is None
    assert bytes(echo.heard) == b""


async def test_while_half_open_neither_end_hears_that_the_other_has_gone(proxy: Proxy, echo: Echo) -> None:
    streams = await connect(proxy)
    assert await said_back(streams, b"hello") == b"hello"
    proxy.half_open()
    streams[1].close()
    await asyncio.sleep(0.2)
    assert echo.ended == []
    proxy.heal()
    await eventually(lambda: echo.ended == ["closed"])


async def test_healing_may_reset_what_was_broken_and_only_that(proxy: Proxy) -> None:
    broken, lucky = await connect(proxy), await connect(proxy)
    assert await said_back(lucky, b"hello") == b"hello"
    proxy.half_open()
    assert await said_back(broken, b"lost", within=0.2) is None
    proxy.heal(reset=True)
    with pytest.raises(ConnectionResetError):
        await broken[0].read(1)
    assert await said_back(lucky, b"still here") == b"still here"


async def test_what_stalls_arrives_late_and_whole(proxy: Proxy, echo: Echo) -> None:
    streams = await connect(proxy)
    proxy.stall()
    assert await said_back(streams, b"la", within=0.2) is None
    streams[1].write(b"te")
    proxy.heal()
    assert await asyncio.wait_for(streams[0].readexactly(4), 2) == b"late"


@pytest.mark.parametrize(("ways", "least"), [(BOTH, 0.4), (REQUESTS, 0.2), (ANSWERS, 0.2)])
async def test_a_slow_link_delays_each_way(proxy: Proxy, ways: frozenset[Way], least: float) -> None:
    streams = await connect(proxy)
    proxy.slow(0.2, jitter=0.05, ways=ways)
    started = time.monotonic()
    assert await said_back(streams, b"ping") == b"ping"
    assert time.monotonic() - started >= least


async def test_a_narrow_link_carries_so_many_bytes_per_second_in_order(proxy: Proxy) -> None:
    streams = await connect(proxy)
    proxy.slow(0.0, jitter=0.02, rate=4000, ways=ANSWERS)
    sent = bytes(range(250)) * 8
    streams[1].write(sent)
    started = time.monotonic()
    assert await asyncio.wait_for(streams[0].readexactly(len(sent)), 5) == sent
    assert time.monotonic() - started > 0.4


async def test_healing_hurries_what_was_under_way(proxy: Proxy) -> None:
    streams = await connect(proxy)
    proxy.slow(30.0)
    assert await said_back(streams, b"ping", within=0.1) is None
    proxy.heal()
    assert await asyncio.wait_for(streams[0].readexactly(4), 1) == b"ping"


async def test_an_answer_breaks_off_in_the_middle(proxy: Proxy, echo: Echo) -> None:
    streams = await connect(proxy)
    proxy.drop_after(5, Way.ANSWERS)
    streams[1].write(b"more than five")
    assert await asyncio.wait_for(streams[0].readexactly(5), 2) == b"more "
    with pytest.raises(ConnectionResetError):
        await asyncio.wait_for(streams[0].read(1), 2)
    assert bytes(echo.heard) == b"more than five"
    assert await said_back(await connect(proxy), b"only once") == b"only once"


async def test_a_request_breaks_off_before_its_first_byte_each_time_until_healed(proxy: Proxy, echo: Echo) -> None:
    proxy.drop_after(0, Way.REQUESTS, times=99)
    for _ in range(3):
        streams = await connect(proxy)
        streams[1].write(b"unheard")
        with pytest.raises(ConnectionResetError):
            await asyncio.wait_for(streams[0].read(1), 2)
    proxy.heal()
    assert await said_back(await connect(proxy), b"heard") == b"heard"
    assert (bytes(echo.heard), proxy.cuts) == (b"heard", 3)


async def test_a_server_that_is_away_is_a_connection_that_breaks() -> None:
    async def ask(proxy: Proxy) -> None:
        reader, _ = await connect(proxy)  # it may break as early as this
        await asyncio.wait_for(reader.read(1), 2)

    with Proxy(lambda: Path("/nowhere/at/all")) as proxy, pytest.raises(ConnectionResetError):
        await ask(proxy)


async def test_postgres_is_reached_through_it(postgres: Postgres) -> None:
    with Proxy(lambda: postgres.socket_folder / ".s.PGSQL.5432") as proxy:
        url = f"postgresql://postgres@{LOOPBACK}:{proxy.port}/postgres"
        connection = await asyncpg.connect(url)
        assert await connection.fetchval("SELECT repeat('x', 100000)") == "x" * 100_000
        proxy.drop_after(1000)
        with pytest.raises((asyncpg.PostgresConnectionError, asyncpg.InterfaceError, ConnectionError)):
            await connection.fetchval("SELECT repeat('x', 100000)")
        again = await asyncpg.connect(url)
        assert await again.fetchval("SELECT 1") == 1
        await again.close()


async def test_nats_is_reached_through_it(nats_server: Nats) -> None:
    with Proxy(lambda: (LOOPBACK, nats_server.port)) as proxy:
        client = await nats.connect(f"nats://{LOOPBACK}:{proxy.port}", reconnect_time_wait=0.05)
        before: Any = await client.jetstream().account_info()
        assert before.streams is not None
        proxy.cut()
        await eventually(lambda: client.stats["reconnects"] == 1 and client.is_connected)
        await client.jetstream().account_info()
        await client.close()


async def eventually(done: Callable[[], bool]) -> None:
    give_up = time.monotonic() + 3
    while not done():
        assert time.monotonic() < give_up
        await asyncio.sleep(0.01)
