"""Rows of an older shape are folded anew in the background, and nobody is in anybody's way."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest
from derived import rows
from later_jar import LATER, doubling, later
from making import RINGS, an_append, an_event, ask
from processes import client, until
from sqlalchemy import text
from toy_jar import Jar, Label, Put, Wind, jars

from events.handling import Handler
from events.kernel import Aggregate, AllWhere
from events.refolder import Refolder
from events.scheduler import Scheduler
from events.store.database import Database
from events.store.folds import Folds, Kept, Result
from events.store.port import Unavailable
from events.store.postgres import PostgresStore
from events.store.writer import Writer


@pytest.fixture
def refolder(folds: Folds) -> Refolder:
    return Refolder(folds, [later])


@pytest.fixture
def newer(store: PostgresStore, writer: Writer) -> Handler:
    """A replica of the later release."""
    return Handler(store, writer, [later])


def superstitious(jar: Jar, event: Any) -> Jar:
    assert event.things != 13
    return doubling(jar, event)


SUPERSTITIOUS = replace(later, evolve=superstitious)


async def furnish_unlucky(handler: Handler, things: Sequence[int]) -> None:
    """Jars in the order of their ids."""
    for number, each in enumerate(things):
        await handler.handle(ask(Put(things=each), UUID(int=number)))


async def furnish(handler: Handler, aggregate: Aggregate[Any, Any, Any], jars_: Sequence[UUID]) -> None:
    for number, jar in enumerate(jars_):
        commands = [Put(things=number + 1), Label(label=f"l{number}"), Put(things=2), Wind(rings=RINGS)]
        for step, command in enumerate(commands):
            await handler.handle(ask(command, jar, aggregate=aggregate, id=UUID(int=1 + number * 100 + step)))


async def look_to_the_end(refolder: Refolder) -> None:
    while await refolder.look():
        pass


async def test_state_deadline_claims_and_shape_are_as_if_today_s_code_had_always_been_there(
    handler: Handler, newer: Handler, refolder: Refolder, sql: asyncpg.Connection
) -> None:
    """Byte for byte."""
    streams = [uuid4() for _ in range(5)]
    await furnish(handler, jars, streams)
    await refolder.look()
    folded = await rows(sql)
    await sql.execute("SET session_replication_role = replica")
    await sql.execute("TRUNCATE events, states, claims, commands")
    await furnish(newer, later, streams)
    assert folded == await rows(sql)
    assert {row["shape"] for row in folded} == {2}
    assert all(row["claims"][0].startswith("jar:l") for row in folded)


async def test_nothing_of_todays_shape_is_touched(newer: Handler, refolder: Refolder, sql: asyncpg.Connection) -> None:
    await furnish(newer, later, [uuid4()])
    before = await sql.fetchval("SELECT xmin::text FROM states")
    await refolder.look()
    assert await sql.fetchval("SELECT xmin::text FROM states") == before


async def test_what_an_older_replica_writes_later_is_taken_up_too(
    handler: Handler, refolder: Refolder, sql: asyncpg.Connection
) -> None:
    first, second = uuid4(), uuid4()
    await handler.handle(ask(Put(things=1), first))
    await refolder.look()
    await handler.handle(ask(Put(things=1), second))
    await refolder.look()
    assert [row["shape"] for row in await rows(sql)] == [2, 2]
    with pytest.raises(Unavailable, match="newer version"):
        await handler.handle(ask(Put(things=1), first))


class Raced(Folds):
    """Somebody is faster between the look and the change."""

    def __init__(self, database: Database, faster: Any) -> None:
        super().__init__(database)
        self._faster = faster

    async def put(self, folds: Sequence[tuple[Kept, Any]]) -> list[Result]:
        await self._faster()
        return await super().put(folds)


async def test_a_row_that_moves_on_meanwhile_is_left_to_those_who_moved_it(
    db: Database, handler: Handler, newer: Handler, sql: asyncpg.Connection
) -> None:
    mine, theirs = uuid4(), uuid4()
    for jar in (mine, theirs):
        await handler.handle(ask(Put(things=1), jar))
    rivals = iter([(handler, jars, mine), (newer, later, theirs)])

    async def faster() -> None:
        for rival, aggregate, jar in rivals:
            await rival.handle(ask(Put(things=5), jar, aggregate=aggregate))

    refolder = Refolder(Raced(db, faster), [later])
    await refolder.look()
    kept = {row["id"]: row for row in await rows(sql)}
    assert (kept[mine]["version"], kept[mine]["shape"]) == (2, 1)
    assert (kept[theirs]["version"], kept[theirs]["shape"]) == (2, 2)
    await refolder.look()
    assert [(row["version"], row["shape"]) for row in await rows(sql)] == [(2, 2), (2, 2)]
    assert (await newer.read(later, "meridian", mine)).state.things == 12


async def test_a_claim_that_another_holds_is_named_and_everything_else_goes_on(
    handler: Handler, newer: Handler, folds: Folds, refolder: Refolder, sql: asyncpg.Connection, monkeypatch: Any
) -> None:
    holder, asking, other = uuid4(), uuid4(), uuid4()
    await newer.handle(ask(Label(label="salt"), holder, aggregate=later))
    await handler.handle(ask(Label(label="salt"), asking))
    await handler.handle(ask(Put(things=1), other))
    await look_to_the_end(refolder)
    kept = {row["id"]: row for row in await rows(sql)}
    assert (kept[asking]["shape"], kept[asking]["claims"]) == (1, ["label:salt"])
    assert kept[other]["shape"] == 2
    (complaint,) = refolder.complaints()
    assert f"{asking}: jar:salt is held by jar {holder}" in complaint
    assert refolder.stuck == 1
    assert (await newer.read(later, "meridian", asking)).state.label == "salt"

    await newer.handle(ask(Label(label="sugar"), holder, aggregate=later))
    await refolder.look()
    assert refolder.stuck == 1, "it is not tried all the time"
    monkeypatch.setattr("events.refolder.TRIED_AGAIN_AFTER", 0.0)
    await refolder.look()
    assert (refolder.stuck, refolder.complaints()) == (0, [])
    assert {row["shape"] for row in await rows(sql)} == {2}


async def test_a_claim_that_another_older_row_lets_go_of_holds_up_nobody(
    handler: Handler, refolder: Refolder, folds: Folds, sql: asyncpg.Connection
) -> None:
    """By the later code each jar claims what the next one claimed before."""
    streams = sorted(uuid4() for _ in range(5))
    for number, jar in enumerate(streams):
        await handler.handle(ask(Label(label=f"{number}"), jar))
    shifted = replace(jars, shape=2, claims=lambda jar: [f"label:{int(jar.label) + 1}"])
    refolder = Refolder(folds, [shifted])
    await look_to_the_end(refolder)
    assert [row["claims"] for row in await rows(sql)] == [[f"label:{number + 1}"] for number in range(5)]
    assert refolder.complaints() == []


async def test_what_only_newer_code_knows_is_neither_guessed_nor_written(
    store: PostgresStore, handler: Handler, refolder: Refolder, sql: asyncpg.Connection
) -> None:
    strange, known = uuid4(), uuid4()
    await store.append([an_append(strange, events=[an_event(9)])])
    await handler.handle(ask(Put(things=1), known))
    await look_to_the_end(refolder)
    assert await sql.fetchval("SELECT shape FROM states WHERE id = $1", strange) == 1
    assert await sql.fetchval("SELECT shape FROM states WHERE id = $1", known) == 2
    assert "newer version" in refolder.complaints()[0]


async def test_a_fold_that_fails_holds_up_no_other(handler: Handler, folds: Folds, sql: asyncpg.Connection) -> None:
    bad, good = uuid4(), uuid4()
    await handler.handle(ask(Put(things=13), bad))
    await handler.handle(ask(Put(things=1), good))
    refolder = Refolder(folds, [SUPERSTITIOUS])
    await look_to_the_end(refolder)
    assert await sql.fetchval("SELECT shape FROM states WHERE id = $1", good) == 2
    assert f"{bad}: AssertionError" in refolder.complaints()[0]


async def test_a_row_of_a_newer_shape_is_left_alone(newer: Handler, folds: Folds, sql: asyncpg.Connection) -> None:
    await newer.handle(ask(Put(things=1), uuid4(), aggregate=later))
    await Refolder(folds, [jars]).look()
    assert await sql.fetchval("SELECT shape FROM states") == 2


async def test_a_long_history_is_read_in_parts(
    handler: Handler, newer: Handler, refolder: Refolder, monkeypatch: Any
) -> None:
    monkeypatch.setattr("events.refolding.EVENTS_AT_ONCE", 3)
    long, short = uuid4(), uuid4()
    for _ in range(7):
        await handler.handle(ask(Put(things=1), long))
    await handler.handle(ask(Put(things=1), short))
    await refolder.look()
    assert (await newer.read(later, "meridian", long)).state.things == 14
    assert (await newer.read(later, "meridian", short)).state.things == 2


async def test_several_processes_fold_side_by_side_while_commands_come_and_nothing_is_lost(
    db: Database, handler: Handler, newer: Handler, folds: Folds, sql: asyncpg.Connection
) -> None:
    streams = [uuid4() for _ in range(60)]
    for jar in streams:
        await handler.handle(ask(Put(things=1), jar))
    refolders = [Refolder(folds, [later]) for _ in range(3)]
    putting = (newer.handle(ask(Put(things=1), jar, aggregate=later)) for jar in streams * 3)
    await asyncio.gather(*(refolder.look() for refolder in refolders), *putting)
    await refolders[0].look()
    assert {(row["version"], row["shape"]) for row in await rows(sql)} == {(4, 2)}
    assert {(await newer.read(later, "meridian", jar)).state.things for jar in streams} == {8}


async def test_a_refold_that_is_killed_in_the_middle_is_gone_on_with(
    database: str, handler: Handler, refolder: Refolder, sql: asyncpg.Connection
) -> None:
    for _ in range(80):
        await handler.handle(ask(Put(things=1), uuid4()))
    async with client(database, "refold", failpoint="W9:kill9:4") as process:
        assert await asyncio.wait_for(process.wait(), 30) == -9
    shapes = await sql.fetch("SELECT shape, count(*) FROM states GROUP BY shape ORDER BY shape")
    assert [row["shape"] for row in shapes] == [1, 2], shapes
    await sql.execute("UPDATE leases SET expires_at = clock_timestamp()")
    await refolder.look()
    assert await sql.fetchval("SELECT count(*) FROM states WHERE shape = 2") == 80


# --- kinds take turns ---


POTS = replace(jars, kind="pot")


class NeverDone(Folds):
    """An older replica writes every jar again, as soon as it is folded anew."""

    async def put(self, folds: Sequence[tuple[Kept, Any]]) -> list[Result]:
        results = await super().put(folds)
        async with self._db.writes.connect() as connection:
            await connection.execute(text("UPDATE states SET shape = 1 WHERE kind = 'jar'"))
        return results


class Failing(Folds):
    """There is something about jars that the database cannot do."""

    async def older(self, kind: str, shape: int, after: Kept | None, limit: int) -> list[Kept]:
        if kind == "jar":
            raise Unavailable("not now")
        return await super().older(kind, shape, after, limit)


@pytest.mark.parametrize("hampered", [NeverDone, Failing])
async def test_a_kind_that_is_never_done_or_always_fails_keeps_no_other_from_its_turn(
    db: Database, store: PostgresStore, writer: Writer, handler: Handler, sql: asyncpg.Connection, hampered: Any
) -> None:
    await furnish_unlucky(handler, [13, 1, 1])
    await Handler(store, writer, [POTS]).handle(ask(Put(things=1), uuid4(), aggregate=POTS))
    refolder = Refolder(hampered(db), [SUPERSTITIOUS, replace(POTS, shape=2)])
    async with asyncio.timeout(5):
        for _ in range(2):
            with suppress(Unavailable):
                await refolder.look()
    assert await sql.fetchval("SELECT shape FROM states WHERE kind = 'pot'") == 2
    assert refolder.older["jar"] == 3


async def test_a_kind_goes_on_where_its_last_turn_ended(
    handler: Handler, folds: Folds, sql: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else rows that are stuck would keep those behind them from ever being folded anew."""
    monkeypatch.setattr("events.refolder.PAGE", 2)
    await furnish_unlucky(handler, [13, 13, 1])
    refolder = Refolder(folds, [SUPERSTITIOUS])
    assert [await refolder.look() for _ in range(2)] == [True, True]
    assert [row["shape"] for row in await rows(sql)] == [1, 1, 2]
    assert [await refolder.look() for _ in range(2)] == [True, False]
    assert refolder.stuck == 2


# --- deadlines ---


async def test_a_due_row_of_an_older_shape_is_folded_anew_before_anybody_is_told(
    store: PostgresStore, handler: Handler, newer: Handler, refolder: Refolder, sql: asyncpg.Connection
) -> None:
    """By today's code it is due in a century: it was parked before, until its next event came."""
    jar = uuid4()
    await handler.handle(ask(Wind(rings=RINGS), jar))
    scheduler = Scheduler(store, newer, refolder)
    assert [await scheduler.look() for _ in range(2)] == [1, 0]
    assert (scheduler.parked, await sql.fetchval("SELECT count(*) FROM parked_deadlines")) == (0, 0)
    assert await sql.fetchval("SELECT deadline FROM states") == min(RINGS) + LATER
    assert (await newer.read(later, "meridian", jar)).version == 1


async def test_a_deadline_that_only_todays_code_sees_is_told_once_the_row_is_folded_anew(
    store: PostgresStore, handler: Handler, writer: Writer, folds: Folds
) -> None:
    quiet = replace(jars, deadline=lambda _: None)
    jar = uuid4()
    await Handler(store, writer, [quiet]).handle(ask(Wind(rings=RINGS), jar, aggregate=quiet))
    loud = replace(jars, shape=2)
    today, refolder = Handler(store, writer, [loud]), Refolder(folds, [loud])
    scheduler = Scheduler(store, today, refolder)
    assert await scheduler.look() == 0
    await refolder.look()
    assert await scheduler.look() == 1
    assert (await today.read(loud, "meridian", jar)).state.rang == tuple(sorted(RINGS))


# --- lists ---


async def test_lists_wait_for_rows_that_were_folded_for_other_fields_and_for_no_others(
    store: PostgresStore, handler: Handler, newer: Handler, folds: Folds, sql: asyncpg.Connection
) -> None:
    for _ in range(3):
        await handler.handle(ask(Put(things=1), uuid4()))
    refolder = Refolder(folds, [later], {"jar": "by colour"})
    newer.incomplete = refolder.incomplete
    with pytest.raises(Unavailable, match="not known yet"):
        await newer.gather_facts("meridian", [AllWhere(Jar)])
    await refolder._compare()
    assert refolder.unready() == ["jar rows are being folded anew for their lists: 3 of 3 are left"]
    with pytest.raises(Unavailable, match="3 of 3 are left"):
        await newer.gather_facts("meridian", [AllWhere(Jar)])
    await refolder.look()
    assert refolder.unready() == []
    assert len((await newer.gather_facts("meridian", [AllWhere(Jar)]))[AllWhere(Jar)]) == 3
    assert await folds.declarations() == {"jar": "by colour"}

    await sql.execute("UPDATE states SET shape = 1")
    again = Refolder(folds, [later], {"jar": "by colour"})
    await again._compare()
    assert again.unready() == [], "they have been complete before; what comes late is folded in the background"


async def test_what_is_stuck_does_not_keep_a_process_from_being_ready(
    handler: Handler, newer: Handler, folds: Folds
) -> None:
    await newer.handle(ask(Label(label="salt"), uuid4(), aggregate=later))
    await handler.handle(ask(Label(label="salt"), uuid4()))
    refolder = Refolder(folds, [later], {"jar": "by colour"})
    await refolder._compare()
    assert len(refolder.unready()) == 1
    await refolder.look()
    assert (refolder.unready(), refolder.stuck) == ([], 1)


async def test_an_older_replica_does_not_take_back_what_a_newer_one_declared(folds: Folds) -> None:
    await folds.declare("jar", 2, "by colour")
    older = Refolder(folds, [jars], {"jar": "by nothing"})
    await older._compare()
    assert older.unready() == []
    assert await folds.declarations() == {"jar": "by colour"}


async def test_it_runs_by_itself_also_before_the_database_can_be_reached(
    handler: Handler, folds: Folds, sql: asyncpg.Connection
) -> None:
    await handler.handle(ask(Put(things=1), uuid4()))
    await sql.execute("ALTER TABLE list_declarations RENAME TO elsewhere")
    refolder = Refolder(folds, [later], {"jar": "by colour"}, every=0.05)
    await refolder.start()
    assert refolder.unready() == ["it is not known yet whether the lists are complete"]
    await sql.execute("ALTER TABLE elsewhere RENAME TO list_declarations")

    async def ready() -> bool:
        return not refolder.unready()

    await until(ready)
    assert await sql.fetchval("SELECT count(*) FROM list_declarations") == 1
    assert await sql.fetchval("SELECT shape FROM states") == 2
    await refolder.stop()
    assert refolder.complaints() == []
