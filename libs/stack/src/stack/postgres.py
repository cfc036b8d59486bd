"""A PostgreSQL server of our own: the binaries of a wheel, one data folder, one private socket."""

import fcntl
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from signal import SIGINT, SIGKILL, SIGQUIT
from typing import IO, Self

import asyncpg
from sqlalchemy import make_url

from stack.installation import binaries_for, hand_over, unprivileged_account, within_reach
from stack.processes import Child, StackError, run_now

SUPERUSER = "postgres"
PORT = 5432  # only part of the socket's name: the server does not listen on TCP
LONGEST_SOCKET_FOLDER = 80  # bytes; with the name of the socket the kernel allows 104 on macOS, 108 on Linux
LOCK_PATIENCE_SECONDS = 3.0
USUAL = {"timezone": "UTC", "log_timezone": "UTC"}
if sys.platform == "linux":
    # After a crash all files are flushed before anything else: one by one that takes seconds, at once a moment.
    USUAL["recovery_init_sync_method"] = "syncfs"
FAST = {"fsync": "off", "full_page_writes": "off", "synchronous_commit": "on"}


class Postgres:
    """One server over one folder. `durable=False` skips fsync: right for tests, and for nothing else."""

    def __init__(self, folder: Path, *, durable: bool = True, settings: Mapping[str, str] | None = None) -> None:
        self.durable = durable
        self.settings = {**USUAL, **({} if durable else FAST), **(settings or {})}
        self.account = unprivileged_account()
        self.home = folder.absolute()
        self.folder = within_reach(self.home, self.account)
        self._log = self.home / "logs" / "postgres.log"
        self._lock: IO[str] | None = None
        self._child: Child | None = None
        self._sockets: Path | None = None

    @property
    def child(self) -> Child:
        if self._child is None:
            raise StackError("PostgreSQL was never started")
        return self._child

    @property
    def cluster(self) -> Path:
        return self.folder / "cluster"

    def start(self) -> Self:
        """Start, or start again after a crash or a stop, over the same data and the same socket."""
        self._lock = self._lock or _take_lock(self.folder / "lock", self.home)
        self._sockets = self._sockets or self._make_socket_folder()
        binaries = binaries_for(self.account)
        if not (self.cluster / "PG_VERSION").exists():
            self._create_cluster(binaries)
        self._child = Child(
            name="PostgreSQL",
            command=[str(binaries / "postgres"), "-D", str(self.cluster), *self._options()],
            log=self._log,
            environment={"LC_ALL": "C"},
            account=self.account,
            stop_by=((SIGINT, 20.0), (SIGQUIT, 10.0), (SIGKILL, 5.0)),
            # The lock lives as long as the last server process does, also when we are killed.
            keep_open=(self._lock.fileno(),),
        )
        self._child.start()
        self._child.wait_until(self._is_ready, seconds=60)
        return self

    def stop(self) -> None:
        if self._child is not None:
            self._child.stop()
        if self._lock is not None:
            self._lock.close()
            self._lock = None
        if self._sockets is not None:
            shutil.rmtree(self._sockets, ignore_errors=True)
            self._sockets = None

    def kill(self) -> None:
        self.child.kill()

    def url(self, database: str = "postgres") -> str:
        return f"postgresql+asyncpg://{SUPERUSER}@/{database}?host={self.socket_folder}"

    def create_database(self, name: str) -> str:
        ensure_database(self.url(), name)
        return self.url(name)

    def drop_database(self, name: str) -> None:
        run_now(_drop_database(self.url(), name))

    @property
    def socket_folder(self) -> Path:
        if self._sockets is None:
            raise StackError("PostgreSQL is not started")
        return self._sockets

    def _make_socket_folder(self) -> Path:
        """In the data folder, if its path is short and plain enough for a socket, else in a temporary one."""
        folder = self.folder / "socket"
        if _suits_a_socket(folder):
            folder.mkdir(mode=0o700, exist_ok=True)
        else:
            usual = Path(tempfile.gettempdir())
            near = usual if _suits_a_socket(usual / "closeloop-12345678") else Path("/tmp")  # noqa: S108 - mkdtemp makes it private
            folder = Path(tempfile.mkdtemp(prefix="closeloop-", dir=near))
        hand_over(folder, self.account)
        return folder

    def _options(self) -> Iterator[str]:
        yield from ("-k", str(self.socket_folder), "-p", str(PORT), "-c", "listen_addresses=")
        for name, value in self.settings.items():
            yield from ("-c", f"{name}={value}")

    def _create_cluster(self, binaries: Path) -> None:
        """Made beside its place and moved there when whole: an interrupted first start can simply be repeated."""
        unfinished = self.folder / "cluster.new"
        shutil.rmtree(unfinished, ignore_errors=True)
        command = [str(binaries / "initdb"), "-D", str(unfinished), "-U", SUPERUSER, "-A", "trust"]
        command += ["--encoding=UTF8", "--no-locale", *([] if self.durable else ["--no-sync"])]
        initdb = Child("initdb", command, self._log, {"LC_ALL": "C"}, self.account)
        initdb.start()
        initdb.wait_for_success(seconds=120)
        initdb.stop()
        unfinished.rename(self.cluster)

    def _is_ready(self) -> bool:
        """The server writes its state into the eighth line of postmaster.pid, behind its own process id."""
        try:
            lines = (self.cluster / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return False
        return len(lines) > 7 and lines[0] == str(self.child.pid) and lines[7].strip() == "ready"

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()


def _suits_a_socket(folder: Path) -> bool:
    return bool(re.fullmatch(r"[\w/.-]+", str(folder), re.ASCII)) and len(str(folder)) <= LONGEST_SOCKET_FOLDER


def ensure_database(server_url: str, name: str) -> str:
    """Make the database when it is missing; answer its URL."""
    try:
        run_now(_ensure_database(server_url, name))
    except (OSError, asyncpg.PostgresError) as error:
        address = make_url(server_url).host or "its socket"
        raise StackError(f"PostgreSQL on {address} does not do what is asked: {error}") from error
    database = make_url(server_url).set(drivername="postgresql+asyncpg", database=name)
    return database.render_as_string(hide_password=False)


def is_reachable(server_url: str) -> bool:
    """Whether anything listens there, whatever it says."""
    try:
        with suppress(asyncpg.PostgresError):
            run_now(_knock(server_url))
    except OSError:
        return False
    return True


async def _knock(server_url: str) -> None:
    await (await asyncpg.connect(plain_url(server_url))).close()


async def _ensure_database(server_url: str, name: str) -> None:
    connection = await asyncpg.connect(plain_url(server_url))
    try:
        if not await connection.fetchval("SELECT 1 FROM pg_database WHERE datname = $1", name):
            await connection.execute(f'CREATE DATABASE "{name}" TEMPLATE template0 ENCODING UTF8')
    finally:
        await connection.close()


async def _drop_database(server_url: str, name: str) -> None:
    connection = await asyncpg.connect(plain_url(server_url))
    try:
        await connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
    finally:
        await connection.close()


def remove_data(folder: Path) -> None:
    """The data folder with all it holds, and the twin of the server's folder where there is one."""
    server_folder = folder / "postgres"
    if server_folder.exists():
        _take_lock(server_folder / "lock", folder).close()
    if server_folder.is_symlink():
        shutil.rmtree(server_folder.resolve(), ignore_errors=True)
    shutil.rmtree(folder)


def plain_url(url: str) -> str:
    """The URL as asyncpg itself reads it, without SQLAlchemy's driver name."""
    return make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)


def _take_lock(path: Path, folder: Path) -> IO[str]:
    """A server that was just killed may need a moment to leave, so try for a while before giving up."""
    lock = path.open("w")
    give_up_at = time.monotonic() + LOCK_PATIENCE_SECONDS
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            if time.monotonic() > give_up_at:
                lock.close()
                raise StackError(
                    f"The data folder {folder} is in use by another Closeloop. "
                    "Stop that one (Ctrl-C where it runs), or choose another folder with --data DIR."
                ) from None
            time.sleep(0.1)
        else:
            return lock
