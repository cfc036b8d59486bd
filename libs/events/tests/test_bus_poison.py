"""What no client library would send, sent raw: it is parked like any other poison, and everything else goes on."""

import asyncio
from urllib.parse import urlsplit
from uuid import uuid4

import pytest
from bus_words import Ear, World, until, until_well

SUBJECT = b"closeloop.meridian.toy.jar.jar-filled.v1"
POISON = {
    "a subject that is no UTF-8": (b"closeloop.meridian.toy.jar.\xff\xfe.v1", b""),
    "a subject with a NUL": (b"closeloop.meridian.toy.jar.a\x00b.v1", b""),
    "a header that is no UTF-8": (SUBJECT, b"NATS/1.0\r\nce-id: \xff\xfe\r\ncloseloop-position: \xff\r\n\r\n"),
    "a header without a colon": (SUBJECT, b"NATS/1.0\r\nno colon here\r\n\r\n"),
    "a header with a NUL": (SUBJECT, b"NATS/1.0\r\nce-id: a\x00b\r\n\r\n"),
    "the status line of a server": (SUBJECT, b"NATS/1.0 408 Request Timeout\r\n\r\n"),
    "the status line of a server that has nobody": (SUBJECT, b"NATS/1.0 503\r\n\r\n"),
}


@pytest.mark.parametrize("poison", POISON)
async def test_raw_poison_is_parked_and_the_rest_flows(world: World, poison: str) -> None:
    jar, bus = uuid4(), world.bus(Ear())

    async def parked() -> bool:
        return bool((await world.row("SELECT count(*) FROM dead_letters"))[0])

    async def filled() -> bool:
        return bool(await world.mirrored(jar))

    async def acknowledged() -> bool:
        return not (await bus.undelivered())[1]

    async with world.running(bus):
        await until_well(bus)
        await send_raw(world.url, *POISON[poison])
        await world.fill(jar)
        await until(filled)
        await until(parked)
        await until(acknowledged)
        assert bus.status().connected


@pytest.mark.parametrize("poison", POISON)
async def test_a_relay_begins_behind_raw_poison(world: World, poison: str) -> None:
    """It looks at the last messages of its stream to see where it was."""
    jar = uuid4()
    async with world.running(first := world.bus(Ear())):
        await until_well(first)
    await send_raw(world.url, *POISON[poison])

    async def filled() -> bool:
        return bool(await world.mirrored(jar))

    async with world.running(world.bus(Ear())):
        await world.fill(jar)
        await until(filled)


async def send_raw(url: str, subject: bytes, headers: bytes, body: bytes = b"hello") -> None:
    """Past every client library."""
    address = urlsplit(url)
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    sizes = b"%d %d" % (len(headers), len(headers) + len(body)) if headers else b"%d" % len(body)
    writer.write(b'CONNECT {"verbose":false,"headers":true,"protocol":1}\r\n')
    verb = b"HPUB " if headers else b"PUB "
    writer.write(verb + subject + b" " + sizes + b"\r\n" + headers + body + b"\r\nPING\r\n")
    await writer.drain()
    await asyncio.wait_for(reader.readuntil(b"PONG\r\n"), 5)
    writer.close()
    await writer.wait_closed()
