"""Connections to PostgreSQL and to NATS are cut, refused, half-open, held up, slow, or break off in the middle."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from random import Random
from typing import TYPE_CHECKING

from hits import under_announcements
from kinds import Kind, Missed, Needs
from weather import BOTH, Way

if TYPE_CHECKING:
    from arena import Arena
    from proxy import Proxy

THROUGH_PROXIES = Needs(proxies=True)
SERVERS = {"postgres": "PostgreSQL", "nats": "NATS"}
REQUESTS, ANSWERS = frozenset({Way.REQUESTS}), frozenset({Way.ANSWERS})
Trouble = Callable[["Proxy", Random], None]


def strike(server: str, trouble: Trouble, arena: "Arena", chance: Random) -> None:
    """Make trouble on the way to that server while it is in use, and heal it."""
    proxy = arena.proxies[server]
    with _healed(proxy):
        if server == "nats":
            with under_announcements(arena):
                trouble(proxy, chance)
        else:
            arena.load.until_busy()
            trouble(proxy, chance)


@contextmanager
def _healed(proxy: "Proxy") -> Iterator[None]:
    try:
        yield
    finally:
        proxy.heal()


def cut(proxy: "Proxy", chance: Random) -> None:
    """Once, or several times shortly after each other."""
    before = proxy.cuts
    for _ in range(chance.randint(1, 4)):
        proxy.cut()
        time.sleep(chance.uniform(0.1, 0.8))
    _must(proxy.cuts - before, "no connection to cut")


def refuse(proxy: "Proxy", chance: Random) -> None:
    _must(proxy.cut(refuse=True), "no connection to cut")
    time.sleep(chance.uniform(0.5, 5.0))


def half_open(proxy: "Proxy", chance: Random) -> None:
    _swallow(proxy, BOTH, chance)


def one_way(proxy: "Proxy", chance: Random) -> None:
    """Answers are lost while requests arrive and are carried out, or the other way round."""
    _swallow(proxy, chance.choice([ANSWERS, ANSWERS, REQUESTS]), chance)


def _swallow(proxy: "Proxy", ways: frozenset[Way], chance: Random) -> None:
    """Whose connection has lost something seldom hears of it, also when the way is free again."""
    before = proxy.swallowed
    proxy.half_open(ways)
    time.sleep(chance.uniform(2.0, 6.0))
    proxy.heal(reset=chance.random() < 0.3)
    _must(proxy.swallowed - before, "nothing was said meanwhile")


def stall(proxy: "Proxy", chance: Random) -> None:
    """Nothing is lost, but it arrives when those who waited for it have long given up."""
    proxy.stall(chance.choice([BOTH, REQUESTS, ANSWERS]))
    time.sleep(chance.uniform(1.0, 6.0))


def slow(proxy: "Proxy", chance: Random) -> None:
    """A long way with jitter, or a narrow one."""
    if chance.random() < 0.7:
        proxy.slow(delay := chance.uniform(0.05, 0.8), jitter=delay)
    else:
        proxy.slow(0.02, jitter=0.02, rate=chance.uniform(2_000, 8_000))
    time.sleep(chance.uniform(2.0, 6.0))


def break_off(proxy: "Proxy", chance: Random) -> None:
    """After so many bytes, again and again: in the middle of an answer, mostly; or of a request."""
    before = proxy.cuts
    way = chance.choice([Way.ANSWERS, Way.ANSWERS, Way.REQUESTS])
    proxy.drop_after(chance.randint(0, 4_000), way, times=chance.randint(1, 12))
    time.sleep(chance.uniform(1.0, 3.0))
    _must(proxy.cuts - before, "nothing broke off")


def _must(met: int, otherwise: str) -> None:
    if not met:
        raise Missed(otherwise)


TROUBLES: dict[str, tuple[Trouble, str]] = {
    "cut": (cut, "Connections to {} are reset, 1 to 4 times."),
    "refused": (refuse, "Connections to {} are reset, and refused for up to 5 s."),
    "half-open": (half_open, "For 2 to 6 s all that passes to and from {} is lost without a word."),
    "one-way": (one_way, "For 2 to 6 s answers of {}, or requests to it, are lost without a word."),
    "stalled": (stall, "For 1 to 6 s nothing passes to or from {}; then all of it arrives."),
    "slow": (slow, "{} is 50 to 1,600 ms away, or at the end of a link of 2 to 8 kB/s."),
    "broken-off": (break_off, "Connections to {} break off in the middle of an answer or request."),
}
KINDS = [
    Kind(
        name=f"{server}-{name}",
        says=says.format(called),
        strike=partial(strike, server, trouble),
        needs=THROUGH_PROXIES,
    )
    for server, called in SERVERS.items()
    for name, (trouble, says) in TROUBLES.items()
]
