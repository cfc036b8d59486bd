"""A backup is taken beside a running stack under load, and restored: into a new folder, and under what others know."""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from datetime import datetime
from pathlib import Path
from threading import Event
from typing import Any
from uuid import uuid4

import asyncpg
import httpx
import pytest
from meridian import Meridian
from world import World

import stack.backup as backup_module
from stack.backup import MANIFEST, Manifest, back_up
from stack.client import Object, eventually
from stack.cluster import SERVICE_PORTS, Stack, database_of
from stack.postgres import plain_url
from stack.processes import StackError, run_now
from stack.restore import UNFINISHED, restore

BEGINS = "2026-04-14T12:00:00+02:00"


@pytest.fixture
def folders() -> Iterator[Callable[[], Path]]:
    """New data folders, removed in the end."""
    with tempfile.TemporaryDirectory(prefix="closeloop-backup-") as folder:
        Path(folder).chmod(0o711)
        numbers = iter(range(100))

        def another() -> Path:
            path = Path(folder) / str(next(numbers))
            path.mkdir(mode=0o711)
            return path

        yield another


@contextmanager
def running(data: Path) -> Iterator[Meridian]:
    new = not (data / "clock-start").exists()
    with Stack(data, durable=False, clock_start=datetime.fromisoformat(BEGINS) if new else None) as stack:
        yield Meridian(World(stack))


def closeloop(data: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "stack", *words, "--data", str(data)]
    return subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, "COLUMNS": "200"})


def taken(data: Path, backup: Path) -> Manifest:
    server = json.loads((data / "addresses.json").read_text())["postgres"]
    return back_up(server, map(database_of, SERVICE_PORTS), data, backup, lambda _: None)


def audit_under_way(meridian: Meridian) -> Object:
    meridian.appoint_everybody()
    audit = meridian.plan_audit(["SVC-ERP"], starts="2026-04-14", ends="2026-04-17")
    meridian.start_audit(audit)
    return audit


def raise_and_issue(meridian: Meridian, audit: Object, key: str = "") -> Object:
    found = meridian.raise_finding(
        audit, "SVC-ERP", "major", f"Finding {uuid4()}", "2026-04-14T08:00:00Z", key=key or None
    )
    return meridian.issue(found)


def every_source_has_its_action(meridian: Meridian, findings: Sequence[Object]) -> None:
    sources = [entry["source"]["id"] for action in meridian.actions() for entry in action["entries"]]
    assert sorted(sources) == sorted(finding["id"] for finding in findings)


async def heard_and_told(urls: dict[str, str]) -> list[str]:
    """Streams of which somebody has heard more than their service has said."""
    logs = {name: await asyncpg.connect(plain_url(url)) for name, url in urls.items()}
    try:
        told = {
            (name, row["id"]): row["public_version"]
            for name, sql in logs.items()
            for row in await sql.fetch("SELECT id, public_version FROM states")
        }
        heard = [(name, row) for name, sql in logs.items() for row in await sql.fetch("SELECT * FROM inbox")]
        return [
            f"{name} has heard {row['version']} of {row['source']} {row['stream']}"
            for name, row in heard
            if row["version"] > told.get((row["source"], row["stream"]), 0)
        ]
    finally:
        for sql in logs.values():
            await sql.close()


def urls_of(meridian: Meridian) -> dict[str, str]:
    services = meridian.world.stack.services.values()
    return {service.name: service.environment["CLOSELOOP_DATABASE_URL"] for service in services}


def test_a_backup_under_load_holds_all_that_was_told_and_is_one_moment_of_all(folders: Callable[[], Path]) -> None:
    data, backup, elsewhere = folders(), folders(), folders()
    before: list[tuple[str, Object]] = []
    all_of_it: list[Object] = []
    with running(data) as meridian:
        audit, enough = audit_under_way(meridian), Event()

        def raise_findings() -> None:
            while not enough.is_set():
                key = str(uuid4())
                all_of_it.append(raise_and_issue(meridian, audit, key))
                if not begun.is_set():
                    before.append((key, all_of_it[-1]))

        begun = Event()
        with ThreadPoolExecutor(2) as threads:
            work = [threads.submit(raise_findings) for _ in range(2)]
            time.sleep(2)
            begun.set()
            manifest = taken(data, backup)
            time.sleep(1)
            enough.set()
        assert [each.exception() for each in work] == [None, None]
        assert len(all_of_it) > len(before) > 5
        address = meridian.weiss.addresses
    assert set(manifest.positions) == {database_of(name) for name in SERVICE_PORTS}
    restore(backup, elsewhere, forget_broker=False, say=lambda _: None)
    with running(elsewhere) as again:
        assert run_now(heard_and_told(urls_of(again))) == []
        again.settle()
        for _, finding in before:
            assert again.weiss.get("audit", f"findings/{finding['id']}")["number"] == finding["number"]
        key, finding = before[-1]
        repeated = again.raise_finding(audit, "SVC-ERP", "major", finding["statement"], "2026-04-14T08:00:00Z", key=key)
        assert repeated["id"] == finding["id"], "what was asked under a key is still known"
        issued = [each for each in again.weiss.all("audit", "findings") if each["status"] == "issued"]
        every_source_has_its_action(again, issued)
        assert again.weiss.addresses != address
        assert closeloop(elsewhere, "verify", "--state", "all").returncode == 0


def test_all_services_put_back_under_a_newer_broker_wait_for_a_decision_and_go_on(
    folders: Callable[[], Path],
) -> None:
    data, backup = folders(), folders()
    with running(data) as meridian:
        audit = audit_under_way(meridian)
        kept = raise_and_issue(meridian, audit)
        meridian.settle()
        backup.rmdir()
        made = closeloop(data, "backup", str(backup))
        assert made.returncode == 0, made.stderr
        lost = raise_and_issue(meridian, audit)
        meridian.settle()
    assert closeloop(data, "restore", str(backup), "--yes").returncode == 0
    with running(data) as meridian:
        eventually(lambda: "older database" in str(degraded(meridian, "audit")), "it is said", 15)
        eventually(lambda: "closeloop_relay_halted 1.0" in metrics(meridian, "audit"), "it is measured", 15)
        shown = closeloop(data, "accept-restore", "audit")
        assert shown.returncode == 1
        assert lost["id"] in shown.stdout
        assert kept["id"] not in shown.stdout
        for name in SERVICE_PORTS:
            closeloop(data, "accept-restore", name, "--yes")
        eventually(lambda: not any(degraded(meridian, name) for name in SERVICE_PORTS), "nothing is amiss", 20)
        listed = closeloop(data, "accept-restore", "audit", "--list")
        assert (listed.returncode, lost["id"] in listed.stdout) == (0, True)
        assert "nothing to decide" in closeloop(data, "accept-restore", "audit").stdout
        later = raise_and_issue(meridian, audit)
        meridian.settle()
        assert [action["id"] for action in meridian.actions_of(later["id"])]
        told = closeloop(data, "republish", "audit", "--from", "3")
        assert "told again" in told.stdout, told.stderr
        meridian.settle()
        assert not any(degraded(meridian, name) for name in SERVICE_PORTS)


def test_where_nobody_else_listens_the_broker_may_forget(folders: Callable[[], Path]) -> None:
    data, backup = folders(), folders()
    with running(data) as meridian:
        audit = audit_under_way(meridian)
        kept = raise_and_issue(meridian, audit)
        meridian.settle()
        taken(data, backup)
        raise_and_issue(meridian, audit)
        meridian.settle()
    restore(backup, data, forget_broker=True, say=lambda _: None)
    with running(data) as meridian:
        meridian.settle()
        later = raise_and_issue(meridian, audit)
        meridian.settle()
        every_source_has_its_action(meridian, [kept, later])
        assert not any(degraded(meridian, name) for name in SERVICE_PORTS)
        with pytest.raises(StackError, match="in use by another"):
            restore(backup, data, forget_broker=True, say=lambda _: None)


def degraded(meridian: Meridian, name: str) -> list[Any]:
    url = meridian.world.stack.services[name].url
    return list(httpx.get(f"{url}/readyz", timeout=5, trust_env=False).json().get("degraded", []))


def metrics(meridian: Meridian, name: str) -> str:
    return httpx.get(f"{meridian.world.stack.services[name].url}/metrics", timeout=5, trust_env=False).text


def test_a_backup_that_is_not_whole_is_refused_and_changes_nothing(folders: Callable[[], Path]) -> None:
    data, backup = folders(), folders()
    with running(data) as meridian:
        kept = raise_and_issue(meridian, audit_under_way(meridian))
        meridian.settle()
        taken(data, backup)
        with pytest.raises(StackError, match="is not empty"):
            taken(data, backup)
    manifest = (backup / MANIFEST).read_text()
    (backup / MANIFEST).unlink()
    with pytest.raises(StackError, match="no backup, or one that was never finished"):
        restore(backup, data, forget_broker=True, say=lambda _: None)
    (backup / MANIFEST).write_text(manifest)
    dump = backup / "closeloop_audit.dump"
    whole = dump.read_bytes()
    dump.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    with pytest.raises(StackError, match="is not what was written"):
        restore(backup, data, forget_broker=True, say=lambda _: None)
    dump.write_bytes(whole)
    (data / UNFINISHED).write_text(str(backup))
    with pytest.raises(StackError, match="A restore was not finished"), running(data):
        pass
    restore(backup, data, forget_broker=False, say=lambda _: None)
    with running(data) as meridian:
        meridian.settle()
        every_source_has_its_action(meridian, [kept])


async def test_a_backup_that_hangs_lets_go_of_the_log_and_is_none(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever appends would wait for as long as it hangs, and what was held no more is not of one moment."""
    monkeypatch.setattr(backup_module, "HELD_AT_MOST", "300ms")
    somebody = await asyncpg.connect(plain_url(database))
    await somebody.execute("CREATE TABLE head (position bigint); INSERT INTO head VALUES (0)")
    fetchrow, waited = asyncpg.Connection.fetchrow, []

    async def hangs(self: asyncpg.Connection, *asked: Any) -> Any:
        began = time.monotonic()
        await somebody.execute("SET lock_timeout = '5s'; SELECT 1 FROM head FOR UPDATE")
        waited.append(time.monotonic() - began)
        return await fetchrow(self, *asked)

    monkeypatch.setattr(asyncpg.Connection, "fetchrow", hangs)
    with pytest.raises(StackError, match="and is none"):
        async with backup_module._one_moment({"toy": database}):
            pass
    assert 0.1 < waited[0] < 3
    await somebody.close()


def test_that_a_restore_is_under_way_is_on_disk_before_it_changes_anything(
    folders: Callable[[], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a power cut leaves some databases of the backup beside some others, and nothing that says so."""
    data, backup, on_disk, fsync = folders(), folders(), list[str](), os.fsync

    def noting(handle: int) -> None:
        fsync(handle)
        on_disk.append(str(Path(f"/proc/self/fd/{handle}").readlink()))

    async def changing(*_: object) -> None:
        assert on_disk[-2:] == [str(data / UNFINISHED), str(data)]

    monkeypatch.setattr(os, "fsync", noting)
    monkeypatch.setattr("stack.restore._take_their_places", changing)
    monkeypatch.setattr("stack.restore.Postgres", lambda _: nullcontext())
    (backup / "identity").mkdir()
    for name in ("identity/key.pem", "clock-start"):
        (backup / name).write_text(name)
    (backup / MANIFEST).write_text(json.dumps({"taken_at": "", "postgres": "", "positions": {}, "files": {}}))
    restore(backup, data, forget_broker=False, say=lambda _: None)
    assert {str(data / "identity/key.pem"), str(data / "identity"), str(data / "clock-start")} <= set(on_disk)
    assert on_disk[-1] == str(data)
    assert not (data / UNFINISHED).exists()
