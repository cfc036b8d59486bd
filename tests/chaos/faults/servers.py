"""PostgreSQL and NATS are killed, restarted and robbed, and single sessions are ended or blocked."""

import asyncio
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from random import Random
from signal import SIGHUP, SIGINT, SIGQUIT, SIGTERM, Signals
from typing import TYPE_CHECKING

from hits import announced, under_announcements
from kinds import SERVICES, Kind, Missed
from nats.js import JetStreamContext
from sessions import session

from events.bus.envelope import stream_name
from stack.nats import Nats

if TYPE_CHECKING:
    from arena import Arena

TABLES = ("events", "states", "commands", "claims", "inbox", "waiting", "leases", "relay", "listeners")
LOCKS = [
    *["SELECT position FROM head FOR UPDATE"] * len(TABLES),
    *[f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE" for table in TABLES],
]
"""Half of them is what every append needs."""
THOUSAND = 1000
NOBODY_ENTERS = '\nauthorization { user: "somebody", password: "else" }\n'
SESSIONS = "SELECT pid, state = 'active' AS active FROM pg_stat_activity WHERE application_name LIKE 'closeloop %'"
BLOCKED = "SELECT count(*) AS n FROM pg_stat_activity WHERE wait_event_type = 'Lock'"


# --- PostgreSQL -------------------------------------------------------------------------------------------------------


def kill_postgres(arena: "Arena", chance: Random) -> None:
    """Only the postmaster: its sessions notice, and may still finish what they are at."""
    postgres, away = arena.postgres, chance.uniform(0.0, 2.0)
    time.sleep(chance.uniform(0.0, 0.3))
    arena.load.until_busy()
    postgres.kill()
    try:
        time.sleep(away)
    finally:
        postgres.start()


def stop_postgres(how: Signals, arena: "Arena", chance: Random) -> None:
    """SIGINT: sessions are ended, all is written. SIGQUIT: everybody leaves at once, recovery follows."""
    postgres, away = arena.postgres, chance.uniform(0.0, 2.0)
    time.sleep(chance.uniform(0.0, 0.3))
    arena.load.until_busy()
    postgres.child.signal(how)
    try:
        arena.until(lambda: not postgres.child.running, f"PostgreSQL gone after {how.name}", 20.0)
        time.sleep(away)
    finally:
        postgres.start()


def harass_sessions(function: str, arena: "Arena", chance: Random) -> None:
    """For a while, now and then one session of a service is ended, or its statement cancelled."""
    struck = arena.run(_harassed(arena.database_url(""), function, chance), seconds=30.0)
    if not struck:
        raise Missed("no session was at work")


async def _harassed(url: str, function: str, chance: Random) -> int:
    """How many were struck while they were at work."""
    struck, until = 0, time.monotonic() + chance.uniform(1.0, 3.0)
    async with session(url) as ours:
        while time.monotonic() < until:
            sessions = await ours.fetch(SESSIONS)
            active = [each["pid"] for each in sessions if each["active"]]
            idle = [each["pid"] for each in sessions] if function == "pg_terminate_backend" else []
            if victims := active or (idle if chance.random() < 0.05 else []):
                await ours.execute(f"SELECT {function}($1)", chance.choice(victims))
                struck += bool(active)
            await asyncio.sleep(chance.uniform(0.002, 0.05))
    return struck


def hold_a_lock(arena: "Arena", chance: Random) -> None:
    """Somebody's session holds the head row, or a whole table, for longer than a statement may wait."""
    service, seconds = chance.choice(SERVICES), chance.uniform(1.0, 5.0)
    lock = chance.choice(LOCKS)
    if not arena.run(_held(arena.database_url(service), lock, seconds), seconds=30.0):
        raise Missed(f"{lock} was in nobody's way in {service}")


async def _held(url: str, lock: str, seconds: float) -> int:
    """How many sessions waited for it at once."""
    most, until = 0, time.monotonic() + seconds
    async with session(url) as ours, ours.transaction():
        await ours.execute(lock)
        while time.monotonic() < until:
            await ours.execute("SELECT pg_stat_clear_snapshot()")
            most = max(most, await ours.fetchval(BLOCKED))
            await asyncio.sleep(0.05)
    return most


# --- NATS -------------------------------------------------------------------------------------------------------------


def kill_nats(arena: "Arena", chance: Random) -> None:
    nats = arena.nats
    with _away(nats, chance), under_announcements(arena):
        nats.kill()


def restart_nats(arena: "Arena", chance: Random) -> None:
    nats = arena.nats
    with _away(nats, chance), under_announcements(arena):
        nats.child.signal(SIGTERM)
        arena.until(lambda: not nats.child.running, "NATS gone", 20.0)


def empty_nats(arena: "Arena", chance: Random) -> None:
    """The broker is disposable: what it held may go, all of it."""
    nats = arena.nats
    with _away(nats, chance), under_announcements(arena):
        nats.kill()
        shutil.rmtree(nats.folder / "jetstream")


@contextmanager
def _away(nats: Nats, chance: Random) -> Iterator[None]:
    time.sleep(chance.uniform(0.0, 0.3))
    try:
        yield
        time.sleep(chance.uniform(0.1, 2.0))
    finally:
        nats.start()


def delete_a_stream(arena: "Arena", chance: Random) -> None:
    source = chance.choice(SERVICES)
    with under_announcements(arena, source):
        arena.bus(lambda js: js.delete_stream(stream_name(source)))
        time.sleep(chance.uniform(0.0, 2.0))


def delete_a_durable(arena: "Arena", chance: Random) -> None:
    """Also durables of a service's own announcements: that is how one aggregate moves another."""
    source, durable = chance.choice(arena.bus(_durables))
    with under_announcements(arena, source):
        arena.bus(lambda js: js.delete_consumer(stream_name(source), durable))
        time.sleep(chance.uniform(0.0, 2.0))


async def _durables(js: JetStreamContext) -> list[tuple[str, str]]:
    found = {source: await js.consumers_info(stream_name(source)) for source in SERVICES}
    return sorted((source, durable.name) for source, durables in found.items() for durable in durables)


def send_all_away(arena: "Arena", chance: Random) -> None:
    """NATS is told that nobody may enter: it sends everybody away, and refuses whoever comes back."""
    nats = arena.nats
    settings = nats.folder / "nats.conf"
    usual = settings.read_text()
    try:
        with under_announcements(arena):
            _reload(nats, settings, usual + NOBODY_ENTERS)
        time.sleep(chance.uniform(0.0, 3.0))
    finally:
        _reload(nats, settings, usual)


def _reload(nats: Nats, settings: Path, text: str) -> None:
    settings.write_text(text)
    nats.child.signal(SIGHUP)


# --- a thousand wait --------------------------------------------------------------------------------------------------


def leave_untold(arena: "Arena", chance: Random) -> None:
    """NATS stays away until a thousand announcements wait; how long they take is the time until quiet."""
    nats = arena.nats
    nats.kill()
    try:
        _until_more(arena, THOUSAND)
    finally:
        nats.start()


def leave_unheard(arena: "Arena", chance: Random) -> None:
    """The service that hears most is deaf, but answers, until a thousand announcements wait for it."""
    improvement = arena.service("improvement")
    improvement.stop()
    improvement.environment["CLOSELOOP_CONSUME"] = "off"
    try:
        improvement.start()
        _until_more(arena, THOUSAND)
    finally:
        del improvement.environment["CLOSELOOP_CONSUME"]
        improvement.kill()
        improvement.child.start()


def _until_more(arena: "Arena", announcements: int) -> None:
    enough = announced(arena) + announcements
    with arena.load.in_haste():
        arena.until(lambda: announced(arena) >= enough, f"{announcements} more announcements", 300.0)


KINDS = [
    Kind(
        name="postgres-killed",
        says="PostgreSQL is killed; it is started again up to 2 s later.",
        strike=kill_postgres,
    ),
    Kind(
        name="postgres-restarted",
        says="PostgreSQL is stopped fast and started again.",
        strike=partial(stop_postgres, SIGINT),
    ),
    Kind(
        name="postgres-aborted",
        says="PostgreSQL is stopped immediately, and recovers.",
        strike=partial(stop_postgres, SIGQUIT),
    ),
    Kind(
        name="sessions-terminated",
        says="Single sessions of services are terminated for 1 to 3 s.",
        strike=partial(harass_sessions, "pg_terminate_backend"),
    ),
    Kind(
        name="statements-cancelled",
        says="Single statements of services are cancelled for 1 to 3 s.",
        strike=partial(harass_sessions, "pg_cancel_backend"),
    ),
    Kind(
        name="rows-locked",
        says="A session holds the rows of a table, or all of it, for 1 to 5 s.",
        strike=hold_a_lock,
    ),
    Kind(name="nats-killed", says="NATS is killed; it is started again up to 2 s later.", strike=kill_nats),
    Kind(name="nats-restarted", says="NATS is stopped and started again.", strike=restart_nats),
    Kind(name="nats-emptied", says="NATS is killed, and all that it held is gone.", strike=empty_nats, rounds=5),
    Kind(name="stream-deleted", says="A service's JetStream stream is deleted.", strike=delete_a_stream, rounds=5),
    Kind(name="durable-deleted", says="A consumer's durable is deleted.", strike=delete_a_durable, rounds=5),
    Kind(
        name="nats-sends-away", says="NATS sends everybody away and refuses them for up to 3 s.", strike=send_all_away
    ),
    Kind(
        name="thousand-untold",
        says="NATS is away until 1,000 announcements wait for it.",
        strike=leave_untold,
        rounds=2,
        short=0,
    ),
    Kind(
        name="thousand-unheard",
        says="The improvement service hears nothing until 1,000 announcements wait for it.",
        strike=leave_unheard,
        rounds=2,
        short=0,
    ),
]
