"""A backup: every service's database as it was at one and the same moment, beside running services.

For that moment, a few milliseconds long, nobody appends: no service has heard what another has not said. A backup is
whole when its manifest is there, which is written last.
"""

import asyncio
import json
import os
import shutil
import subprocess
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from hashlib import file_digest
from pathlib import Path
from typing import Any

import asyncpg
from sqlalchemy import make_url

from stack.installation import binaries_for
from stack.postgres import plain_url
from stack.processes import StackError, inherited_environment, run_now

FORMAT = 1
MANIFEST = "manifest.json"
BESIDE_THE_DATABASES = ("identity/key.pem", "identity/jwks.json", "clock-start")
"""What else makes a data folder the same installation; the broker is disposable, and logs are not facts."""
HEAD_WITHIN = "1s"
"""Shorter than the patience of an append, which waits meanwhile."""
HELD_AT_MOST = "5s"
"""A backup that hangs, or is cut off, lets go of the logs; it finds out, and is none."""

Say = Callable[[str], None]


@dataclass(frozen=True)
class Manifest:
    """What a backup holds: by file, its size and SHA-256; by database, the last position."""

    taken_at: str
    postgres: str
    positions: Mapping[str, int]
    files: Mapping[str, tuple[int, str]]
    format: int = FORMAT

    @classmethod
    def read(cls, folder: Path) -> "Manifest":
        """Raises StackError where it is no whole backup."""
        path = folder / MANIFEST
        if not path.exists():
            raise StackError(f"{folder} is no backup, or one that was never finished: it has no {MANIFEST}.")
        try:
            said = json.loads(path.read_text())
            said["files"] = {name: (int(size), str(digest)) for name, (size, digest) in said["files"].items()}
            manifest = cls(**said)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise StackError(f"{path} cannot be read: {error}") from error
        if manifest.format != FORMAT:
            raise StackError(f"{folder} has format {manifest.format}; this version reads format {FORMAT}.")
        return manifest

    def check(self, folder: Path) -> None:
        """Every file is what was written. Raises StackError."""
        for name, expected in self.files.items():
            path = folder / name
            if not path.is_file() or _measured(path) != expected:
                raise StackError(f"{path} is not what was written: its size or SHA-256 differs, or it is gone.")


def back_up(server_url: str, databases: Iterable[str], data: Path, folder: Path, say: Say) -> Manifest:
    """These databases and what belongs to them, into a new or empty folder."""
    folder = folder.absolute()
    if folder.exists() and any(folder.iterdir()):
        raise StackError(f"{folder} is not empty. Name a new folder: a backup never replaces another.")
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    folder.chmod(0o700)
    positions, version = run_now(_dump_all(server_url, databases, folder, say))
    for name in BESIDE_THE_DATABASES:
        if (data / name).exists():
            (folder / name).parent.mkdir(exist_ok=True, mode=0o700)
            shutil.copy2(data / name, folder / name)
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    flush(*files)
    measured = {str(path.relative_to(folder)): _measured(path) for path in files}
    manifest = Manifest(datetime.now(UTC).isoformat(), version, positions, measured)
    _write_last(folder, manifest)
    return manifest


def dump_file(database: str) -> str:
    """The file of a database in a backup."""
    return f"{database}.dump"


def client(program: str, url: str, *arguments: str) -> Sequence[str]:
    """The command line of one of PostgreSQL's own programs; the password is not in it (`environment_for`)."""
    address = make_url(url).set(drivername="postgresql", password=None).render_as_string(hide_password=False)
    return [str(binaries_for(None) / program), f"--dbname={address}", "--no-password", *arguments]


def environment_for(url: str) -> dict[str, str]:
    """What such a program finds in its environment."""
    password = make_url(url).password
    return {**inherited_environment(), "LC_ALL": "C", **({"PGPASSWORD": str(password)} if password else {})}


async def _dump_all(server_url: str, databases: Iterable[str], folder: Path, say: Say) -> tuple[dict[str, int], str]:
    server = make_url(server_url)
    urls = {name: server.set(database=name).render_as_string(hide_password=False) for name in databases}
    try:
        async with _one_moment(urls) as moments:
            for name, (snapshot, _) in moments.items():
                say(f"Copying {name}")
                command = client("pg_dump", urls[name], "--format=custom", f"--snapshot={snapshot}")
                await _run([*command, f"--file={folder / dump_file(name)}"], environment_for(urls[name]))
            version = await _asked(server_url, "SHOW server_version")
            return {name: position for name, (_, position) in moments.items()}, str(version)
    except (OSError, asyncpg.PostgresError) as error:
        raise StackError(f"The backup was not finished, PostgreSQL says: {error}") from error


@asynccontextmanager
async def _one_moment(urls: Mapping[str, str]) -> AsyncIterator[dict[str, tuple[str, int]]]:
    """By database a snapshot, and the last position in it; all of the moment in which every log was held still."""
    async with AsyncExitStack() as kept:
        readers = {name: await kept.enter_async_context(_connected(url)) for name, url in urls.items()}
        moments = {}
        async with AsyncExitStack() as held:
            holders = [await held.enter_async_context(_connected(url)) for url in urls.values()]
            for holder in holders:
                await holder.execute(
                    f"BEGIN; SET LOCAL lock_timeout = '{HEAD_WITHIN}'; "
                    f"SET LOCAL idle_in_transaction_session_timeout = '{HELD_AT_MOST}'"
                )
                await holder.execute("SELECT 1 FROM head FOR UPDATE")
            for name, reader in readers.items():
                await reader.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
                seen = await reader.fetchrow("SELECT pg_export_snapshot() AS snapshot, position FROM head")
                moments[name] = (seen["snapshot"], seen["position"])
            for holder in holders:
                await _let_go(holder)
        yield moments


async def _let_go(holder: asyncpg.Connection) -> None:
    """Raises StackError where it was held no more: then the snapshots may be of different moments."""
    try:
        await holder.execute("COMMIT")
    except (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError) as error:
        raise StackError(f"The backup took longer than {HELD_AT_MOST} to begin, and is none: {error}") from error


@asynccontextmanager
async def _connected(url: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(plain_url(url))
    try:
        yield connection
    finally:
        await connection.close()


async def _asked(url: str, question: str) -> Any:
    async with _connected(url) as sql:
        return await sql.fetchval(question)


async def _run(command: Sequence[str], environment: Mapping[str, str]) -> None:
    ran = await asyncio.create_subprocess_exec(*command, env=environment, stderr=subprocess.PIPE)
    _, said = await ran.communicate()
    if ran.returncode != 0:
        raise StackError(f"{Path(command[0]).name} ended with code {ran.returncode}: {said.decode()[-2000:]}")


def _measured(path: Path) -> tuple[int, str]:
    with path.open("rb") as file:
        return path.stat().st_size, file_digest(file, "sha256").hexdigest()


def flush(*paths: Path) -> None:
    """Files and folders on disk, before anything says that they are."""
    for path in paths:
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _write_last(folder: Path, manifest: Manifest) -> None:
    unfinished = folder / f"{MANIFEST}.unfinished"
    unfinished.write_text(json.dumps(asdict(manifest), indent=2) + "\n")
    flush(unfinished, *(each for each in folder.rglob("*") if each.is_dir()), folder)
    unfinished.rename(folder / MANIFEST)
    flush(folder)
