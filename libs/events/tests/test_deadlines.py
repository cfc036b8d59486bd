"""Deadlines: each comes once, in order, with its own due instant, and a broken one stands still instead of looping."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import asyncpg
import pytest
from making import RINGS, ask
from racing import raced
from toy_jar import Nothing, Put, Rang, Wind, jars

from events.codec import codec_of
from events.handling import Handler
from events.kernel import derived_id
from events.scheduler import Scheduler
from events.store.database import Database
from events.store.postgres import PostgresStore


async def test_an_outage_of_days_catches_up_once_in_order_with_its_own_due_instants(
    store: PostgresStore, handler: Handler
) -> None:
    jar, scheduler = uuid4(), Scheduler(store, handler)
    future = datetime(2199, 1, 1, tzinfo=UTC)
    await handler.handle(ask(Wind(rings=(*RINGS, future)), jar))
    assert await scheduler.look() == 1
    rang = [
        codec_of(jars).decode(event.type, event.schema, event.data)
        for event in (await store.stream("meridian", "jar", jar))[1:]
    ]
    assert rang == [Rang(due=ring) for ring in sorted(RINGS)]
    assert await scheduler.look() == 0
    assert (await handler.read(jars, "meridian", jar)).state.rings == (future,)


async def test_deadlines_follow_business_time(store: PostgresStore, handler: Handler, sql: asyncpg.Connection) -> None:
    jar, scheduler = uuid4(), Scheduler(store, handler)
    in_a_year = await store.now() + timedelta(days=365)
    await handler.handle(ask(Wind(rings=(in_a_year,)), jar))
    assert await scheduler.look() == 0
    await sql.execute("UPDATE business_clock SET ahead = '364 days 23:59:00'")
    assert await scheduler.look() == 0
    await sql.execute("UPDATE business_clock SET ahead = '365 days'")
    assert await scheduler.look() == 1
    assert (await handler.read(jars, "meridian", jar)).state.rang == (in_a_year,)


async def test_business_time_moves_decisions_but_never_recorded_time(
    store: PostgresStore, handler: Handler, sql: asyncpg.Connection
) -> None:
    await sql.execute("UPDATE business_clock SET ahead = '-10 years'")
    jar = uuid4()
    await handler.handle(ask(Put(things=1), jar))
    (event,) = await store.stream("meridian", "jar", jar)
    at = datetime.fromisoformat(event.metadata.split('"at":"')[1].split('"')[0])
    assert timedelta(days=3600) < event.recorded_at - at < timedelta(days=3700)


async def test_a_deadline_is_told_once_for_a_version_also_by_several_replicas(
    store: PostgresStore, handler: Handler, elsewhere: Handler
) -> None:
    jar = uuid4()
    await handler.handle(ask(Wind(rings=RINGS), jar))
    (due,) = await store.due(10)
    await handler.due(due)
    await elsewhere.due(due)
    assert (await handler.read(jars, "meridian", jar)).version == 4
    id = derived_id("deadline", "meridian", "jar", jar, 1, due.deadline.isoformat())
    recorded = (await store.load("meridian", "jar", jar, id)).recorded
    assert recorded
    assert recorded.version == 4


async def test_a_due_that_meets_a_conflict_is_not_tried_again_the_scheduler_looks_again(
    db: Database, store: PostgresStore, elsewhere: Handler, sql: asyncpg.Connection
) -> None:
    jar, rivals = uuid4(), iter([Put(things=1)])

    async def faster() -> None:
        if rival := next(rivals, None):
            await elsewhere.handle(ask(rival, jar))

    await elsewhere.handle(ask(Wind(rings=RINGS), jar))
    handler, racing, writer = await raced(db, faster)
    scheduler = Scheduler(store, handler)
    assert await scheduler.look() == 1
    assert len(racing.tried) == 1
    assert (await handler.read(jars, "meridian", jar)).state.rang == ()
    assert await sql.fetchval("SELECT count(*) FROM parked_deadlines") == 0
    assert await scheduler.look() == 1
    assert (await handler.read(jars, "meridian", jar)).state.rang == tuple(sorted(RINGS))
    await writer.stop()


async def test_a_deadline_that_does_not_move_on_is_parked_until_its_version_or_shape_changes(
    store: PostgresStore, handler: Handler, sql: asyncpg.Connection
) -> None:
    jar, scheduler = uuid4(), Scheduler(store, handler)
    await handler.handle(ask(Wind(rings=RINGS, broken=True), jar))
    looks = [await scheduler.look() for _ in range(3)]
    assert (looks, scheduler.parked) == ([1, 0, 0], 1)
    assert (await handler.read(jars, "meridian", jar)).version == 1
    assert "DeadlineStuck" in await sql.fetchval("SELECT reason FROM parked_deadlines")

    await handler.handle(ask(Put(things=1), jar))
    assert [await scheduler.look() for _ in range(3)] == [1, 0, 0]

    await sql.execute("UPDATE states SET shape = 0")
    assert len(await store.due(10)) == 1


async def test_what_newer_code_is_to_be_told_holds_up_nobody_here(
    store: PostgresStore, handler: Handler, sql: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor does a kind that this code does not know; newer code is still told, when it comes."""
    monkeypatch.setattr("events.scheduler.BATCH", 3)
    for _ in range(3):
        await handler.handle(ask(Wind(rings=RINGS), uuid4()))
    await sql.execute("UPDATE states SET shape = 99, deadline = '2019-01-01Z'")
    for _ in range(3):
        await handler.handle(ask(Wind(rings=RINGS), uuid4()))
    await sql.execute("UPDATE states SET kind = 'pot', deadline = '2019-01-01Z' WHERE shape <> 99")
    mine, scheduler = uuid4(), Scheduler(store, handler)
    await handler.handle(ask(Wind(rings=RINGS), mine))
    assert await scheduler.look() == 1
    assert (await handler.read(jars, "meridian", mine)).state.rang == tuple(sorted(RINGS))
    assert len(await store.due(10)) == 6


async def test_deadlines_that_cannot_be_told_for_now_hold_up_none_behind_them(
    store: PostgresStore, handler: Handler, sql: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They rest on what newer code has written, say, before it was taken back."""
    monkeypatch.setattr("events.scheduler.BATCH", 3)
    for _ in range(6):
        await handler.handle(ask(Wind(rings=RINGS), uuid4()))
    await sql.execute("ALTER TABLE events DISABLE TRIGGER ALL")
    await sql.execute("UPDATE events SET schema_version = 99")
    await sql.execute("UPDATE states SET shape = 0")
    mine, scheduler = uuid4(), Scheduler(store, handler)
    await handler.handle(ask(Wind(rings=(max(RINGS),)), mine))
    assert await scheduler.look() == 7
    assert (await handler.read(jars, "meridian", mine)).state.rang == (max(RINGS),)


async def test_a_deadline_that_cannot_be_told_for_long_is_counted_until_it_is_told(
    store: PostgresStore, handler: Handler, sql: asyncpg.Connection
) -> None:
    await handler.handle(ask(Wind(rings=RINGS), uuid4()))
    await handler.handle(ask(Wind(rings=RINGS, broken=True), uuid4()))
    await sql.execute("ALTER TABLE events DISABLE TRIGGER ALL")
    await sql.execute("UPDATE events SET schema_version = schema_version + 98")
    await sql.execute("UPDATE states SET shape = 0")
    patient, impatient = Scheduler(store, handler), Scheduler(store, handler, patience=0.0)
    for scheduler in (patient, impatient):
        await scheduler.look()
    assert (patient.held_up, impatient.held_up) == (0, 2)
    await sql.execute("UPDATE events SET schema_version = schema_version - 98")
    await impatient.look()
    assert (impatient.held_up, impatient.parked) == (0, 1), "what is parked is said elsewhere"


async def test_a_stuck_deadline_holds_up_no_other(store: PostgresStore, handler: Handler) -> None:
    scheduler, well = Scheduler(store, handler), uuid4()
    await handler.handle(ask(Wind(rings=RINGS, broken=True), uuid4()))
    await handler.handle(ask(Wind(rings=RINGS), well))
    assert await scheduler.look() == 2
    assert len((await handler.read(jars, "meridian", well)).state.rang) == 3


async def test_the_deadline_is_stored_with_the_state_and_goes_when_the_state_has_none(
    store: PostgresStore, handler: Handler, sql: asyncpg.Connection
) -> None:
    jar = uuid4()
    await handler.handle(ask(Wind(rings=RINGS), jar))
    assert await sql.fetchval("SELECT deadline FROM states") == min(RINGS)
    await handler.handle(ask(Nothing(), jar))
    assert await sql.fetchval("SELECT deadline FROM states") == min(RINGS)
    await handler.handle(ask(Wind(rings=()), jar))
    assert await sql.fetchval("SELECT deadline FROM states") is None
