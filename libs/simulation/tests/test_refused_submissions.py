"""A body that becomes several commands, and is refused: nothing of it may have been done (P2)."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from random import Random
from typing import Any

import pytest

from events.store.port import Answer, Append, Together
from events.store.writer import Writer
from simulation.clients import Clients
from simulation.invariants.answers import refused
from simulation.loop import SimulatedLoop
from simulation.mischief import Weather
from simulation.stories import TERMS
from simulation.storm import keep_running
from simulation.world import Site, World

IN_APRIL = {"id": "A", "started_at": "2026-04-10T09:00:00+02:00", "ended_at": "2026-04-10T09:05:00+02:00"}
IN_MAY = {"id": "B", "started_at": "2026-05-10T09:00:00+02:00", "ended_at": "2026-05-10T09:05:00+02:00"}
DIFFERING = {**IN_MAY, "ended_at": "2026-05-10T09:06:00+02:00"}


def test_what_is_refused_in_the_middle_has_no_effect(monkeypatch: pytest.MonkeyPatch) -> None:
    """When all commands of a body are decided, another one reports a sample of it with other content."""
    loop = SimulatedLoop(Random(1), until=3600.0)  # type: ignore[abstract] # of a loop we need the half
    world = World(loop.time, Random(2), Weather(Random(3)))
    clients = Clients(world)

    async def report(*samples: dict[str, Any]) -> bool:
        told = [{"corrects": None, **each} for each in samples]
        body = {"service": "SVC", "source": "monitor", "samples": told}
        return await clients.submit("sla", "measurements", "p-monitor", body)

    async def history() -> None:
        keeper = await _agreed(world, clients)
        _before_it_is_appended(monkeypatch, world.sites["sla"], lambda: report(DIFFERING))
        assert not await report(IN_APRIL, IN_MAY)
        keeper.cancel()

    loop.run_until_complete(history())
    for site in world.sites.values():
        for process in site.processes:
            loop.bury(process.life)
    assert len(clients.refused) == 1
    assert [*refused(world, clients)] == []


async def _agreed(world: World, clients: Clients) -> "asyncio.Task[None]":
    for site in world.sites.values():
        site.database.tables.ahead += timedelta(days=40)
        site.start()
        site.start()
    keeper = asyncio.create_task(keep_running(world))
    await clients.create("sla", "services", "p-ruiz", {"key": "SVC", "name": "SVC", "owner": "p-ruiz"})
    draft = {"service": "SVC", "customer": "bank", "terms": TERMS}
    drafted = await clients.create("sla", "slas", "p-ruiz", draft)
    assert drafted
    for side, person in (("provider", "p-ruiz"), ("customer", "p-halden")):
        signature = {"side": side, "person": person, "on": "2026-04-01"}
        await clients.act("sla", "slas", drafted.stream, "signature", "p-ruiz", signature)
    return keeper


def _before_it_is_appended(plant: pytest.MonkeyPatch, site: Site, happens: Callable[[], Awaitable[Any]]) -> None:
    """In another process: in this one, commands for one stream queue behind each other."""
    append, rivals = Writer.append, iter([happens])

    async def interrupted(self: Writer, what: Append | Together) -> Answer:
        kinds = {each.kind for each in (what.appends if isinstance(what, Together) else [what])}
        if "period" in kinds and (rival := next(rivals, None)):
            busy = next(each for each in site.processes if each.writer is self)
            site.processes.remove(busy)
            await rival()
            site.processes.append(busy)
        return await append(self, what)

    plant.setattr(Writer, "append", interrupted)
