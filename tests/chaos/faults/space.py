"""A disk is full for seconds: writes are refused meanwhile, reads go on, and afterwards nobody has to do anything.

What ends on a full disk, or cannot mend itself after one, is started again by the Supervisor of `./closeloop up`.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from random import Random
from typing import TYPE_CHECKING

import asyncpg
import httpx
from disks import EVERYTHING
from hits import under_announcements
from kinds import Kind, Missed, Needs
from ledger import BROKEN

if TYPE_CHECKING:
    from arena import Arena

NAMED_WITHIN = 15.0
READS = {
    "audit": ("p-weiss", "findings"),
    "sla": ("p-ruiz", "services"),
    "risk": ("p-vogt", "risks"),
    "improvement": ("p-keller", "corrective-actions"),
}
REFUSED = 503
NEXT_LOG_FILE = "SELECT pg_logical_emit_message(true, 'chaos', 'something'), pg_switch_wal()"


def fill_postgres(arena: "Arena", chance: Random, disks: Sequence[str] = ("postgres",)) -> None:
    """Its tables cannot grow; its log has room in the files that it keeps for use again."""
    arena.execute("", "CHECKPOINT")
    with _full(arena, disks, chance) as began:
        _reads_live(arena)
        try:
            _is_named(arena)
        except TimeoutError:
            if _answers(arena, began)[REFUSED]:
                raise
            # Tables grow by many pages at once: as long as those last, nothing is wrong.
            raise Missed("there still was room for what was written") from None
    if not _answers(arena, began)[REFUSED]:
        raise Missed("nobody wanted to write")


def fill_log_of_postgres(arena: "Arena", chance: Random) -> None:
    """Without room for its log PostgreSQL ends, and cannot begin until there is some."""
    with _full(arena, ["postgres"], chance) as began:
        arena.until(lambda: _ended_by_next_log_file(arena), "PostgreSQL ends", NAMED_WITHIN)
    if not _answers(arena, began)[REFUSED]:
        raise Missed("nobody wanted to write")


def _ended_by_next_log_file(arena: "Arena") -> bool:
    arena.disks["postgres"].fill()
    try:
        arena.execute("", NEXT_LOG_FILE)
    except (asyncpg.PostgresError, OSError):
        return True
    return False


def fill_nats(arena: "Arena", chance: Random) -> None:
    """Facts need no broker: they are recorded all the same, and told later."""
    with under_announcements(arena), _full(arena, ["nats"], chance) as began:
        _reads_live(arena)
        _is_named(arena)
    _nobody_was_refused(arena, began)


def fill_logs(arena: "Arena", chance: Random) -> None:
    """What cannot be written about can be done all the same."""
    with under_announcements(arena), _full(arena, ["logs"], chance) as began:
        _reads_live(arena)
    _nobody_was_refused(arena, began)


@contextmanager
def _full(arena: "Arena", disks: Sequence[str], chance: Random) -> Iterator[float]:
    """Since when; for as long as what is done inside, and for some seconds more."""
    time.sleep(chance.uniform(0.0, 0.5))
    arena.load.until_busy()
    began = time.time()
    try:
        for disk in disks:
            arena.disks[disk].fill()
        yield began
        time.sleep(chance.uniform(2.0, 5.0))
    finally:
        for disk in disks:
            arena.disks[disk].free()


def _reads_live(arena: "Arena") -> None:
    with httpx.Client(timeout=5, trust_env=False) as http:
        for service, (person, path) in READS.items():
            assert arena.load.look(http, service, person, path), f"{service}: nothing can be read while a disk is full"


def _is_named(arena: "Arena") -> None:
    arena.until(arena.degraded, "somebody says what is wrong while a disk is full", NAMED_WITHIN)


def _nobody_was_refused(arena: "Arena", began: float) -> None:
    answers = _answers(arena, began)
    assert not answers[REFUSED] + answers[BROKEN], f"answers while the disk was full: {dict(answers)}"


def _answers(arena: "Arena", began: float) -> Counter[int]:
    """How often which status, since then."""
    replies = [reply for asked in arena.load.ledger.since() for reply in asked.replies if reply.at >= began]
    return Counter(reply.status for reply in replies)


NEEDS = Needs(durable=True, disks=True, supervised=True)


def _kind(name: str, says: str, strike: Callable[["Arena", Random], None]) -> Kind:
    return Kind(name=name, says=says, strike=strike, rounds=5, short=0, needs=NEEDS)


KINDS = [
    _kind("disk-full-postgres", "PostgreSQL's disk is full for seconds: its tables cannot grow.", fill_postgres),
    _kind(
        "disk-full-wal", "PostgreSQL's disk is so full that it cannot write its log, and ends.", fill_log_of_postgres
    ),
    _kind("disk-full-nats", "The disk of NATS is full for seconds.", fill_nats),
    _kind("disk-full-logs", "The disk with the logs is full for seconds.", fill_logs),
    _kind(
        "disk-full-all",
        "The one disk that everything is on is full for seconds.",
        partial(fill_postgres, disks=EVERYTHING),
    ),
]
