"""A durable or a stream that is gone, differs, or belongs to another past: nothing is missed for it."""

from dataclasses import replace
from pathlib import Path
from uuid import uuid4

from bus_words import (
    STREAM,
    World,
    filled,
    heard,
    idle,
    made,
    publish,
    until,
    until_complains,
    until_well,
)

from events.handling import Handler
from events.store.database import Database
from stack.nats import Nats

FORGET_EFFECTS = (
    "ALTER TABLE events DISABLE TRIGGER ALL",
    "DELETE FROM events",
    "DELETE FROM states",
    "DELETE FROM commands",
    "UPDATE head SET position = 0",
)


async def test_our_database_restored_older_than_the_durable_is_told_everything_again(world: World) -> None:
    await made(world)
    jar = uuid4()
    async with world.jetstream() as js:
        await publish(js, [filled(jar, version) for version in range(1, 6)])
        async with world.running(bus := world.bus()):
            await heard(world, 5)
            await until(lambda: idle(bus))
        row = await world.row("SELECT handled, stream_created FROM listeners")
        assert row.handled == 5
        await world.do(
            *FORGET_EFFECTS,
            "UPDATE inbox SET version = 2",
            "UPDATE listeners SET handled = 2",
        )
        assert (await js.consumer_info(STREAM, "closeloop-toy")).ack_floor.stream_seq == 5
        async with world.running(world.bus()):
            await heard(world, 5)
    assert await world.mirrored(jar) == 3, "exactly the lost ones"


async def test_a_database_that_goes_back_under_a_running_consumer_is_noticed(world: World) -> None:
    await made(world)
    jar = uuid4()
    async with world.running(bus := world.bus()), world.jetstream() as js:
        await publish(js, [filled(jar, version) for version in range(1, 4)])
        await heard(world, 3)
        await until(lambda: _noted(world, 3))
        await world.do(*FORGET_EFFECTS, "UPDATE inbox SET version = 0", "UPDATE listeners SET handled = 0")
        await publish(js, [filled(jar, 4)])
        await heard(world, 4)
        await until(lambda: idle(bus))
        seen = await bus._incoming.listener("toy")
        assert seen
        assert not await bus._incoming.heard("toy", replace(seen, identity="before the restart"), 9)


async def test_another_stream_of_the_same_name_is_heard_from_its_beginning(world: World) -> None:
    await made(world)
    jar = uuid4()
    async with world.jetstream() as js:
        await publish(js, [filled(jar, 1), filled(jar, 2)])
        async with world.running(bus := world.bus()):
            await heard(world, 2)
            await until(lambda: idle(bus))
        await js.delete_stream(STREAM)
        await made(world)
        await publish(js, [filled(jar, version) for version in (1, 2, 3)])
        async with world.running(world.bus()):
            await heard(world, 3)
            await until(lambda: _noted(world, 3))
        assert await world.mirrored(jar) == 3
        # A database from the time of the first stream, where more had been heard than the second one holds.
        await world.do(
            *FORGET_EFFECTS,
            "UPDATE inbox SET version = 1",
            "UPDATE listeners SET handled = 100, stream_created = 'the first'",
        )
        async with world.running(world.bus()):
            await heard(world, 3)
    assert await world.mirrored(jar) == 2


async def test_a_durable_that_is_deleted_while_running_is_made_again(world: World) -> None:
    jar = uuid4()
    async with world.running(world.bus()), world.jetstream() as js:
        await world.fill(jar)
        await heard(world, 1)
        await js.delete_consumer(STREAM, "closeloop-toy")
        await world.fill(jar)
        await heard(world, 2)
    assert await world.mirrored(jar) == 2


async def test_a_durable_is_set_right_where_it_differs(world: World) -> None:
    async with world.running(bus := world.bus()), world.jetstream() as js:
        await until_well(bus)
        config = (await js.consumer_info(STREAM, "closeloop-toy")).config
        assert (config.ack_policy, config.max_deliver, config.ack_wait) == ("explicit", -1, 2.0)
        await bus.stop()
        await js.add_consumer(STREAM, config.evolve(max_deliver=3))
    async with world.running(bus := world.bus()), world.jetstream() as js:
        await until_well(bus)
        assert (await js.consumer_info(STREAM, "closeloop-toy")).config.max_deliver == -1


async def test_a_source_without_a_stream_is_named_and_then_heard(world: World) -> None:
    jar = uuid4()
    async with world.running(bus := world.bus(service="another")):
        await until_complains(bus, "consumer of toy: toy has no JetStream stream yet")
        async with world.jetstream() as js:
            await js.add_stream(name=STREAM, subjects=["closeloop.*.toy.>"])
            await publish(js, [filled(jar, 1)])
            await heard(world, 1)
        await until_well(bus)


async def test_nats_restarts_in_mid_stream(db: Database, handler: Handler, tmp_path: Path) -> None:
    with Nats(tmp_path / "nats") as server:
        world, jar = World(db, handler, server.url), uuid4()
        async with world.running(bus := world.bus()):
            for number in range(1, 31):
                await world.fill(jar)
                if number % 10 == 5:
                    server.kill()
                    server.start()
            await heard(world, 30)
            await until_well(bus)
    assert await world.mirrored(jar) == 30


async def _noted(world: World, sequence: int) -> bool:
    return bool((await world.row(f"SELECT count(*) FROM listeners WHERE handled = {sequence}"))[0])
