"""One history of the world, from a seed: stories are played in a storm, all heals, and the books are looked at."""

import asyncio
from collections.abc import Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from random import Random
from typing import Any

import structlog

from events.bus.envelope import stream_name
from simulation.clients import Clients
from simulation.invariants import complaints
from simulation.loop import SimulatedLoop, Stuck, TimeIsUp
from simulation.mischief import DELAYS, Climate, Weather
from simulation.stories import STORIES
from simulation.storm import LASTS, heal, keep_running, operate, storm
from simulation.world import SETTINGS, TENANTS, Site, World

STARTS = (0.0, 3.0, 3.0, 6.0, 9.0)
"""Of the stories; some begin at the same moment, because it is then that they get in each other's way."""
AFTERMATH = max(DELAYS) + SETTINGS.relay.look
"""Virtual seconds from healing until what was under way for longest has arrived, and was looked at."""
REST_WITHIN = 120.0
"""Virtual seconds from healing until nothing is left to do."""


@dataclass(frozen=True)
class Outcome:
    """What became of a seed: nothing to complain about, or what."""

    seed: int
    complaints: tuple[str, ...]
    trace: tuple[str, ...]
    digest: str
    """Of everything that happened: the same seed has the same one, everywhere."""
    acknowledged: int
    events: int
    seconds: float
    """Virtual ones."""


def play(seed: int) -> Outcome:
    """The history of this seed. It is the same whenever and wherever it is played."""
    turns = Random(f"turns {seed}")  # noqa: S311
    loop = SimulatedLoop(turns, until=600.0)  # type: ignore[abstract] # of a loop we need the half
    weather_chance = Random(f"weather {seed}")  # noqa: S311
    world = World(loop.time, Random(f"world {seed}"), Weather(weather_chance, Climate.of(weather_chance)))  # noqa: S311
    clients = Clients(world)
    with _logs_to(world, clients):
        try:
            found: list[str] = loop.run_until_complete(_history(world, clients))
        except (Stuck, TimeIsUp) as end:
            found = [f"{end}: {'; '.join(left_to_do(world)) or 'though nothing is left to do'}"]
        found += [f"nobody wanted to know: {each.get('exception') or each['message']!r}" for each in loop.mishaps]
        outcome = Outcome(
            seed,
            tuple(found),
            tuple(world.trace),
            _digest(world, loop, turns, weather_chance),
            len(clients.acknowledged),
            sum(site.database.tables.position for site in world.sites.values()),
            loop.time(),
        )
        for site in world.sites.values():
            for process in site.processes:
                loop.bury(process.life)
    return outcome


async def _history(world: World, clients: Clients) -> list[str]:
    for site in world.sites.values():
        site.start()
    keepers = [asyncio.create_task(each(world)) for each in (keep_running, operate)]
    cast = [(story, clients.of(tenant)) for story in STORIES for tenant in _whose(world.chance)]
    stories = asyncio.gather(
        *(_after(world.chance.choice(STARTS), story, people) for story, people in cast), return_exceptions=True
    )
    await asyncio.gather(storm(world), asyncio.sleep(LASTS))
    heal(world)
    told, _ = await asyncio.gather(stories, asyncio.sleep(AFTERMATH))
    found = [f"a story broke off: {each!r}" for each in told if each]
    found += await _come_to_rest(world)
    for keeper in keepers:
        keeper.cancel()
    return found + complaints(world, clients)


def _whose(chance: Random) -> list[str]:
    """Who plays a story: mostly people of one tenant, who get in each other's way, and now and then one of another."""
    return [TENANTS[0]] * chance.choice((0, 1, 1, 2, 3)) + [TENANTS[1]] * chance.choice((0, 0, 1))


async def _after(moment: float, story: Any, clients: Clients) -> None:
    await asyncio.sleep(moment)
    await story(clients)


async def _come_to_rest(world: World) -> list[str]:
    until = asyncio.get_running_loop().time() + REST_WITHIN
    calm = 0
    while calm < 2:
        await asyncio.sleep(1.5)
        why = restless(world)
        calm = 0 if why else calm + 1
        if asyncio.get_running_loop().time() > until:
            return [f"not at rest after {REST_WITHIN:.0f} s: {'; '.join(why)}"]
    world.note("everything is at rest")
    return []


def restless(world: World) -> list[str]:
    """What is still to be done, or not as it should be."""
    found = left_to_do(world)
    for site in world.sites.values():
        if not site.alive:
            found.append(f"{site.name} does not run")
        for process in site.alive:
            found += [f"{process.name}: {each}" for each in process.bus.status().degraded]
    return found


def left_to_do(world: World) -> list[str]:
    """What is due, untold or unheard."""
    found = []
    for site in world.sites.values():
        tables = site.database.tables
        if tables.checkpoint.position != tables.position:
            found.append(f"{site.name} has announced {tables.checkpoint.position} of {tables.position}")
        if tables.waiting:
            found.append(f"{len(tables.waiting)} messages wait at {site.name}")
        now = site.database.now() + tables.ahead
        parked = tables.parked_deadlines
        due = [key for key, row in tables.states.items() if row.deadline and row.deadline <= now and key not in parked]
        found += [f"{site.name} {kind} {id} is due" for _, kind, id in due]
        found += _unheard(world, site)
    return found


def _unheard(world: World, listener: Site) -> Iterator[str]:
    """What a service has not heard yet; nobody knows as long as it does not listen."""
    for source in listener.sources:
        stream = world.server.streams.get(stream_name(source))
        durable = stream.durables.get(f"closeloop-{listener.name}") if stream else None
        if stream is None or durable is None:
            yield f"{listener.name} does not listen to {source}"
        elif left := len(durable.pending) + len(stream.messages) - durable.following + 1:
            yield f"{listener.name} has {left} messages of {source} to handle"


def _digest(world: World, loop: SimulatedLoop, *chances: Random) -> str:
    everything: list[object] = [*world.trace, loop.steps, loop.time(), *(each.getstate() for each in chances)]
    everything.append(world.chance.getstate())
    for site in world.sites.values():
        everything += [(event.id, event.data, event.metadata) for event in site.database.tables.events]
        everything += sorted(site.database.tables.inbox.items(), key=repr)
    return sha256("\n".join(map(repr, everything)).encode()).hexdigest()


@contextmanager
def _logs_to(world: World, clients: Clients) -> Iterator[None]:
    """What is logged goes into the trace; an error that only a bug can cause is one."""

    def take(_: Any, level: str, entry: MutableMapping[str, Any]) -> Mapping[str, Any]:
        error = entry.pop("exc_info", None)
        what = f"{entry.pop('event')} {' '.join(f'{key}={value}' for key, value in sorted(entry.items()))}"
        world.note(f"log {level}: {what}")
        if error:
            clients.bugs.append(f"{what}: {error!r}")
        raise structlog.DropEvent

    before = structlog.get_config()
    structlog.configure(processors=[take], cache_logger_on_first_use=False)
    try:
        yield
    finally:
        structlog.configure(**before)
