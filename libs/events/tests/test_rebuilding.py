"""Rebuilding puts right whatever is derived, beside those who read and append, and touches nothing that is right."""

import asyncio
from contextlib import suppress
from dataclasses import replace
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest
from derived import DAMAGES, fill, rows
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from later_jar import later
from making import an_append, an_event, ask
from processes import client
from toy_jar import Label, Put, jars

from events.handling import Handler, Held
from events.rebuilding import Rebuild, Tally
from events.store.database import Database
from events.store.folds import Became, Folds
from events.store.postgres import PostgresStore
from events.store.writer import Writer

JARS = {"jar": jars}


async def rebuilt(db: Database, aggregates: Any = JARS, kind: str | None = None) -> Tally:
    return await Rebuild(Folds(db), aggregates, longest_command=0.05).run(kind)


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
async def test_what_is_wrong_is_put_right_byte_for_byte(
    db: Database, handler: Handler, sql: asyncpg.Connection, damage: str
) -> None:
    await fill(handler, 3)
    before = await rows(sql)
    claims = await sql.fetch("SELECT * FROM claims")
    await sql.execute(damage)
    tally = await rebuilt(db)
    assert await rows(sql) == before
    assert await sql.fetch("SELECT * FROM claims") == claims
    assert (tally.mended, tally.left) == (1, [])


async def test_what_is_right_is_not_even_written(db: Database, handler: Handler, sql: asyncpg.Connection) -> None:
    for number in range(1, 6):
        await fill(handler, number)
    seen = "SELECT array_agg(xmin::text ORDER BY id) FROM states"
    before = await sql.fetchval(seen)
    tally = await rebuilt(db)
    assert (tally.streams, tally.right, tally.mended, tally.renewed) == (5, 5, 0, 0)
    assert await sql.fetchval(seen) == before


async def test_the_claim_that_two_streams_were_given_ends_where_it_belongs(
    db: Database, handler: Handler, sql: asyncpg.Connection
) -> None:
    """The first waits for the second to let go."""
    first, second = await fill(handler, 1), await fill(handler, 2)
    await sql.execute("DELETE FROM claims WHERE stream = $1", first)
    await sql.execute("UPDATE claims SET key = 'label:l1' WHERE stream = $1", second)
    assert (await rebuilt(db)).left == []
    assert await sql.fetch("SELECT key, stream FROM claims ORDER BY key") == [("label:l1", first), ("label:l2", second)]


async def test_rows_of_an_older_shape_are_folded_anew_and_of_a_newer_one_left(
    db: Database, handler: Handler, sql: asyncpg.Connection
) -> None:
    first, second = await fill(handler, 1), await fill(handler, 2)
    await sql.execute("UPDATE states SET shape = 3 WHERE id = $1", second)
    tally = await rebuilt(db, {"jar": later})
    assert (tally.renewed, tally.mended, [each.became for each in tally.left]) == (1, 0, [Became.NEWER])
    shapes = {row["id"]: row["shape"] for row in await rows(sql)}
    assert shapes == {first: 2, second: 3}


async def test_what_newer_code_wrote_and_kinds_that_nobody_knows_are_named_and_left(
    db: Database, store: PostgresStore
) -> None:
    strange = uuid4()
    await store.append([an_append(strange, events=[an_event(9)]), an_append(kind="pot")])
    tally = await rebuilt(db)
    assert [(each.kept.stream, each.became) for each in tally.left] == [(strange, Became.NEWER)]
    assert tally.unknown == {"pot"}


async def test_one_kind_is_rebuilt_alone(db: Database, handler: Handler, sql: asyncpg.Connection) -> None:
    await fill(handler, 1)
    await sql.execute(DAMAGES["a wrong state"])
    assert (await rebuilt(db, {"jar": jars, "pot": jars}, "pot")).streams == 0
    assert (await rebuilt(db, {"jar": jars, "pot": jars}, "jar")).mended == 1


async def test_every_tenant_and_page_is_reached(
    db: Database, handler: Handler, sql: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("events.rebuilding.PAGE", 3)
    for number in range(17):
        tenant = f"t-{number % 3}"
        await handler.handle(replace(ask(Put(things=1), uuid4()), tenant=tenant))
    await sql.execute("UPDATE states SET state = '{}'")
    assert (await rebuilt(db)).mended == 17
    assert await sql.fetchval("SELECT count(*) FROM states WHERE state->>'things' = '1'") == 17


async def test_a_decision_on_what_was_wrong_is_put_right_too(
    db: Database, handler: Handler, sql: asyncpg.Connection
) -> None:
    """It had read the wrong row before that was mended, and appends afterwards."""
    await fill(handler, 1)
    await sql.execute(DAMAGES["a wrong state"])

    class Interrupted(Folds):
        told = False

        async def put(self, folds: Any) -> Any:
            results = await super().put(folds)
            if not self.told:
                self.told = True
                await sql.execute(DAMAGES["a wrong state"])
            return results

    tally = await Rebuild(Interrupted(db), JARS, longest_command=0.05).run()
    assert (tally.mended, tally.left) == (2, [])
    assert await sql.fetchval("SELECT state->>'things' FROM states") == "3"


async def test_what_is_wrong_again_at_every_pass_does_not_keep_it_for_ever(
    db: Database, handler: Handler, sql: asyncpg.Connection
) -> None:
    await fill(handler, 1)

    class Haunted(Folds):
        async def put(self, folds: Any) -> Any:
            await sql.execute(DAMAGES["a wrong state"])
            return await super().put(folds)

    tally = await Rebuild(Haunted(db), JARS, longest_command=0.01).run()
    assert (tally.mended, tally.unsettled) == (5, 1)


async def test_rebuilding_beside_commands_and_readers_loses_nothing_and_holds_up_nobody(
    db: Database, handler: Handler, elsewhere: Handler, sql: asyncpg.Connection
) -> None:
    streams = [await fill(handler, number) for number in range(1, 41)]
    await sql.execute("UPDATE states SET deadline = NULL, public_version = 0 WHERE id::text LIKE '%0'")
    longest, stop = 0.0, asyncio.Event()

    async def work(worker: Handler, jar: UUID) -> int:
        nonlocal longest
        done = 0
        while not stop.is_set():
            begun = asyncio.get_running_loop().time()
            await worker.handle(ask(Put(things=1), jar))
            assert (await worker.read(jars, "meridian", jar)).version > 6
            longest = max(longest, asyncio.get_running_loop().time() - begun)
            done += 1
        return done

    working = [
        asyncio.create_task(work(each, jar)) for each, jar in zip([handler, elsewhere] * 4, streams, strict=False)
    ]
    tallies = await asyncio.gather(rebuilt(db), rebuilt(db))
    stop.set()
    done = sum(await asyncio.gather(*working))
    assert done > 20
    assert longest < 2.0
    assert [tally.left for tally in tallies] == [[], []]
    assert await sql.fetchval("SELECT count(*) FROM states WHERE deadline IS NULL") == 0
    final = await rebuilt(db)
    assert (final.right, final.mended) == (40, 0)
    versions = sum([(await handler.read(jars, "meridian", jar)).version for jar in streams])
    assert versions == 40 * 6 + done


async def test_a_rebuild_that_is_killed_in_the_middle_is_simply_done_again(
    database: str, db: Database, handler: Handler, sql: asyncpg.Connection
) -> None:
    for _ in range(80):
        await handler.handle(ask(Put(things=1), uuid4()))
    await sql.execute("UPDATE states SET state = '{}'")
    async with client(database, "rebuild", failpoint="W9:kill9:2") as process:
        assert await asyncio.wait_for(process.wait(), 30) == -9
    wrong = await sql.fetchval("SELECT count(*) FROM states WHERE state = '{}'")
    assert 0 < wrong < 80
    assert (await rebuilt(db)).mended == wrong


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    commands=st.lists(
        st.tuples(
            st.integers(1, 4), st.one_of(st.builds(Put, things=st.integers(1, 9)), st.builds(Label, label=st.just("a")))
        ),
        min_size=1,
        max_size=25,
    ),
    damages=st.lists(st.sampled_from([*DAMAGES.values()]), max_size=3),
)
async def test_after_whatever_happened_a_rebuild_gives_what_follows_from_the_events(
    db: Database, store: PostgresStore, sql: asyncpg.Connection, commands: Any, damages: list[str]
) -> None:
    """Any history, any damage: what is there afterwards is what was there before the damage."""
    await sql.execute("SET session_replication_role = replica")
    await sql.execute("TRUNCATE events, states, claims, commands; UPDATE head SET position = 0")
    writer = Writer(store)
    writer.start()
    handler = Handler(store, writer, [jars])
    for number, command in commands:
        with suppress(Held):
            await handler.handle(ask(command, UUID(int=number)))
    before, claims = await rows(sql), await sql.fetch("SELECT * FROM claims ORDER BY key")
    for damage in damages:
        await sql.execute(damage + (" ON CONFLICT DO NOTHING" if "INSERT" in damage else ""))
    assert (await rebuilt(db)).left == []
    assert await rows(sql) == before
    assert await sql.fetch("SELECT * FROM claims ORDER BY key") == claims
    await writer.stop()
