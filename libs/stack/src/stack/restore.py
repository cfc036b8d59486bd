"""Restore a backup into a data folder whose stack is stopped: all databases, or none."""

import shutil
import subprocess
from pathlib import Path

import asyncpg

from stack.backup import BESIDE_THE_DATABASES, Manifest, Say, client, dump_file, environment_for, flush
from stack.postgres import Postgres, plain_url
from stack.processes import StackError, run_now

UNFINISHED = "restore-unfinished"
NEW = "_restored"


def restore(backup: Path, data: Path, *, forget_broker: bool, say: Say) -> Manifest:
    """What the folder holds becomes what the backup holds; a restore that was interrupted is simply done again.

    The broker keeps what it has, unless it is to be forgotten: it knows what others have heard since.
    """
    backup, data = backup.absolute(), data.absolute()
    manifest = Manifest.read(backup)
    say("Checking the backup")
    manifest.check(backup)
    with Postgres(data) as server:
        for name in manifest.positions:
            say(f"Restoring {name}")
            _load(server, name + NEW, backup / dump_file(name))
        (data / UNFINISHED).write_text(f"{backup}\n")
        flush(data / UNFINISHED, data)
        run_now(_take_their_places(server, [*manifest.positions]))
        for name in BESIDE_THE_DATABASES:
            _put(backup / name, data / name)
        if forget_broker:
            shutil.rmtree(data / "nats" / "jetstream", ignore_errors=True)
        put = [data / name for name in BESIDE_THE_DATABASES if (data / name).exists()]
        flush(*put, *(path.parent for path in put), data)
        (data / UNFINISHED).unlink()
        flush(data)
    return manifest


def refuse_half_restored(data: Path) -> None:
    """Raises StackError where a restore was interrupted: some databases are of the backup, some are not."""
    marker = data / UNFINISHED
    if marker.exists():
        raise StackError(f"A restore was not finished. Do it again: ./closeloop restore {marker.read_text().strip()}")


def _load(server: Postgres, name: str, dump: Path) -> None:
    server.drop_database(name)
    url = server.create_database(name)
    command = client("pg_restore", url, "--single-transaction", "--exit-on-error", "--no-owner", "--no-privileges")
    ran = subprocess.run([*command, str(dump)], env=environment_for(url), capture_output=True, text=True, check=False)
    if ran.returncode != 0:
        raise StackError(f"pg_restore ended with code {ran.returncode}: {ran.stderr[-2000:]}")


async def _take_their_places(server: Postgres, names: list[str]) -> None:
    sql = await asyncpg.connect(plain_url(server.url()))
    try:
        for name in names:
            await sql.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
            await sql.execute(f'ALTER DATABASE "{name}{NEW}" RENAME TO "{name}"')
        await sql.execute("CHECKPOINT")
    finally:
        await sql.close()


def _put(source: Path, target: Path) -> None:
    """As it was, or not there at all."""
    target.unlink(missing_ok=True)
    if source.exists():
        target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        shutil.copy2(source, target)
