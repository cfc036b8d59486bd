"""Processes: killed at each window of the core's work and blindly, frozen for seconds, sent away politely.

Whoever was killed is started, and not waited for: until it is ready is what the round measures.
"""

import os
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from functools import partial
from random import Random
from signal import SIGCONT, SIGKILL, SIGSTOP, SIGTERM

import httpx
from arena import Arena
from faults.messages import shuffling
from hits import under_announcements
from kinds import SERVICES, Kind, Missed
from reactions import sources_of

from stack.cluster import Service

HEAR_LONG_STREAMS = tuple(name for name in SERVICES if "improvement" in sources_of(name))
"""Those to whom an object says so much that it can come in another order."""
PATIENCE, PATIENCE_WITH_ITS_START = 8.0, 60.0
"""Seconds for a window to be passed."""

UNTOLD = """
    SELECT count(*) AS n FROM events
    WHERE public_body IS NOT NULL AND position > coalesce((SELECT position FROM relay), 0)
"""

MAKE_OLD = "UPDATE states SET shape = 0"
"""As if an early release had left them behind."""
OLD = "SELECT count(*) AS n FROM states WHERE shape = 0"
REFOLDED_WITHIN = 30.0

WINDOWS = {
    "W1": ("before-append", 5, "killed when a batch is decided, but not yet sent to the database"),
    "W2": ("appended", 5, "killed when a batch is on disk, but nobody has been answered"),
    "W3": ("relay-read", 3, "killed when the relay has read what is to be told"),
    "W4": ("published", 3, "killed when announcements are sent, and none is acknowledged"),
    "W5": ("puback", 3, "killed when announcements are acknowledged, and the checkpoint has not moved"),
    "W6": ("received", 3, "killed when messages were received, and nothing is done"),
    "W7a": ("reacted", 3, "killed when reactions are on disk, and the inbox has not moved"),
    "W7b": ("inbox-moved", 3, "killed when the inbox has moved, and the messages are not acknowledged"),
    "W8": ("acknowledged", 3, "killed when the acknowledgement was sent"),
    "W9-lease": ("write", 3, "killed when a lease is being written"),
    "W9-waiting": ("write", 2, "killed when a message that came before its turn is being written"),
    "W9-refold": ("write", 2, "killed when states of an older shape were folded anew and are being written"),
}
"""By window: a name, the most passings to wait for, and the sentence."""


# --- killed -----------------------------------------------------------------------------------------------------------


def kill_at_window(window: str, arena: Arena, chance: Random) -> None:
    """A service is started anew so that it kills itself there, at a passing of its own choice."""
    victims = HEAR_LONG_STREAMS if window == "W9-waiting" else SERVICES
    service = arena.next_of(victims, window, chance)
    hit = chance.randint(1, WINDOWS[window][1])
    service.kill()
    with _armed(service, f"{window}:kill9:{hit}"), _work_for(window, arena, service.name, chance):
        service.child.start()
        died = _dies(service)
        working = died and _at_work(arena, service.name, window)
        if not died:
            service.kill()
    service.child.start()
    if window == "W9-refold":
        arena.until(lambda: not arena.sql(service.name, OLD)[0]["n"], "every state folded anew", REFOLDED_WITHIN)
    if not working:
        raise Missed(f"{service.name} did not pass {window} {hit} times at work")


def _work_for(window: str, arena: Arena, service: str, chance: Random) -> AbstractContextManager[object]:
    """Most windows are passed by whatever is asked of a service; some only where there is cause."""
    if window == "W9-waiting":
        return shuffling(arena, service, chance)
    if window == "W9-refold":
        arena.execute(service, MAKE_OLD)
    return nullcontext()


@contextmanager
def _armed(service: Service, failpoint: str) -> Iterator[None]:
    armed = {"CLOSELOOP_ENV": "test", "CLOSELOOP_FAILPOINT": failpoint}
    service.environment.update(armed)
    try:
        yield
    finally:
        for name in armed:
            del service.environment[name]


def _dies(service: Service) -> bool:
    """Whether it ends by itself, of SIGKILL, before it has served for long."""
    give_up_at, serves = time.monotonic() + PATIENCE_WITH_ITS_START, False
    while service.child.running and time.monotonic() < give_up_at:
        if not serves and (serves := _serves(service)):
            give_up_at = time.monotonic() + PATIENCE
        time.sleep(0.02)
    return service.child.exit_code == -SIGKILL


def _serves(service: Service) -> bool:
    with suppress(httpx.TransportError):
        return httpx.get(f"{service.url}/livez", timeout=2, trust_env=False).is_success
    return False


def _at_work(arena: Arena, service: str, window: str) -> bool:
    """The lease is written also when there is nothing to do; all other windows are passed by work alone."""
    return window != "W9-lease" or bool(arena.load.unanswered(service) or arena.sql(service, UNTOLD)[0]["n"])


def kill_blindly(arena: Arena, chance: Random) -> None:
    """One service, at whatever it is doing."""
    service = arena.next_of(SERVICES, "killed", chance)
    time.sleep(chance.uniform(0, 0.5))
    arena.load.until_busy(service.name)
    service.kill()
    time.sleep(chance.uniform(0, 1))
    working = arena.load.unanswered(service.name)
    service.child.start()
    if not working:
        raise Missed(f"nobody had asked anything of {service.name}")


def kill_again_and_again(arena: Arena, chance: Random) -> None:
    """One service, and twice more while it comes up."""
    service = arena.next_of(SERVICES, "killed again", chance)
    arena.load.until_busy(service.name)
    service.kill()
    for _ in range(2):
        service.child.start()
        time.sleep(chance.uniform(0.5, 2))
        service.kill()
    service.child.start()


def kill_all(arena: Arena, chance: Random) -> None:
    """All services at once, in any order."""
    arena.load.until_busy()
    victims = [arena.service(name) for name in chance.sample(SERVICES, len(SERVICES))]
    for service in victims:
        service.kill()
    working = arena.load.unanswered()
    for service in victims:
        service.child.start()
    if not working:
        raise Missed("nobody had asked anything")


def kill_two(arena: Arena, chance: Random) -> None:
    """Two of services and servers at once; they are started side by side."""
    assert arena.stack.postgres
    assert arena.stack.nats
    arena.load.until_busy()
    victims = chance.sample([*arena.stack.services.values(), arena.stack.postgres, arena.stack.nats], 2)
    for victim in victims:
        victim.kill()
    working = arena.load.unanswered()
    for victim in victims:
        victim.child.start()
    if not working:
        raise Missed("nobody had asked anything")


def terminate(arena: Arena, chance: Random) -> None:
    """One service is told to stop, and must end well and soon."""
    service = arena.next_of(SERVICES, "terminated", chance)
    time.sleep(chance.uniform(0, 0.5))
    arena.load.until_busy(service.name)
    service.child.signal(SIGTERM)
    arena.until(lambda: not service.child.running, f"the end of {service.name}", 25)
    code = service.child.exit_code
    service.child.start()
    assert code == 0, f"{service.name} ended with {code} when told to stop"


# --- frozen -----------------------------------------------------------------------------------------------------------


def freeze_services(arena: Arena, chance: Random) -> None:
    """One or two services."""
    victims = [arena.service(name) for name in chance.sample(SERVICES, chance.randint(1, 2))]
    arena.load.until_busy(victims[0].name)
    _freeze(arena, [service.child.pid for service in victims], chance)


def freeze_postgres(arena: Arena, chance: Random) -> None:
    """The server with all its backends."""
    arena.load.until_busy()
    server = arena.postgres.child.pid
    _freeze(arena, [server, *_children_of(server)], chance)


def freeze_backends(arena: Arena, chance: Random) -> None:
    """Some of those backends through which services append: they may hold the lock that all others wait for."""
    query = "SELECT pid FROM pg_stat_activity WHERE application_name = 'closeloop appends' ORDER BY pid"
    backends = [row["pid"] for row in arena.sql("", query)]
    if not backends:
        raise Missed("no backend serves appends")
    arena.load.until_busy()
    _freeze(arena, chance.sample(backends, chance.randint(1, len(backends))), chance)


def freeze_nats(arena: Arena, chance: Random) -> None:
    """The broker."""
    with under_announcements(arena):
        _freeze(arena, [arena.nats.child.pid], chance)


def _freeze(arena: Arena, pids: list[int], chance: Random) -> None:
    """For two to five seconds; somebody must have been at work in them."""
    for pid in pids:
        os.kill(pid, SIGSTOP)
    try:
        seen = 0
        until = time.monotonic() + chance.uniform(2, 5)
        while time.monotonic() < until:
            seen = max(seen, arena.load.unanswered())
            time.sleep(0.05)
    finally:
        for pid in pids:
            os.kill(pid, SIGCONT)
    if not seen:
        raise Missed("nobody had asked anything")


def _children_of(process: int) -> list[int]:
    """Asked of `ps`: servers are frozen on any system, while disks (`disks.py`) are Linux's."""
    listed = subprocess.run(["ps", "-A", "-o", "pid=,ppid="], capture_output=True, text=True, check=True)
    rows = (line.split() for line in listed.stdout.splitlines())
    return [int(pid) for pid, parent in rows if int(parent) == process]


# --- the kinds --------------------------------------------------------------------------------------------------------


def _windows() -> Iterator[Kind]:
    for window, (name, _, says) in WINDOWS.items():
        strike: Callable[[Arena, Random], None] = partial(kill_at_window, window)
        yield Kind(name=f"{window.lower()}-{name}", says=f"A service is {says}.", strike=strike)


KINDS = [
    *_windows(),
    Kind(name="killed", says="A service is killed blindly.", strike=kill_blindly),
    Kind(name="killed-again", says="A service is killed, and twice more while it starts.", strike=kill_again_and_again),
    Kind(name="all-killed", says="All services are killed at once.", strike=kill_all),
    Kind(name="two-killed", says="Two of services, PostgreSQL and NATS are killed at once.", strike=kill_two),
    Kind(name="terminated", says="A service is told to stop, under load.", strike=terminate),
    Kind(name="frozen", says="One or two services stand still for 2 to 5 s.", strike=freeze_services),
    Kind(name="postgres-frozen", says="PostgreSQL stands still for 2 to 5 s.", strike=freeze_postgres),
    Kind(name="backends-frozen", says="Backends that append stand still for 2 to 5 s.", strike=freeze_backends),
    Kind(name="nats-frozen", says="NATS stands still for 2 to 5 s.", strike=freeze_nats),
]
