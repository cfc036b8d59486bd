"""A service's database is restored as it was a few seconds ago: older than what others, or it itself, have heard.

In the first case nothing is announced before an operator has decided; what others keep of what was lost is named.
"""

import json
import re
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from random import Random
from threading import Event
from typing import TYPE_CHECKING, Any

import httpx
from answers import commands_of
from desk import Desk, Unexpected
from kinds import SERVICES, Kind, Missed, Needs
from ledger import Asked, Reply
from operators import drop, parked, settings_of
from sessions import session
from work import ActionOwner

from chassis.announcements import accept_restore
from chassis.service import load
from events.bus.envelope import POSITION, stream_name
from stack.cluster import SERVICE_PORTS, database_of
from stack.postgres import plain_url
from stack.snapshots import copy_database, put_back

if TYPE_CHECKING:
    from arena import Arena

SAID_WITHIN = 15.0
SAYS = "an older database was restored"
LONG = 60.0
NAMES = re.compile(r"[0-9a-f]{8}-[0-9a-f-]{27}|SVC-[0-9]+")
"""Ids, and the services that the work is about: how one object is known to others."""

Announced = tuple[str, int]
"""(event id, position)"""

EVENTS = (
    "SELECT event_id::text AS id, position, stream::text AS stream, public_body AS body FROM events WHERE position > $1"
)
GIVEN_UP = "SELECT event_id::text AS id, position FROM lost_announcements"


@dataclass(frozen=True)
class Doom:
    """What the database held that is gone."""

    service: str
    copied_at: float
    gone_at: float
    head: int
    """Where the log of the copy ends."""
    events: Sequence[Any]

    @property
    def announced(self) -> set[Announced]:
        """What of it was to be announced."""
        return {(row["id"], row["position"]) for row in self.events if row["body"] is not None}

    @property
    def names(self) -> set[str]:
        """Ids and services that it was about."""
        return {row["stream"] for row in self.events} | _names(row["body"] or "" for row in self.events)


def older_than_the_bus(arena: "Arena", chance: Random) -> None:
    """A service has announced since; an operator decides to go on without."""
    name = chance.choice(SERVICES)
    doom = _put_back(arena, name, chance)
    gone = doom.announced & _on_the_bus(arena, name)
    if not gone:
        raise Missed(f"{name} had announced nothing since the copy")
    _is_noticed(arena, name)
    time.sleep(chance.uniform(0.5, 2))
    _nothing_is_announced(arena, doom)
    _decide(arena, name)
    given_up = {(row["id"], row["position"]) for row in arena.sql(name, GIVEN_UP)}
    assert given_up == gone, f"given up was {sorted(given_up ^ gone)} more or less than what was lost"
    _works_again(arena, name)
    _forgive(arena, doom)


def older_than_what_it_heard(arena: "Arena", chance: Random) -> None:
    """Audit has heard of actions since, and said nothing itself: it hears again, and nobody need do anything."""
    arena.load.pause()
    try:
        arena.until(arena.quiet, "quiet before the copy", 30)
        heard = _heard(arena, database_of("audit"))
        doom = _put_back(arena, "audit", chance, work=lambda: _work_actions(arena, chance), paused=True)
        assert not doom.announced, "audit was to say nothing"
        all_heard = _heard(arena, _doomed("audit"))
        if all_heard == heard:
            raise Missed("audit had heard nothing since the copy")
        arena.until(lambda: _heard(arena, database_of("audit")) >= all_heard, "all was heard again", 30)
    finally:
        arena.load.resume()


# --- the past comes back ----------------------------------------------------------------------------------------------


def _put_back(arena: "Arena", name: str, chance: Random, work: Any = None, *, paused: bool = False) -> Doom:
    """Copy, work on for seconds, put the copy in the place of the database: under a running service, or a dead one."""
    server, database = arena.postgres.url(), database_of(name)
    past, doomed = f"{database}_past", _doomed(name)
    if not paused:
        arena.load.until_busy(name)
    copied_at = time.time()
    arena.run(copy_database(server, database, past), LONG)
    (work or (lambda: time.sleep(chance.uniform(2, 4))))()
    dead = chance.random() < 0.5
    if dead:
        arena.service(name).kill()
    elif not paused:
        arena.load.pause()  # so that each answer is clearly of the one or of the other database
    arena.run(put_back(server, database, past, doomed), LONG)
    gone_at = time.time()
    head = arena.sql(name, "SELECT position FROM head")[0]["position"]
    if dead:
        arena.service(name).start()
    elif not paused:
        arena.load.resume()
    events = arena.run(_asked(arena, doomed, EVENTS, head), LONG)
    return Doom(name, copied_at, gone_at, head, events)


def _doomed(name: str) -> str:
    """Where the database lies that is gone."""
    return f"{database_of(name)}_doomed"


def _work_actions(arena: "Arena", chance: Random) -> None:
    owner, until = ActionOwner(Alone(arena.load, Event())), time.monotonic() + chance.uniform(2, 4)
    while time.monotonic() < until:
        with suppress(Unexpected):
            owner()


class Alone(Desk):
    """Works while the load is paused."""

    def _definite(self, asked: Asked) -> Reply:
        with self._load.open(asked):
            give_up_at = time.monotonic() + LONG
            while not (reply := self._load.send(self._http, asked)).is_definite:
                self._wait(give_up_at, str(asked))
            return reply


def _heard(arena: "Arena", database: str) -> int:
    return int(arena.run(_asked(arena, database, "SELECT coalesce(sum(version), 0) AS n FROM inbox"), LONG)[0]["n"])


# --- it is noticed, and nothing is said -------------------------------------------------------------------------------


def _is_noticed(arena: "Arena", name: str) -> None:
    """In words and in figures."""
    url = arena.service(name).url

    def said() -> bool:
        with suppress(httpx.HTTPError, ValueError):
            words = httpx.get(f"{url}/readyz", timeout=4, trust_env=False).json().get("degraded", [])
            figures = httpx.get(f"{url}/metrics", timeout=4, trust_env=False).text
            return any(SAYS in each for each in words) and "closeloop_relay_halted 1.0" in figures
        return False

    arena.until(said, f"{name} says that {SAYS}", SAID_WITHIN)


def _nothing_is_announced(arena: "Arena", doom: Doom) -> None:
    rows = arena.sql(doom.service, EVENTS, doom.head)
    since = {(row["id"], row["position"]) for row in rows} - doom.announced
    told = since & _on_the_bus(arena, doom.service)
    assert not told, f"{doom.service} announced {sorted(told)} before the decision"


def _on_the_bus(arena: "Arena", name: str) -> set[Announced]:
    async def read(js: Any) -> set[Announced]:
        state = (await js.stream_info(stream_name(name))).state
        found = [await js.get_msg(stream_name(name), seq=n) for n in range(state.first_seq, state.last_seq + 1)]
        return {(m.headers["ce-id"], int(m.headers[POSITION])) for m in found if m.headers and POSITION in m.headers}

    return arena.bus(read)


# --- the decision, and what it gives up -------------------------------------------------------------------------------


def _decide(arena: "Arena", name: str) -> None:
    """As an operator does by `closeloop accept-restore`: look first, then decide."""
    for decided in (False, True):
        said: list[str] = []
        work = accept_restore(load(name), settings_of(arena, name), decided=decided, say=said.append)
        assert arena.run(work, LONG) is decided, f"at the desk, with decided={decided}: {said}"


def _works_again(arena: "Arena", name: str) -> None:
    """Whatever is asked of it from now on is done, and told."""
    decided_at, before = time.time(), len(arena.load.ledger)

    def done() -> bool:
        asked = arena.load.ledger.acknowledged(before)
        return any(each.service == name and each.at > decided_at for each in asked)

    arena.until(done, f"{name} does again what is asked of it", SAID_WITHIN)


def _forgive(arena: "Arena", doom: Doom) -> None:
    """Name what is gone, and what others still have of it; nothing but that."""
    arena.load.pause()
    try:
        recorded = {row["id"] for row in arena.sql(doom.service, "SELECT id FROM commands")}
        for asked in arena.load.ledger.acknowledged():
            in_between = doom.copied_at <= (asked.answer.at if asked.answer else 0) <= doom.gone_at
            if asked.service == doom.service and in_between and not recorded.issuperset(commands_of(asked)):
                arena.forgiven.keys.add(asked.key)
        arena.forgiven.streams |= doom.names | _that_refer_to(arena, doom.names)
        _settle_dead_letters(arena)
        arena.load.complaints[:] = [each for each in arena.load.complaints if not _about(each, doom)]
    finally:
        arena.load.resume()


def _that_refer_to(arena: "Arena", names: set[str]) -> set[str]:
    """Corrective actions with such a source, and their other sources: what is known of one is known of all."""
    found: set[str] = set()
    for row in arena.sql("improvement", "SELECT id::text AS id, state FROM states WHERE kind = 'corrective-action'"):
        state = json.loads(row["state"])
        sources = {each["source"]["id"] for each in (*state["entries"], *state["former"])}
        if names & {row["id"], *sources}:
            found |= {row["id"], *sources}
    return found


def _settle_dead_letters(arena: "Arena") -> None:
    """News of what is gone, or that contradict it, are parked and so said; an operator drops them."""
    give_up_at = time.monotonic() + LONG
    while not arena.quiet():
        if time.monotonic() > give_up_at:
            raise TimeoutError(f"it never came to rest: {arena.unrest()}")
        for name in SERVICE_PORTS:
            for letter in parked(arena, name):
                about = _names([letter["headers"], bytes(letter["body"]).decode()])
                expected = "a bug" not in letter["reason"] and about & arena.forgiven.streams
                assert expected, f"{name} parked something else: {letter['reason']}"
                arena.forgiven.streams |= about
                drop(arena, name, letter["id"])
        time.sleep(0.2)


def _about(complaint: str, doom: Doom) -> bool:
    """Whether somebody complains that what is gone is not there."""
    return complaint.startswith(f"POST {doom.service} ") and bool(_names([complaint]) & doom.names)


def _names(texts: Iterable[str]) -> set[str]:
    return {name for text in texts for name in NAMES.findall(text)}


async def _asked(arena: "Arena", database: str, query: str, *values: Any) -> list[Any]:
    async with session(plain_url(arena.postgres.url(database)), read_only=True) as ours:
        return list(await ours.fetch(query, *values))


KINDS = [
    Kind(
        name="database-restored-older",
        says="A service's database is restored as it was seconds ago; an operator decides to go on.",
        strike=older_than_the_bus,
        rounds=5,
        needs=Needs(fresh=True),
        forgives=True,
    ),
    Kind(
        name="restored-older-than-consumers",
        says="A service's database is restored as it was before it heard the latest news.",
        strike=older_than_what_it_heard,
        rounds=5,
    ),
]
