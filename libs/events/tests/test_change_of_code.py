"""Old rows under new code, and new rows under old code, side by side."""

from dataclasses import replace
from types import MappingProxyType
from typing import Any
from uuid import uuid4

import asyncpg
import pytest
from making import RINGS, an_append, an_event, ask
from toy_jar import Put, WasPut, Wind, jars

from events.codec import EventCodec, UnknownEvent
from events.handling import Handler
from events.kernel import Aggregate, event
from events.scheduler import Scheduler
from events.store.port import Unavailable
from events.store.postgres import PostgresStore
from events.store.writer import Writer


@event("jar-put", version=3)
class WasPutWithCare:
    """Version 1 had `thing`, version 2 `things`, version 3 says how."""

    things: int
    care: str


def _counted(data: dict[str, Any]) -> dict[str, Any]:
    return {"things": data["thing"]}


def _with_care(data: dict[str, Any]) -> dict[str, Any]:
    return {**data, "care": "unknown"}


CLIMB = MappingProxyType({("jar-put", 1): _counted, ("jar-put", 2): _with_care})


def doubling(jar: Any, event: Any) -> Any:
    """A later `evolve`: everything counts twice."""
    return replace(jar, things=jar.things + 2 * event.things)


later: Aggregate[Any, Any, Any] = replace(jars, shape=2, evolve=doubling)


def running(store: PostgresStore, writer: Writer, aggregate: Aggregate[Any, Any, Any]) -> Handler:
    """A replica with this version of the code."""
    return Handler(store, writer, [aggregate])


async def test_a_state_of_an_older_shape_is_folded_again_on_load(
    store: PostgresStore, writer: Writer, handler: Handler, sql: asyncpg.Connection
) -> None:
    jar, new = uuid4(), running(store, writer, later)
    await handler.handle(ask(Put(things=3), jar))
    assert (await new.read(later, "meridian", jar)).state.things == 6
    assert await sql.fetchval("SELECT shape FROM states") == 1
    await new.handle(ask(Put(things=1), jar, aggregate=later))
    assert (await new.read(later, "meridian", jar)).state.things == 8
    assert await sql.fetchval("SELECT shape FROM states") == 2


async def test_a_decision_on_a_state_of_an_older_shape_sees_it_folded_again(
    store: PostgresStore, writer: Writer, handler: Handler
) -> None:
    jar, new = uuid4(), running(store, writer, later)
    await handler.handle(ask(Put(things=3), jar))
    with pytest.raises(Exception, match="full"):
        await new.handle(ask(Put(things=1, limit=6), jar, aggregate=later))


async def test_an_old_replica_neither_reads_nor_writes_what_a_newer_one_wrote(
    store: PostgresStore, writer: Writer, handler: Handler
) -> None:
    jar, other = uuid4(), uuid4()
    await running(store, writer, later).handle(ask(Put(things=3), jar, aggregate=later))
    for attempt in (handler.read(jars, "meridian", jar), handler.handle(ask(Put(things=1), jar))):
        with pytest.raises(Unavailable, match="newer version"):
            await attempt
    assert (await handler.handle(ask(Put(things=1), other))).version == 1
    assert (await store.load("meridian", "jar", jar, None)).version == 1


async def test_a_newer_shape_that_comes_between_load_and_append_is_not_overwritten(
    store: PostgresStore, writer: Writer, handler: Handler, sql: asyncpg.Connection
) -> None:
    """As a background refold does: same version, higher shape."""
    jar = uuid4()
    await handler.handle(ask(Put(things=3), jar))

    class Refolded(PostgresStore):
        async def append(self, batch):  # type: ignore[no-untyped-def]
            await sql.execute("UPDATE states SET shape = 2")
            return await super().append(batch)

    meanwhile = Writer(Refolded(store._db))
    meanwhile.start()
    with pytest.raises(Unavailable, match="newer version"):
        await running(store, meanwhile, jars).handle(ask(Put(things=1), jar))
    await meanwhile.stop()
    assert (await store.load("meridian", "jar", jar, None)).version == 1


async def test_an_event_of_newer_code_makes_its_object_unavailable_and_no_other(
    store: PostgresStore, handler: Handler
) -> None:
    strange, known = uuid4(), uuid4()
    older = {"shape": 0, "state": "{}"}
    await store.append([an_append(strange, events=[an_event(9)], **older), an_append(known, events=0)])
    for attempt in (handler.read(jars, "meridian", strange), handler.handle(ask(Put(things=1), strange))):
        with pytest.raises(Unavailable, match="newer version"):
            await attempt
    assert (await store.load("meridian", "jar", strange, None)).version == 1
    assert (await handler.handle(ask(Put(things=1), known))).version == 1


async def test_a_deadline_of_an_object_that_newer_code_wrote_is_left_to_newer_code(
    store: PostgresStore, writer: Writer, handler: Handler
) -> None:
    winding = replace(jars, shape=2)
    await running(store, writer, winding).handle(ask(Wind(rings=RINGS), uuid4(), aggregate=winding))
    scheduler = Scheduler(store, handler)
    assert await scheduler.look() == 0
    assert scheduler.parked == 0
    assert await Scheduler(store, running(store, writer, winding)).look() == 1


async def test_old_events_climb_the_upcasters_to_todays_class(store: PostgresStore, handler: Handler) -> None:
    codec = EventCodec({("jar-put", 3): WasPutWithCare}, CLIMB)
    assert codec.decode("jar-put", 1, '{"thing":4}') == WasPutWithCare(things=4, care="unknown")
    assert codec.decode("jar-put", 2, '{"things":4}') == WasPutWithCare(things=4, care="unknown")
    assert codec.decode("jar-put", 3, '{"care":"much","things":4}') == WasPutWithCare(things=4, care="much")
    for name, version in (("jar-put", 4), ("jar-thrown", 1)):
        with pytest.raises(UnknownEvent):
            codec.decode(name, version, "{}")


async def test_upcasting_happens_when_reading_and_never_touches_what_is_kept(
    store: PostgresStore, writer: Writer
) -> None:
    now = replace(
        jars,
        shape=2,
        events=(WasPutWithCare,),
        upcasters=CLIMB,
        evolve=lambda jar, event: replace(jar, things=jar.things + event.things, label=event.care),
    )
    stream, old = uuid4(), '{"thing": 4}'
    await store.append([an_append(stream, events=[replace(an_event(data=old), type="jar-put")])])
    found = await running(store, writer, now).read(now, "meridian", stream)
    assert (found.state.things, found.state.label) == (4, "unknown")
    assert [event.data for event in await store.stream("meridian", "jar", stream)] == [old]


def test_two_classes_under_one_stored_name_are_a_mistake() -> None:
    @event("jar-put")
    class Other:
        things: int

    with pytest.raises(TypeError, match="jar-put"):
        EventCodec.of(replace(jars, events=(WasPut, Other)))
