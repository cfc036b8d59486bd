"""Whoever only keeps connections loses them; whoever uses them, also slowly, does not."""

import asyncio
from asyncio import StreamReader, StreamWriter
from collections.abc import AsyncIterator
from contextlib import nullcontext

import pytest
import uvicorn
from starlette.types import Receive, Scope, Send

from chassis.connections import patient_for

PATIENCE = 0.4
LARGE = b"x" * 20_000_000
ASK = b"GET / HTTP/1.1\r\nHost: here\r\n\r\n"


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    """Answers without looking at the body; at /large with more than any buffer holds, at /slow late."""
    await asyncio.sleep(3 * PATIENCE if scope["path"] == "/slow" else 0)
    body = LARGE if scope["path"] == "/large" else b"well"
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(body))]})
    await send({"type": "http.response.body", "body": body})


@pytest.fixture
async def port() -> AsyncIterator[int]:
    config = uvicorn.Config(
        app, port=0, http=patient_for(PATIENCE), lifespan="off", log_config=None, timeout_keep_alive=5
    )
    server = uvicorn.Server(config)
    server.capture_signals = nullcontext  # type: ignore[method-assign]
    serving = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110 (it has no event for it)
        await asyncio.sleep(0.01)
    yield server.servers[0].sockets[0].getsockname()[1]
    server.should_exit = True
    await serving


async def was_cut(reader: StreamReader) -> bool:
    """Whether the server ends the connection soon, and before it has sent a large answer."""
    taken = 0
    try:
        async with asyncio.timeout(4 * PATIENCE):
            while part := await reader.read(65_536):
                taken += len(part)
    except TimeoutError:
        return False
    except ConnectionError:
        pass
    return taken < len(LARGE)


@pytest.mark.parametrize("sent", [b"", b"GET", b"GET / HTTP/1.1\r\nHost: here\r\nX-Long: "])
async def test_a_head_that_does_not_come_is_waited_for_no_longer(port: int, sent: bytes) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(sent)
    assert await was_cut(reader)


@pytest.mark.parametrize(
    "begun",
    [b"GET / HTTP/1.1\r\nX: ", b"POST / HTTP/1.1\r\nHost: here\r\nContent-Length: 9999\r\n\r\n"],
    ids=["a head", "a body that nobody reads any more"],
)
async def test_dripping_does_not_prolong_it(port: int, begun: bytes) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    dripping = asyncio.create_task(_drip(begun, writer))
    assert await was_cut(reader)
    dripping.cancel()


async def _drip(begun: bytes, writer: StreamWriter) -> None:
    writer.write(begun)
    while not writer.is_closing():
        await asyncio.sleep(PATIENCE / 8)
        writer.write(b"a")


@pytest.mark.parametrize("times", [1, 3])
async def test_an_answer_that_is_not_taken_is_thrown_away(port: int, times: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1024)
    writer.write(ASK.replace(b"/ ", b"/large ") * times)
    await asyncio.sleep(4 * PATIENCE)
    assert await was_cut(reader)


async def test_who_takes_an_answer_slowly_gets_all_of_it(port: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=65_536)
    writer.write(ASK.replace(b"/ ", b"/large "))
    taken = len(await reader.readuntil(b"\r\n\r\n")) * 0
    while taken < len(LARGE):
        taken += len(await reader.read(1_000_000))
        await asyncio.sleep(0.005)
    assert taken == len(LARGE)


async def test_a_connection_in_use_is_kept(port: int) -> None:
    """Through a slow answer of ours, and from request to request."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for ask in (ASK, ASK.replace(b"/ ", b"/slow "), ASK, ASK):
        writer.write(ask)
        assert (await reader.readuntil(b"well")).startswith(b"HTTP/1.1 200")
        await asyncio.sleep(PATIENCE / 2)
    assert await was_cut(reader)
