"""The simulator is worth what it finds: each of these defects, planted in the product, is found within a few seeds."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from itertools import count
from typing import Any
from uuid import UUID

import pytest

from events.bus import consumer, relay
from events.bus.consumer import Consumer
from events.bus.inbox import Inbox, Item, Round
from events.bus.port import Delivery, DurableInfo, Fate, StreamInfo
from events.bus.reacting import Permanent, Reactor, Transient
from events.bus.read_back import Judged, ReadBack, Whose
from events.bus.relay import Relay
from events.handling import Handler, Instruction
from events.kernel import Refused
from events.message import Message
from events.store.bus_port import Early, Listener
from events.store.port import AllRecorded, Answer, Append, Loaded, Recorded, Together
from events.store.writer import Writer
from simulation import appending, history, storm
from simulation.appending import append_one
from simulation.broker import SimulatedBroker
from simulation.clients import Clients
from simulation.database import Tables
from simulation.history import play
from simulation.incoming import SimulatedIncoming
from simulation.store import SimulatedStore
from simulation.stories import an_appointment
from simulation.world import TENANT, TENANTS, World

SEEDS = range(120)
Plant = pytest.MonkeyPatch


def acknowledged_before_it_is_appended(plant: Plant) -> None:
    """A command is answered as soon as it is in the queue."""
    append = Writer.append

    def answered(waiting: Append) -> Recorded:
        version = waiting.expected + len(waiting.events)
        where = (waiting.kind, waiting.stream, version, 0, waiting.status, waiting.fingerprint, waiting.origin)
        return Recorded(*where, first=True)

    async def hasty(self: Writer, waiting: Append | Together) -> Answer:
        asyncio.get_running_loop().create_task(append(self, waiting)).add_done_callback(lambda task: task.exception())
        if isinstance(waiting, Together):
            return AllRecorded(tuple(answered(each) for each in waiting.appends))
        return answered(waiting)

    plant.setattr(Writer, "append", hasty)


def a_message_is_acknowledged_before_it_is_handled(plant: Plant) -> None:
    take = Inbox.take

    async def hasty(self: Inbox, deliveries: Sequence[Delivery]) -> None:
        for delivery in deliveries:
            await delivery.ack()
        await take(self, deliveries)

    plant.setattr(Inbox, "take", hasty)


def the_inbox_is_advanced_before_the_message_is_handled(plant: Plant) -> None:
    stream = Inbox._stream

    async def hasty(self: Inbox, key: Any, items: list[Item], mark: Any, limit: Any, result: Round) -> None:
        versions = [item.place.version for item in items if item.place]
        if versions and min(versions) == mark.version + 1:
            await self._incoming.advance(self._source, {key: min(versions)})
        await stream(self, key, items, mark, limit, result)

    plant.setattr(Inbox, "_stream", hasty)


def an_early_message_is_acknowledged_and_not_kept(plant: Plant) -> None:
    async def careless(self: SimulatedIncoming, source: str, early: Sequence[Early]) -> list[Early]:
        return []

    plant.setattr(SimulatedIncoming, "keep", careless)


def what_comes_after_a_gap_is_handled_at_once(plant: Plant) -> None:
    """The order within a stream is not kept."""

    async def careless(self: SimulatedIncoming, source: str, early: Sequence[Early]) -> list[Early]:
        return list(early)

    plant.setattr(SimulatedIncoming, "keep", careless)


def the_relay_skips_what_was_not_acknowledged(plant: Plant) -> None:
    plant.setattr(relay, "_prefix", lambda fates: len(fates) if Fate.ACKED in fates else 0)


def the_relay_trusts_its_checkpoint(plant: Plant) -> None:
    """It does not look at what the stream holds."""

    async def trusting(self: Relay, epoch: int, position: int) -> int:
        self._noted = await self._outgoing.noted()
        info = await self._broker.stream(self._spec.name)
        if info is None:
            await self._broker.make_stream(self._spec)
        self._last = info.last_sequence if info else 0
        return position

    async def same(self: Relay, *_: Any) -> bool:
        return True

    plant.setattr(Relay, "_compared", trusting)
    plant.setattr(Relay, "_same_stream", same)


def a_reaction_has_another_id_each_time(plant: Plant) -> None:
    instruction, number = Reactor._instruction, count()

    def fresh(self: Reactor, *about: Any) -> Instruction:
        return replace(instruction(self, *about), id=UUID(int=next(number)))

    plant.setattr(Reactor, "_instruction", fresh)


def a_repeated_request_is_taken_as_another(plant: Plant) -> None:
    handle, number = Handler.handle, count()

    async def forgetful(self: Handler, instruction: Instruction) -> Recorded:
        return await handle(self, replace(instruction, id=UUID(int=next(number))))

    plant.setattr(Handler, "handle", forgetful)


def what_was_done_is_told_as_refused(plant: Plant) -> None:
    handle = Handler.handle

    async def false(self: Handler, instruction: Instruction) -> Recorded:
        recorded = await handle(self, instruction)
        if instruction.command.__class__.__name__ == "Assess":
            raise Refused("it cannot be done")
        return recorded

    plant.setattr(Handler, "handle", false)
    plant.setattr(Clients, "_never_refusing_what_was_done", lambda _self, process, told: process.handler.handle(told))


def transient_trouble_is_taken_as_done(plant: Plant) -> None:
    handle = Reactor.handle

    async def careless(self: Reactor, *about: Any) -> None:
        try:
            await handle(self, *about)
        except Transient:
            return

    plant.setattr(Reactor, "handle", careless)


def what_is_not_understood_is_passed_over(plant: Plant) -> None:
    handle = Reactor.handle

    async def careless(self: Reactor, *about: Any) -> None:
        with suppress(Permanent):
            await handle(self, *about)

    plant.setattr(Reactor, "handle", careless)
    plant.setattr(storm, "RUMOURS", 1.0)


def a_stale_state_is_written_over(plant: Plant) -> None:
    """The version that was read is not compared with the one that is there."""

    def blind(tables: Tables, append: Append, at: datetime) -> Answer:
        found = tables.states.get((append.tenant, append.kind, append.stream))
        return append_one(tables, replace(append, expected=found.version if found else 0), at)

    plant.setattr(appending, "append_one", blind)
    # In one process commands queue, and seldom do two of one object meet by themselves.
    plant.setattr(storm, "BLOWS", (every_service_runs_twice,) * 4)
    plant.setattr(storm, "STRIKES", 1.0)
    plant.setattr(history, "STORIES", (an_appointment,) * 6)
    plant.setattr(history, "STARTS", (1.0,))


async def every_service_runs_twice(world: World) -> None:
    for site in world.sites.values():
        site.start()


def side_rows_are_not_kept(plant: Plant) -> None:
    def careless(tables: Tables, append: Append, at: datetime) -> Answer:
        return append_one(tables, replace(append, rows=()), at)

    plant.setattr(appending, "append_one", careless)


def claims_are_not_checked(plant: Plant) -> None:
    def generous(tables: Tables, append: Append, at: datetime) -> Answer:
        return append_one(tables, replace(append, claims=()), at)

    plant.setattr(appending, "append_one", generous)


def earlier_outcomes_are_not_looked_up(plant: Plant) -> None:
    load = SimulatedStore.load

    async def forgetful(self: SimulatedStore, *about: Any) -> Loaded:
        return replace(await load(self, *about), recorded=None)

    plant.setattr(SimulatedStore, "load", forgetful)


def an_older_database_is_not_noticed_by_its_relay(plant: Plant) -> None:
    """Whatever the stream holds is taken for ours."""
    judged = ReadBack.judged

    async def trusting(self: ReadBack, messages: Sequence[tuple[int, Message]]) -> list[Judged]:
        return [replace(each, whose=Whose.OURS) for each in await judged(self, messages)]

    plant.setattr(ReadBack, "judged", trusting)
    plant.setattr(storm, "RESTORES", 1.0)


def a_durable_is_trusted_also_by_an_older_database(plant: Plant) -> None:
    """What was heard between backup and restore is not heard again."""

    def trusting(known: Listener, stream: StreamInfo, _durable: DurableInfo) -> bool:
        return known.created == stream.created

    async def blind(_self: Consumer, _seen: Listener) -> None:
        return

    plant.setattr(consumer, "_fits", trusting)
    plant.setattr(Consumer, "_look_at_our_database", blind)
    plant.setattr(storm, "RESTORES", 1.0)


def what_follows_takes_place_at_another_tenant(plant: Plant) -> None:
    instruction = Reactor._instruction

    def astray(self: Reactor, *about: Any) -> Instruction:
        return replace(instruction(self, *about), tenant=TENANT)

    plant.setattr(Reactor, "_instruction", astray)


def an_object_is_shown_to_every_tenant(plant: Plant) -> None:
    load = SimulatedStore.load

    async def indiscreet(self: SimulatedStore, tenant: str, kind: str, stream: UUID, command: UUID | None) -> Loaded:
        found = [await load(self, each, kind, stream, command) for each in (tenant, *TENANTS)]
        return next((each for each in found if each.version), found[0])

    plant.setattr(SimulatedStore, "load", indiscreet)


# --- what the simulation has found, planted again ---------------------------------------------------------------------


def a_stream_that_went_back_is_published_to_before_it_is_compared(plant: Plant) -> None:
    """A publish was about to begin when NATS came back with older data; what was missing then was never told again."""
    publish = SimulatedBroker.publish

    async def anywhere(self: SimulatedBroker, *about: Any, **_where: Any) -> Sequence[Fate]:
        return await publish(self, *about)

    async def slowly(self: Relay, *about: Any) -> Sequence[Fate]:
        await asyncio.sleep(3.0)  # otherwise it takes a few hundred seeds
        return await told(self, *about)

    told = Relay._publish
    plant.setattr(Relay, "_publish", slowly)
    plant.setattr(SimulatedBroker, "publish", anywhere)
    plant.setattr(storm, "BLOWS", (storm.an_older_nats_is_restored,) * 4)
    plant.setattr(storm, "RESTORES", 0.0)


@pytest.mark.parametrize(
    "defect",
    [
        acknowledged_before_it_is_appended,
        a_message_is_acknowledged_before_it_is_handled,
        the_inbox_is_advanced_before_the_message_is_handled,
        an_early_message_is_acknowledged_and_not_kept,
        what_comes_after_a_gap_is_handled_at_once,
        the_relay_skips_what_was_not_acknowledged,
        the_relay_trusts_its_checkpoint,
        a_reaction_has_another_id_each_time,
        a_repeated_request_is_taken_as_another,
        what_was_done_is_told_as_refused,
        transient_trouble_is_taken_as_done,
        what_is_not_understood_is_passed_over,
        a_stale_state_is_written_over,
        side_rows_are_not_kept,
        claims_are_not_checked,
        earlier_outcomes_are_not_looked_up,
        an_older_database_is_not_noticed_by_its_relay,
        a_durable_is_trusted_also_by_an_older_database,
        what_follows_takes_place_at_another_tenant,
        an_object_is_shown_to_every_tenant,
        a_stream_that_went_back_is_published_to_before_it_is_compared,
    ],
)
def test_a_planted_defect_is_found(defect: Callable[[Plant], None], monkeypatch: Plant) -> None:
    defect(monkeypatch)
    for seed in SEEDS:
        outcome = play(seed)
        if outcome.complaints:
            print(f"seed {seed}: {outcome.complaints[0]}")
            return
    pytest.fail(f"not found in {len(SEEDS)} seeds")
