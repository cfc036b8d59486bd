"""The power goes: of the whole machine, or of that of PostgreSQL or of NATS alone; what was acknowledged must be there.

Before it counts, the servers are asked whether they flush at all. With `Needs(durable=False)` they do not, on purpose:
then the run must find acknowledged work missing, or it could not have seen the loss in any other run either.
"""

import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from random import Random
from shutil import rmtree
from signal import SIGCONT, SIGSTOP
from typing import TYPE_CHECKING

from disks import Disk, power_cut
from hits import under_announcements
from kinds import Kind, Needs
from nats.js import JetStreamContext

from events.bus.envelope import POSITION, stream_name
from stack.cluster import SERVICE_PORTS, Service
from stack.nats import Nats
from stack.postgres import Postgres

if TYPE_CHECKING:
    from arena import Arena

Runs = Postgres | Nats | Service
FLUSHED = {"fsync": "on", "synchronous_commit": "on", "full_page_writes": "on"}
ACKNOWLEDGED = """
    SELECT coalesce(max(position), 0) AS position FROM events
    WHERE public_body IS NOT NULL AND position <= (SELECT position FROM relay)
"""
A_WINDOW = 64
"""So many messages from the last one back are looked at: those that were sent again lie out of order."""
TOLD_MEANWHILE = 30


def cut_everything(arena: "Arena", chance: Random) -> None:
    """Servers and services are one machine."""
    _under_load(arena, chance)
    _lose_power(arena.disks.values(), [*arena.services(), arena.nats, arena.postgres], chance)
    if not arena.needs.durable:
        # What the bus still holds would give the loss away, and the services would stop: here the checker must find it.
        rmtree(arena.nats.folder / "jetstream")
    arena.postgres.start()
    arena.nats.start()
    for service in arena.services():
        service.child.start()


def cut_postgres(arena: "Arena", chance: Random) -> None:
    """The services, on machines of their own, go on and wait."""
    _under_load(arena, chance)
    _lose_power([arena.disks["postgres"]], [arena.postgres], chance)
    arena.postgres.start()


def cut_nats(arena: "Arena", chance: Random) -> None:
    """Until the bus was looked at, the services are held still: they would tell it again what it had forgotten."""
    _under_load(arena, chance)
    with under_announcements(arena):
        _lose_power([arena.disks["nats"]], [arena.nats], chance)
        with _still(arena):
            arena.nats.start()
            if arena.needs.durable:
                bus_forgot_nothing(arena)


def _under_load(arena: "Arena", chance: Random) -> None:
    if arena.needs.durable:
        servers_flush(arena)
    else:
        for disk in arena.disks.values():
            disk.sync()  # as by itself after half a minute: what is lost is what was told since
        told = _told(arena)
        arena.until(lambda: _told(arena) > told + TOLD_MEANWHILE, "work", 20)
    time.sleep(chance.uniform(0.0, 1.0))
    arena.load.until_busy()


def _told(arena: "Arena") -> int:
    return sum(1 for _ in arena.load.ledger.acknowledged())


def _lose_power(disks: Iterable[Disk], struck: Sequence[Runs], chance: Random) -> None:
    """What was struck is gone, and its disks are there again with what was safe."""
    disks = list(disks)
    try:
        power_cut(disks, [each.child.pid for each in struck])
        time.sleep(chance.uniform(0.0, 1.0))
    finally:
        for each in struck:
            each.stop()  # it has ended already; PostgreSQL's folder is let go
        for disk in disks:
            disk.remount()


# --- what must hold on the servers themselves -------------------------------------------------------------------------


def servers_flush(arena: "Arena") -> None:
    """A run on servers that do not flush proves nothing."""
    for setting, wanted in FLUSHED.items():
        found = arena.sql("", f"SHOW {setting}")[0][setting]
        assert found == wanted, f"PostgreSQL runs with {setting} = {found}"
    assert "sync_interval: always\n" in (arena.nats.folder / "nats.conf").read_text()


def bus_forgot_nothing(arena: "Arena") -> None:
    """Up to its checkpoint a relay was told that all is on disk."""
    for service in SERVICE_PORTS:
        acknowledged = arena.sql(service, ACKNOWLEDGED)[0]["position"]
        held = arena.bus(partial(_last_position, stream=stream_name(service)))
        assert held >= acknowledged, f"NATS acknowledged position {acknowledged} of {service}, and holds {held}"


async def _last_position(js: JetStreamContext, stream: str) -> int:
    last = (await js.stream_info(stream)).state.last_seq
    messages = [await js.get_msg(stream, seq) for seq in range(max(1, last - A_WINDOW), last + 1)]
    return max((int((each.headers or {})[POSITION]) for each in messages), default=0)


@contextmanager
def _still(arena: "Arena") -> Iterator[None]:
    """The services are stopped, as they stand, for the moment."""
    services = [each.child for each in arena.services()]
    for child in services:
        child.signal(SIGSTOP)
    try:
        yield
    finally:
        for child in services:
            child.signal(SIGCONT)


NEEDS = Needs(durable=True, disks=True)
KINDS = [
    Kind(
        name="power-cut",
        says="The power of servers and services goes at once; disks keep what was flushed.",
        strike=cut_everything,
        rounds=5,
        needs=NEEDS,
    ),
    Kind(
        name="power-cut-postgres",
        says="The power of PostgreSQL's machine goes.",
        strike=cut_postgres,
        rounds=5,
        short=0,
        needs=NEEDS,
    ),
    Kind(
        name="power-cut-nats",
        says="The power of NATS's machine goes; what it acknowledged must be on it.",
        strike=cut_nats,
        rounds=5,
        short=0,
        needs=NEEDS,
    ),
]
