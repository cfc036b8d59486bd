"""Two processes of each service at once: two writers, two relays, two consumers; and one of them goes, or sleeps."""

import os
import time
from random import Random
from signal import SIGCONT, SIGSTOP
from typing import TYPE_CHECKING

import httpx
from hits import under_announcements
from kinds import SERVICES, Kind, Missed, Needs

from events.bus.relay import RelaySettings
from stack.cluster import Service

if TYPE_CHECKING:
    from arena import Arena

LEASE = RelaySettings().lease
"""Seconds after which somebody else leads."""
LEADS = "closeloop_relay_leads 1.0"


def both_serve(arena: "Arena", chance: Random) -> None:
    """Nothing breaks; yet the same objects are changed by two processes, and announced and heard by two."""
    with under_announcements(arena):
        time.sleep(chance.uniform(2.0, 4.0))


def kill_one(arena: "Arena", chance: Random) -> None:
    """It comes back; in the meantime the other one serves."""
    service = _one_of(arena, chance)
    arena.load.until_busy(service.name)
    service.kill()
    time.sleep(chance.uniform(0.0, 2.0))
    service.child.start()


def freeze_one(arena: "Arena", chance: Random) -> None:
    """Half of the time for so long that another one leads when it wakes up, and believes that it still leads."""
    service = _one_of(arena, chance)
    seconds = chance.choice((chance.uniform(1.0, 4.0), chance.uniform(LEASE, LEASE + 3.0)))
    arena.load.until_busy(service.name)
    with under_announcements(arena, service.name):
        os.kill(service.child.pid, SIGSTOP)
        try:
            time.sleep(seconds)
        finally:
            os.kill(service.child.pid, SIGCONT)


def _one_of(arena: "Arena", chance: Random) -> Service:
    """Rather the one that leads."""
    replicas = arena.services(chance.choice(SERVICES))
    leading = [service for service in replicas if _leads(service)]
    return chance.choice(leading if leading and chance.random() < 0.7 else replicas)


def _leads(service: Service) -> bool:
    try:
        return LEADS in httpx.get(f"{service.url}/metrics", trust_env=False, timeout=4).text
    except httpx.TransportError as error:
        raise Missed(f"{service.name} does not say whether it leads: {error!r}") from error


TWO = Needs(replicas=2)
KINDS = [
    Kind(
        name="two-of-each",
        says="Two processes of each service serve side by side.",
        strike=both_serve,
        needs=TWO,
        rounds=5,
    ),
    Kind(
        name="one-of-two-killed",
        says="One of two replicas is killed, rather the leader.",
        strike=kill_one,
        needs=TWO,
    ),
    Kind(
        name="one-of-two-frozen",
        says="One of two replicas sleeps, and wakes up late.",
        strike=freeze_one,
        needs=TWO,
    ),
]
