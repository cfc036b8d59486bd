"""What befalls the world as a whole: processes that end and begin, servers that go away, data that is lost, time that
passes; and those who start again whatever has ended.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from datetime import timedelta
from random import Random
from uuid import UUID

from events.bus.dead_letters import DeadLetters
from events.bus.envelope import MESSAGE_ID, VERSION, stream_name
from events.bus.port import BrokerTrouble
from events.bus.reacting import Transient
from events.bus.restored import Restored
from events.kernel import Refused
from events.message import Message
from events.store.bus_port import Letter
from events.store.port import OutcomeUnknown, Unavailable
from simulation.broker import SimulatedBroker
from simulation.loop import SimulatedLoop
from simulation.outgoing import SimulatedOutgoing
from simulation.world import TENANT, Process, Site, World

Blow = Callable[[World], Awaitable[None]]

RESTORES = 0.15
"""In so many worlds an older database is restored, and an operator decides."""
RUMOURS = 0.25
"""In so many of the others something is on the bus that nobody understands, and an operator drops it."""
LASTS = 15.0
"""Virtual seconds until everything heals."""
STRIKES = 12.0
"""Virtual seconds in which blows fall."""


async def storm(world: World) -> None:
    """A few blows, side by side, at moments of their own."""
    chance = world.chance
    blows = [blow for blow in BLOWS if chance.random() < 0.5]
    if chance.random() < RESTORES:
        # Nobody could say what others have heard if the broker lost it at the same time.
        blows = [blow for blow in blows if blow not in LOSING] + [an_older_database_is_restored] * 3
    elif _apart(world).random() < RUMOURS:
        # Nobody would tell it again if the broker lost it.
        blows = [blow for blow in blows if blow not in LOSING] + [a_rumour] * 3
    struck = [
        _at(world, chance.uniform(0.0, STRIKES), chance.choice(blows))
        for _ in range(chance.randint(0, 5) if blows else 0)
    ]
    await asyncio.gather(*struck)


def _apart(world: World) -> Random:
    """Chance of its own: histories in which it changes nothing stay as they are."""
    return Random(f"apart {world.chance.getstate()[1][:4]}")  # noqa: S311


async def _at(world: World, moment: float, blow: Blow) -> None:
    await asyncio.sleep(moment)
    world.note(f"blow: {blow.__name__}")
    await blow(world)


async def keep_running(world: World) -> None:
    """As whoever supervises processes does, and as clients of NATS do: start again, connect again."""
    while True:
        for site in world.sites.values():
            if not site.alive:
                site.start()
        for process in world.processes:
            process.broker.connect()
        await asyncio.sleep(world.chance.uniform(0.2, 1.5))


async def operate(world: World) -> None:
    """The operator decides to go on without what was lost, wherever a relay asks for that decision; and drops what
    nobody understands.
    """
    while True:
        await asyncio.sleep(world.chance.uniform(1.0, 4.0))
        for site in world.sites.values():
            if any(process.bus.relay.halted for process in site.alive):
                await _accept(world, site)
            parked = [id for id, each in site.database.tables.dead_letters.items() if _is_rumour(world, each)]
            if parked and site.alive:
                process = world.chance.choice(site.alive)
                process.runs(_drop(process, parked))


def _is_rumour(world: World, letter: Letter) -> bool:
    return letter.status == "parked" and letter.version == 1 and letter.stream in world.rumours


async def _drop(process: Process, letters: Sequence[UUID]) -> None:
    """At the desk, beside whatever the process does."""
    desk = DeadLetters(process.site, process.incoming, process.handler, process.features)
    for id in letters:
        with suppress(Refused, Unavailable, OutcomeUnknown, Transient):
            await desk.drop(id)


async def _accept(world: World, site: Site) -> None:
    broker = SimulatedBroker(world.server)
    broker.start()
    try:
        decided = await Restored(site.name, broker, SimulatedOutgoing(site.database)).accept()
    except (Refused, Unavailable, BrokerTrouble) as why:
        world.note(f"operator cannot decide for {site.name}: {why}")
    else:
        world.note(
            f"operator accepts for {site.name} that {decided.lost} are lost, goes on after {decided.goes_on_after}"
        )


def heal(world: World) -> None:
    """From now on nothing goes wrong."""
    world.note("everything heals")
    world.weather.calm()
    world.server.up = True
    for site in world.sites.values():
        site.database.up = True


# --- blows ------------------------------------------------------------------------------------------------------------


async def kill(world: World) -> None:
    if world.processes:
        world.chance.choice(world.processes).crash()


async def kill_all(world: World) -> None:
    for process in world.processes:
        process.crash()


async def freeze(world: World) -> None:
    """As SIGSTOP does: it loses its lead and its turns, and does not know."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, SimulatedLoop)
    if world.processes:
        life = world.chance.choice(world.processes).life
        life.frozen = True
        await asyncio.sleep(world.chance.choice((1.0, 5.0, 12.0)))
        loop.thaw(life)


async def roll(world: World) -> None:
    """A new process beside the old one, which is told to stop: an upgrade."""
    site = _some_site(world)
    before = site.alive
    site.start()
    for process in before:
        process.runs(process.stop())


async def second(world: World) -> None:
    """Two processes of one service side by side: two relays, two consumers."""
    _some_site(world).start()


async def postgres_restarts(world: World) -> None:
    """All databases lie on one server."""
    for site in world.sites.values():
        site.database.up = False
    await asyncio.sleep(world.chance.choice((0.0, 0.5, 4.0)))
    for site in world.sites.values():
        site.database.restart()
        site.database.up = True


async def nats_restarts(world: World) -> None:
    world.server.up = False
    _cut(world)
    world.server.forget(world.chance)
    await asyncio.sleep(world.chance.choice((0.0, 0.5, 4.0)))
    world.server.starts += 1
    world.server.up = True


async def nats_loses_everything(world: World) -> None:
    world.server.lose()
    await nats_restarts(world)


async def an_older_nats_is_restored(world: World) -> None:
    """Streams keep their names and birthdays, and have forgotten the latest of what they were told."""
    backup = world.server.backup()
    await asyncio.sleep(world.chance.choice((0.5, 2.0, 6.0)))
    world.server.streams = backup
    await nats_restarts(world)


async def a_stream_is_removed(world: World) -> None:
    if world.server.streams:
        world.server.lose(world.chance.choice(sorted(world.server.streams)))


async def a_durable_is_removed(world: World) -> None:
    durables = [(stream, name) for stream in world.server.streams.values() for name in stream.durables]
    if durables:
        stream, name = world.chance.choice(durables)
        del stream.durables[name]
        world.server.rouse()


async def connections_are_cut(world: World) -> None:
    _cut(world)


async def time_passes(world: World) -> None:
    """Business time goes forward, everywhere, but not everywhere at once."""
    by = timedelta(days=world.chance.choice((1, 10, 40)))
    for site in world.sites.values():
        site.database.tables.ahead += by
        await asyncio.sleep(world.chance.choice((0.0, 0.1, 1.0)))


async def a_rumour(world: World) -> None:
    """On the bus is what a newer audit service may say, twice, and something plain behind it."""
    stream = UUID(int=world.chance.getrandbits(128), version=4)
    world.rumours[stream] = [UUID(int=world.chance.getrandbits(128), version=4) for _ in (1, 2)]
    told = [_rumour(stream, *each) for each in zip(world.rumours[stream], (1, 2), (9, 1), strict=True)]
    while not {message.headers["ce-id"] for message in told} <= _borne(world):
        for message in world.chance.sample(told * 2, 4):
            world.server.publish(stream_name("audit"), message)
        await asyncio.sleep(world.chance.choice((0.0, 0.1, 1.0)))


def _rumour(stream: UUID, id: UUID, version: int, schema: int) -> Message:
    headers = {
        MESSAGE_ID: str(id),
        "ce-id": str(id),
        "ce-source": f"/closeloop/{TENANT}/audit",
        "ce-type": f"closeloop.audit.audit-reported.v{schema}",
        "ce-subject": str(stream),
        "ce-time": "2026-04-14T08:00:00+00:00",
        VERSION: str(version),
    }
    body = b'{"number": "A-0", "revision": 1, "recipients": [], "findings": []}'
    return Message(f"closeloop.{TENANT}.audit.audit.audit-reported.v{schema}", headers, body)


def _borne(world: World) -> set[str]:
    stream = world.server.streams.get(stream_name("audit"))
    return {message.headers["ce-id"] for message in stream.messages} if stream else set()


async def an_older_database_is_restored(world: World) -> None:
    """For which its server is stopped, as everybody must who restores."""
    site = _some_site(world)
    backup = site.database.backup()
    await asyncio.sleep(world.chance.choice((0.5, 2.0, 6.0)))
    site.database.up = False
    await asyncio.sleep(world.chance.choice((0.0, 1.0)))
    site.restore(backup)
    site.database.up = True


LOSING = (nats_loses_everything, an_older_nats_is_restored, a_stream_is_removed)
BLOWS: tuple[Blow, ...] = (
    kill,
    kill_all,
    freeze,
    roll,
    second,
    postgres_restarts,
    nats_restarts,
    nats_loses_everything,
    an_older_nats_is_restored,
    a_stream_is_removed,
    a_durable_is_removed,
    connections_are_cut,
    time_passes,
)


def _some_site(world: World) -> Site:
    return world.chance.choice(list(world.sites.values()))


def _cut(world: World) -> None:
    for process in world.processes:
        process.broker.cut()
