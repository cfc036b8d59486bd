"""When things around us go wrong, nothing stops for good, nothing storms, and nothing is left to an operator."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from uuid import uuid4

import asyncpg
import pytest
from making import PAST, a_row, an_append, ask
from toy_jar import Label, Put, Wind, jars

from events import scheduler as scheduling
from events.handling import Handler
from events.scheduler import Scheduler
from events.store.database import Database
from events.store.port import Answer, Append, ClaimHeld, Origin, Recorded
from events.store.postgres import DUE, PostgresStore
from events.store.writer import ROWS_AT_ONCE, Writer

# --- claims -----------------------------------------------------------------------------------------------------------


async def test_a_reaction_whose_claim_was_let_go_of_on_the_way_to_its_holder_goes_back_to_its_own_stream(
    db: Database, elsewhere: Handler
) -> None:
    """Else it would be decided by a stream that has nothing to do with it any more, and refused by one that is over."""
    holder, own = uuid4(), uuid4()
    await elsewhere.handle(ask(Label(label="red"), holder))

    class LetsGo(PostgresStore):
        async def append(self, batch: Sequence[Append]) -> list[Answer]:
            answers = await super().append(batch)
            if any(isinstance(answer, ClaimHeld) for answer in answers):
                await elsewhere.handle(ask(Label(label="blue"), holder))
            return answers

    writer = Writer(store := LetsGo(db))
    writer.start()
    recorded = await Handler(store, writer, [jars]).handle(ask(Label(label="red"), own, origin=Origin.NEWS))
    assert recorded.stream == own
    assert (await elsewhere.read(jars, "meridian", holder)).state.label == "blue"
    assert await store.holder("meridian", "label:red") == ("jar", own)
    await writer.stop()


# --- deadlines --------------------------------------------------------------------------------------------------------


async def test_looking_for_what_is_due_reads_only_what_is_due(sql: asyncpg.Connection) -> None:
    """It is done twice a second, among all open deadlines of all tenants."""
    await sql.execute("""
        INSERT INTO states SELECT 't', 'jar', gen_random_uuid(), 1, 0, 1, '{}', now() + n * interval '1 minute'
        FROM generate_series(1, 5000) n
    """)
    await sql.execute("ANALYZE states")
    asked = DUE.text.replace(":limit", "200").replace(":kinds", "'{jar}'").replace(":shapes", "'{1}'")
    asked = asked.replace(":after_tenant", "''").replace(":after_kind", "''").replace(":after,", "NULL,")
    asked = asked.replace(":after_stream", "CAST(NULL AS uuid)")
    plan = "\n".join(row[0] for row in await sql.fetch(f"EXPLAIN {asked}"))
    assert "Index Cond: ((deadline <=" in plan, plan


async def test_a_deadline_that_is_later_by_todays_code_is_parked_until_its_row_is_folded_anew(
    store: PostgresStore, handler: Handler, sql: asyncpg.Connection
) -> None:
    """The row of an older shape keeps its deadline: nothing follows, and nothing would for ever, twice a second."""
    jar, scheduler = uuid4(), Scheduler(store, handler)
    await handler.handle(ask(Wind(rings=(await store.now() + timedelta(days=1),)), jar))
    await sql.execute("UPDATE states SET shape = 0, deadline = $1", PAST)
    assert [await scheduler.look() for _ in range(3)] == [1, 0, 0]
    assert scheduler.parked == 1
    await handler.handle(ask(Put(things=1), jar))
    assert await scheduler.look() == 0
    assert scheduler.parked == 0


async def test_a_parked_deadline_is_an_alarm_also_for_a_process_that_started_later(
    store: PostgresStore, handler: Handler
) -> None:
    jar = uuid4()
    await handler.handle(ask(Wind(rings=(PAST,), broken=True), jar))
    await Scheduler(store, handler).look()
    later = Scheduler(store, handler)
    await later.look()
    assert later.parked == 1


async def test_many_deadlines_that_only_newer_code_can_handle_do_not_keep_an_old_replica_busy(
    store: PostgresStore, handler: Handler, sql: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scheduling, "BATCH", 3)
    for _ in range(3):
        await handler.handle(ask(Wind(rings=(PAST,)), uuid4()))
    await sql.execute("UPDATE states SET shape = 99")
    looks = 0

    class Counting(PostgresStore):
        async def due(self, limit: int, shapes=None, *, after=None):  # type: ignore[no-untyped-def]
            nonlocal looks
            looks += after is None
            return await super().due(limit, after=after)

    scheduler = Scheduler(Counting(store._db), handler, every=0.2)
    scheduler.start()
    await asyncio.sleep(0.7)
    await scheduler.stop()
    assert 1 <= looks <= 5


# --- large batches ----------------------------------------------------------------------------------------------------


async def test_a_batch_ends_where_its_side_rows_could_outlast_the_statement_timeout(store: PostgresStore) -> None:
    """Else everybody in it, small commands too, would be told 503, come again together, and be told so again."""
    batches: list[int] = []

    class Noting(PostgresStore):
        async def append(self, batch: Sequence[Append]) -> list[Answer]:
            batches.append(sum(len(each.rows) for each in batch))
            return await super().append(batch)

    writer = Writer(Noting(store._db))
    appends = [an_append(rows=[a_row(f"w-{n}-{k}") for k in range(500)]) for n in range(20)]
    writer.start()
    assert all(isinstance(each, Recorded) for each in await asyncio.gather(*map(writer.append, appends)))
    assert max(batches) <= ROWS_AT_ONCE
    await writer.stop()


async def test_plans_made_while_tables_were_small_still_use_the_index_when_they_are_large(
    store: PostgresStore, sql: asyncpg.Connection
) -> None:
    """The writer's session keeps its plans; statistics come a minute later, and a first import is done by then."""
    for _ in range(8):
        await store.append([an_append(rows=[a_row(str(uuid4()))], claims=[str(uuid4())])])
    await sql.execute("""
        INSERT INTO claims SELECT 'meridian', n::text, 'jar', gen_random_uuid() FROM generate_series(1, 20000) n;
        INSERT INTO side_rows SELECT 'meridian', 'jar', gen_random_uuid(), 'weight', 'scale', n::text, '1', 1, 1
        FROM generate_series(1, 20000) n;
    """)
    before = await _read(sql)
    await store.append([an_append(rows=[a_row(str(uuid4()))], claims=[str(uuid4())]) for _ in range(20)])
    assert await _read(sql) - before < 1000


async def _read(sql: asyncpg.Connection) -> int:
    """Rows that scans of the large tables have read so far."""
    await asyncio.sleep(1.2)  # a session tells its counts once a second
    await sql.execute("SELECT pg_stat_clear_snapshot()")
    return int(
        await sql.fetchval("""
            SELECT sum(seq_tup_read + coalesce(idx_tup_fetch, 0)) FROM pg_stat_user_tables
            WHERE relname IN ('claims', 'side_rows')
        """)
    )
