"""The world of a simulation: four services with all their features on simulated servers, any process of which may end
at any await, and whoever starts them again.
"""

import asyncio
from collections.abc import Callable, Coroutine
from contextvars import Context, copy_context
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any
from uuid import UUID

from chassis.routes import Service
from chassis.service import load
from events.bus.relay import RelaySettings
from events.bus.runtime import Bus, BusSettings
from events.handling import Handler
from events.scheduler import Scheduler
from events.store.writer import Writer
from simulation.broker import SimulatedBroker
from simulation.database import Database, Tables
from simulation.incoming import SimulatedIncoming
from simulation.jetstream import Server
from simulation.loop import LIFE, Life
from simulation.mischief import Mischief, Weather
from simulation.outgoing import SimulatedOutgoing
from simulation.store import SimulatedStore

TENANT = "meridian"
TENANTS = (TENANT, "halden")
"""They share every service, bus and clock, and must not notice it."""
NAMES = ("audit", "sla", "risk", "improvement")
BEGIN = datetime(2026, 4, 14, 8, 0, tzinfo=UTC)
SETTINGS = BusSettings(relay=RelaySettings(poll=0.5, window=16))
LOOK_EVERY = 1.0
"""Of the scheduler; who looks less often finds the same, and the simulation is quicker."""


class Lost(Exception):
    """The connection to a process broke: whether it did what was asked is not known."""


class Process:
    """One process of one service, from its start to its end."""

    def __init__(self, site: "Site", number: int) -> None:
        """It runs from now on, in a life of its own."""
        self.site = site.name
        self.name = f"{site.name} {number}"
        self.life = Life(self.name)
        self.callers: dict[asyncio.Future[Any], None] = {}
        """Who waits for an answer, in the order in which they came: a set of objects has another order each time."""
        self.context: Context = copy_context()
        self.context.run(self._begin, site)

    def _begin(self, site: "Site") -> None:
        LIFE.set(self.life)
        world, service = site.world, site.service
        mischief = Mischief(world.weather, self.crash, lambda what: world.note(f"{self.name} {what}"))
        pause, chance = mischief.pause_at(site.database), world.chance
        store = SimulatedStore(site.database, pause)
        self.writer = writer = Writer(store)
        self.handler = Handler(store, writer, [feature.aggregate for feature in service.features], chance=chance)
        self.broker = SimulatedBroker(world.server, mischief)
        self.incoming = SimulatedIncoming(site.database, pause)
        self.features = service.features
        self.bus = Bus(
            self.handler,
            service.name,
            service.features,
            broker=self.broker,
            incoming=self.incoming,
            outgoing=SimulatedOutgoing(site.database, pause),
            settings=SETTINGS,
            chance=chance,
        )
        writer.after = self.bus.wake
        self.scheduler = Scheduler(store, self.handler, every=LOOK_EVERY)
        writer.start()
        self.scheduler.start()
        self.bus.start()

    @property
    def alive(self) -> bool:
        return not self.life.over

    def runs(self, work: Coroutine[Any, Any, None]) -> None:
        """Something that this process does from now on, and that ends with it."""
        self.life.tasks.append(asyncio.get_running_loop().create_task(work, context=self.context.copy()))

    async def stop(self) -> None:
        """As after SIGTERM: finish what was begun, then end."""
        await self.bus.stop()
        await self.scheduler.stop()
        await self.writer.stop()
        self.crash()

    def crash(self) -> None:
        """As by kill -9; whoever waits for an answer finds the connection broken."""
        self.life.end()
        self.broker.cut()
        for caller in self.callers:
            if not caller.done():
                caller.set_exception(Lost(self.name))


class Site:
    """One service: its database, which stays, and its processes, which come and go."""

    def __init__(self, world: "World", service: Service) -> None:
        self.world = world
        self.service = service
        self.name = service.name
        self.database = Database(service.name, world.now)
        self.processes: list[Process] = []
        self.started = 0
        self.forgotten: set[UUID] = set()
        """Commands and events that were done, and then lost when an older database was restored."""

    @property
    def alive(self) -> list[Process]:
        return [each for each in self.processes if each.alive]

    @property
    def sources(self) -> list[str]:
        """The services that it listens to."""
        return sorted({heard.__announced_by__[0] for each in self.service.features for heard in each.hears})

    def restore(self, backup: Tables) -> None:
        """An older database takes the place of the one that is there."""
        lost = self.database.tables
        self.database.restore(backup)
        self.forgotten |= {id for _, id in lost.commands.keys() - backup.commands.keys()}
        self.forgotten |= lost.event_ids - backup.event_ids
        self.world.note(f"{self.name} is restored at {backup.position}, it was at {lost.position}")

    def start(self) -> None:
        """One more process."""
        self.started += 1
        self.processes.append(Process(self, self.started))
        self.world.note(f"{self.processes[-1].name} starts")


class World:
    """Everything there is; what happens in it is written down, so that two runs can be compared."""

    def __init__(self, clock: Callable[[], float], chance: Random, weather: Weather) -> None:
        """`clock` tells virtual seconds; `chance` is for everything but the order of steps and the weather."""
        self._clock = clock
        self.chance = chance
        self.weather = weather
        self.server = Server()
        self.trace: list[str] = []
        self.sites = {name: Site(self, load(name)) for name in NAMES}
        self.rumours: dict[UUID, list[UUID]] = {}
        """The ids of what is on the bus, and nobody has said, by stream."""

    def now(self) -> datetime:
        """The one true time, by which databases count."""
        return BEGIN + timedelta(seconds=self._clock())

    def note(self, what: str) -> None:
        """Something happened."""
        self.trace.append(f"{self._clock():9.3f} {what}")

    @property
    def processes(self) -> list[Process]:
        """Those that live."""
        return [process for site in self.sites.values() for process in site.alive]
