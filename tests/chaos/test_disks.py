"""A power cut takes from whoever does not force to disk what is acknowledged, and from nobody else."""

import asyncio
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import disks
import nats
import pytest
from disks import Disk, power_cut
from nats.errors import TimeoutError as NatsTimeout

import stack.nats
from stack.nats import Nats
from stack.postgres import Postgres, plain_url
from stack.processes import Supervisor

pytestmark = pytest.mark.skipif(bool(disks.what_is_missing()), reason=disks.what_is_missing())
TOLD = 300


@pytest.fixture
def disk() -> Iterator[Disk]:
    with tempfile.TemporaryDirectory(prefix="closeloop-chaos-") as folder:
        Path(folder).chmod(0o711)
        with Disk(Path(folder) / "postgres", size=256 << 20) as disk:
            yield disk


def test_only_what_was_forced_to_disk_survives(disk: Disk) -> None:
    for name, forced in (("safe", True), ("lost", False)):
        with (disk.folder / name).open("wb") as file:
            file.write(b"x" * 10_000)
            file.flush()
            if forced:
                os.fsync(file.fileno())
    power_cut([disk], [])
    disk.remount()
    assert (disk.folder / "safe").read_bytes() == b"x" * 10_000
    assert not (disk.folder / "lost").exists() or not (disk.folder / "lost").read_bytes()


def test_a_full_disk_takes_nothing_until_it_is_freed(disk: Disk) -> None:
    disk.fill()
    with pytest.raises(OSError, match="No space left"):
        (disk.folder / "more").write_bytes(b"x" * 10_000)
    disk.free()
    (disk.folder / "more").write_bytes(b"x" * 10_000)


@pytest.mark.parametrize("durable", [True, False])
def test_postgres_keeps_what_it_acknowledged_only_with_fsync(disk: Disk, *, durable: bool) -> None:
    with Postgres(disk.folder.parent, durable=durable, settings=disks.SMALL_WAL) as server:
        told = asyncio.run(_tell_postgres(plain_url(server.url()), disk))
        power_cut([disk], [server.child.pid])
        server.stop()
        disk.remount()
        server.start()
        found = asyncio.run(_found_in_postgres(plain_url(server.url())))
    assert (found == told) if durable else (found < told), (found, told)


@pytest.mark.parametrize("flush", ["always", "2m"])
def test_nats_keeps_what_it_acknowledged_only_with_sync_always(
    disk: Disk, flush: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    configuration = stack.nats.CONFIGURATION.replace("sync_interval: always", f'sync_interval: "{flush}"')
    monkeypatch.setattr(stack.nats, "CONFIGURATION", configuration)
    with Nats(disk.folder) as server:
        told = asyncio.run(_tell_nats(server.url, disk))
        power_cut([disk], [server.child.pid])
        server.stop()
        disk.remount()
        server.start()
        found = asyncio.run(_found_in_nats(server.url))
    assert (found == told) if flush == "always" else (found < told), (found, told)


def test_nats_is_started_again_when_its_full_disk_has_room_again(disk: Disk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stack.nats, "LOOK_EVERY_SECONDS", 0.0)
    said: list[str] = []
    with Nats(disk.folder) as server:
        supervisor = Supervisor([server.child], said.append)
        told = asyncio.run(_tell_nats(server.url, disk))
        disk.fill()
        with pytest.raises(NatsTimeout):
            asyncio.run(_tell_once_more(server.url))
        supervisor.look()
        assert not said, "as long as the disk is full, a new start is of no use"
        disk.free()
        supervisor.look()
        assert said == ["NATS: a stream could not be written and is not tried again; starting it again"]
        server.start()  # it was started already: this waits until it answers
        asyncio.run(_tell_once_more(server.url))
        assert asyncio.run(_found_in_nats(server.url)) == told + 1
        supervisor.look()
        assert len(said) == 1


async def _tell_postgres(url: str, disk: Disk) -> int:
    """How many rows were acknowledged; the first of them some time ago, the others just now."""
    connection = await asyncpg.connect(url)
    await connection.execute("CREATE TABLE told (n int)")
    disk.sync()
    for number in range(TOLD):
        await connection.execute("INSERT INTO told VALUES ($1)", number)
    connection.terminate()
    return TOLD


async def _found_in_postgres(url: str) -> int:
    connection = await asyncpg.connect(url)
    try:
        found: int = await connection.fetchval("SELECT count(*) FROM told")
    finally:
        await connection.close()
    return found


async def _tell_nats(url: str, disk: Disk) -> int:
    client = await nats.connect(url)
    bus = client.jetstream()
    await bus.add_stream(name="TOLD", subjects=["told"])
    disk.sync()
    for _ in range(TOLD):
        await bus.publish("told", b"x")
    await client.close()
    return TOLD


async def _tell_once_more(url: str) -> None:
    client = await nats.connect(url)
    try:
        await client.jetstream().publish("told", b"x" * 10_000, timeout=1)
    finally:
        await client.close()


async def _found_in_nats(url: str) -> int:
    client = await nats.connect(url)
    try:
        found: int = (await client.jetstream().stream_info("TOLD")).state.messages
    finally:
        await client.close()
    return found
