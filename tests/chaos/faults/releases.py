"""Releases: services change their code one after the other, old beside new, and databases are migrated."""

import os
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from random import Random
from signal import SIGKILL
from threading import Event
from typing import TYPE_CHECKING, Any

from kinds import SERVICES, Kind, Missed, Needs
from later_releases import ROLL_ORDER, STEPS, Release, next_release
from ledger import Asked

from chassis.migrations import migrate
from stack.cluster import SERVICE_PORTS
from stack.copies import Copy

if TYPE_CHECKING:
    from arena import Arena

REVISION = "SELECT version_num FROM alembic_version"
OLDER = "SELECT count(*) AS n FROM states WHERE kind IN ('finding', 'corrective-action') AND shape <= $1"
SHAPES = "SELECT kind, id, shape FROM states WHERE kind IN ('finding', 'corrective-action')"
LOCKS = """
    SELECT l.relation::regclass::text || ' ' || l.mode AS lock FROM pg_locks l JOIN pg_stat_activity a USING (pid)
    WHERE a.application_name = 'closeloop migration' AND l.granted AND l.relation IS NOT NULL
      AND l.mode IN ('ShareLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock')
"""
"""What keeps others from writing."""
LOCK_TIMEOUT = 2.0
"""Of every connection of a service."""
BREATH = 0.05
PATIENCE = 150.0
REFOLDED_WITHIN = 30.0


# --- rolling ----------------------------------------------------------------------------------------------------------


def restart_rolling(arena: "Arena", chance: Random) -> None:
    """The same code: a new process joins, both serve, the old one is told to stop; each service in its turn."""
    name = arena.next_of(SERVICES, "replaced", chance).name
    arena.load.until_busy(name)
    joined = arena.join(name)
    time.sleep(chance.uniform(0.0, 0.5))
    arena.succeed(joined)


def upgrade_rolling(arena: "Arena", chance: Random) -> None:
    """The next release: expand, old beside new, now and then a new one withdrawn and sent again; then contract."""
    number = max(next_release(name, _revision(arena, name)) for name in SERVICE_PORTS)
    release = Release(number).made_in(arena.stack.folder / f"release-{number}")
    arena.reworded.add("form")
    shapes = _Shapes(arena)
    with _again_and_again(shapes.look):
        _roll(arena, release, chance)
    shapes.never_fell()
    arena.release = release.python_path
    with _migrations(number, contracted=True) as folders:
        for name in SERVICE_PORTS:
            _migrate(arena, name, folders[name])
    _all_folded_anew(arena, number)


def _roll(arena: "Arena", release: Copy, chance: Random) -> None:
    for name in ROLL_ORDER:
        arena.load.until_busy(name)
        joined = arena.join(name, release.environment)
        time.sleep(chance.uniform(0.2, 1.0))
        if chance.random() < 0.3:
            arena.leave(joined)
            time.sleep(chance.uniform(0.2, 1.0))
            joined = arena.join(name, release.environment)
        arena.succeed(joined)


def _all_folded_anew(arena: "Arena", number: int) -> None:
    def older() -> int:
        return sum(arena.sql(name, OLDER, number)[0]["n"] for name in ("audit", "improvement"))

    arena.until(lambda: not older(), "every state folded anew in the background", REFOLDED_WITHIN)


# --- migrations -------------------------------------------------------------------------------------------------------


def migrate_under_load(arena: "Arena", chance: Random) -> None:
    """Expand and contract one database, while the services that know nothing of it go on."""
    name = chance.choice(SERVICES)
    number, asked = next_release(name, _revision(arena, name)), len(arena.load.ledger)
    arena.load.until_busy(name)
    held = _Locks(arena, name)
    with _again_and_again(held.look):
        for contracted in (False, True):
            with _migrations(number, contracted=contracted) as folders:
                _migrate(arena, name, folders[name])
            time.sleep(chance.uniform(0.2, 0.8))
    if len(arena.load.ledger) == asked:
        raise Missed("nobody asked anything meanwhile")
    held.were_short()
    _nobody_waited_long(arena, name, asked)


def kill_while_migrating(arena: "Arena", chance: Random) -> None:
    """Whoever migrates dies in the middle of a migration; the next one does it again, and ends it."""
    name, killed = chance.choice(SERVICES), chance.choice((False, True))
    number = next_release(name, _revision(arena, name))
    arena.load.until_busy(name)
    for contracted in (False, True):
        with _migrations(number, contracted=contracted) as folders:
            if contracted == killed:
                _migrate_and_die(arena, name, folders[name], chance.randint(1, STEPS // 2))
            _migrate(arena, name, folders[name])
    assert next_release(name, _revision(arena, name)) == number + 1


@contextmanager
def _migrations(number: int, *, contracted: bool) -> Iterator[dict[str, Path]]:
    """The folders of a release, by service."""
    with tempfile.TemporaryDirectory(prefix="closeloop-release-") as folder:
        release = Release(number, contracted=contracted)
        yield {name: release.migrations_in(Path(folder) / name, name) for name in SERVICE_PORTS}


def _migrate(arena: "Arena", name: str, folder: Path) -> None:
    """As `python -m chassis migrate` does, beside the services."""
    arena.run(migrate(arena.service(name).environment["CLOSELOOP_DATABASE_URL"], folder), PATIENCE)


def _migrate_and_die(arena: "Arena", name: str, folder: Path, hit: int) -> None:
    """`python -m chassis migrate`, killed when so many migrations are done, and the last one is not committed."""
    service = arena.service(name)
    failing = {"CLOSELOOP_ENV": "test", "CLOSELOOP_FAILPOINT": f"W10:kill9:{hit}"}
    with service.child.log.open("ab") as log:
        done = subprocess.run(
            [sys.executable, "-P", "-m", "chassis", "migrate", name],
            env={**os.environ, **service.environment, "CLOSELOOP_MIGRATIONS": str(folder), **failing},
            stdout=log,
            stderr=log,
            timeout=PATIENCE,
            check=False,
        )
    assert done.returncode == -SIGKILL, f"the migration ended with {done.returncode}, not killed at W10"


def _revision(arena: "Arena", name: str) -> str:
    return str(arena.sql(name, REVISION)[0]["version_num"])


class _Locks:
    """What a migration holds, and for how long."""

    def __init__(self, arena: "Arena", name: str) -> None:
        self._arena, self._name = arena, name
        self._since: dict[str, float] = {}
        self._longest: dict[str, float] = defaultdict(float)

    def look(self) -> None:
        held, now = {row["lock"] for row in self._arena.sql(self._name, LOCKS)}, time.monotonic()
        self._since = {lock: self._since.get(lock, now) for lock in held}
        for lock, since in self._since.items():
            self._longest[lock] = max(self._longest[lock], now - since)

    def were_short(self) -> None:
        """No lock that keeps others from writing was held for longer than others wait for one."""
        long = {lock: seconds for lock, seconds in self._longest.items() if seconds > LOCK_TIMEOUT}
        assert not long, f"the migration held for seconds: {long}"


class _Shapes:
    """The shapes of all rows, and which of them became older. Soon after, the new code folds such a row anew: only
    whoever looks while old and new stand side by side sees it."""

    def __init__(self, arena: "Arena") -> None:
        self._arena = arena
        self._newest: dict[Any, int] = {}
        self._older: set[str] = set()

    def look(self) -> None:
        for name in ("audit", "improvement"):
            for row in self._arena.sql(name, SHAPES):
                if row["shape"] < self._newest.get(row["id"], 0):
                    self._older.add(f"{name} {row['kind']} {row['id']}")
                self._newest[row["id"]] = row["shape"]

    def never_fell(self) -> None:
        """Old code leaves alone what newer code wrote."""
        assert not self._older, f"old code wrote an older shape over a newer one: {sorted(self._older)}"


@contextmanager
def _again_and_again(look: Callable[[], None]) -> Iterator[None]:
    """Look, until the block ends; what goes wrong with looking is raised there."""
    enough = Event()

    def keep_looking() -> None:
        while not enough.wait(BREATH):
            look()

    with ThreadPoolExecutor(1) as eyes:
        looking = eyes.submit(keep_looking)
        try:
            yield
        finally:
            enough.set()
        looking.result()


def _nobody_waited_long(arena: "Arena", name: str, asked: int) -> None:
    """No request was refused for longer than the services wait for a lock."""
    arena.load.pause()
    arena.load.resume()
    late = [
        str(each)
        for each in arena.load.ledger.since(asked)
        if each.service == name and _refused_for(each) > LOCK_TIMEOUT
    ]
    assert not late, f"refused for more than {LOCK_TIMEOUT:g} s during a migration: {late}"


def _refused_for(asked: Asked) -> float:
    refused = [reply.at for reply in asked.replies if not reply.is_success]
    return asked.replies[-1].at - refused[0] if refused else 0.0


KINDS = [
    Kind(
        name="rolling-restart",
        says="One service after the other is replaced by a process of the same code.",
        strike=restart_rolling,
    ),
    Kind(
        name="rolling-upgrade",
        says="Each service is replaced by one of the next release, old and new side by side; some come back.",
        strike=upgrade_rolling,
        rounds=5,
        needs=Needs(upgrades=True),
    ),
    Kind(
        name="expand-contract",
        says="A database is migrated under load: expand, then contract.",
        strike=migrate_under_load,
        rounds=5,
    ),
    Kind(name="w10-migrating", says="Whoever migrates is killed in the middle.", strike=kill_while_migrating),
]
