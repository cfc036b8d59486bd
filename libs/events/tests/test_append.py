"""Append on PostgreSQL: what holds when processes are killed, clocks step back, and people have SQL."""

import asyncio
from asyncio.subprocess import Process
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import asyncpg
import pytest
from making import a_row, an_append
from processes import client, lines, until
from racing import an_append_waits, assert_dense, hold_head

from events.kernel import Unacceptable
from events.store.database import Database
from events.store.port import Recorded, Unavailable, Unstorable
from events.store.postgres import PostgresStore

Session = asyncpg.Connection


async def test_positions_are_dense_after_a_batch_was_rolled_back(store: PostgresStore, sql: Session) -> None:
    await store.append([an_append(events=2)])
    with pytest.raises(Unstorable):
        await store.append([an_append(events=3), an_append(claims=["\x00"])])
    transaction = sql.transaction()
    await transaction.start()
    await sql.execute("SELECT append($1)", "[]")
    await sql.execute(
        "INSERT INTO commands SELECT 'x', gen_random_uuid(), '', '', '', gen_random_uuid(), 1, 9, 1, now()"
    )
    await transaction.rollback()
    (answer,) = await store.append([an_append()])
    assert isinstance(answer, Recorded)
    assert answer.position == 3
    assert await assert_dense(sql) == 3


async def test_positions_are_dense_after_a_client_was_killed_in_the_middle_of_an_append(
    database: str, store: PostgresStore, sql: Session
) -> None:
    command = uuid4()
    transaction = await hold_head(sql)
    async with client(database, "append-once", str(command)) as process:
        await until(lambda: an_append_waits(sql))
        process.kill()
        await process.wait()
    await transaction.rollback()
    await store.append([an_append()])
    (answer,) = await store.append([an_append(command, command=command, events=2)])
    assert isinstance(answer, Recorded)
    assert await assert_dense(sql) == 3
    assert [event.version for event in await store.stream("meridian", "jar", command)] == [1, 2]


async def test_processes_that_are_killed_at_random_lose_nothing_acknowledged_and_leave_no_gap(
    database: str, sql: Session
) -> None:
    said: list[str] = []

    async def kill_after(process: Process, count: int) -> None:
        said.extend(await lines(process, count))
        process.kill()
        rest, _ = await process.communicate()
        said.extend(line for line in rest.decode().splitlines(keepends=False) if len(line.split()) == 2)

    async with client(database, "append-for-ever") as one, client(database, "append-for-ever") as other:
        await asyncio.gather(kill_after(one, 40), kill_after(other, 150))
    busy = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'closeloop appends' AND state = 'active'"
    await until(lambda: _none(sql, busy))
    recorded = {(str(row[0]), row[1]) for row in await sql.fetch("SELECT id, position FROM commands")}
    acknowledged = {(line.split()[0], int(line.split()[1])) for line in said[:-1]}
    assert len(acknowledged) >= 180
    assert acknowledged <= recorded
    await assert_dense(sql)


async def _none(sql: Session, query: str) -> bool:
    return await sql.fetchval(query) == 0


@pytest.mark.parametrize(("window", "done"), [("W1", False), ("W2", True)])
async def test_a_process_killed_around_its_append_finds_out_by_sending_the_same_id_again(
    database: str, store: PostgresStore, sql: Session, window: str, done: bool
) -> None:
    command = uuid4()
    async with client(database, "append-once", str(command), failpoint=f"{window}:kill9:1") as process:
        assert await process.wait() == -9
    (answer,) = await store.append([an_append(command, command=command, events=2)])
    assert isinstance(answer, Recorded)
    assert (answer.first, answer.version) == (not done, 2)
    assert await assert_dense(sql) == 2


async def test_a_client_that_stops_in_the_middle_holds_no_lock(db: Database, store: PostgresStore) -> None:
    """No transaction stays open between two statements of ours, so there is none that a stopped client could hold."""
    async with db.appends.connect() as connection:
        await connection.exec_driver_sql("SELECT append('[]')")
        answers = await PostgresStore(Database(db.reads, db.reads, db.writes, db.relay)).append([an_append()])
    assert isinstance(answers[0], Recorded)


async def test_numbers_are_given_under_the_lock_and_so_in_commit_order(store: PostgresStore, sql: Session) -> None:
    transaction = await hold_head(sql)
    waiting = asyncio.create_task(store.append([an_append()]))
    await until(lambda: an_append_waits(sql))
    await sql.execute("UPDATE head SET position = position + 10")
    await transaction.commit()
    (answer,) = await waiting
    assert isinstance(answer, Recorded)
    assert answer.position == 11


async def test_recorded_time_does_not_follow_a_clock_that_steps_back(store: PostgresStore, sql: Session) -> None:
    future = datetime(2190, 1, 1, tzinfo=UTC)
    await sql.execute("UPDATE head SET recorded_at = $1", future)
    for _ in range(2):
        await store.append([an_append()])
    assert [row[0] for row in await sql.fetch("SELECT recorded_at FROM events")] == [future, future]
    assert await sql.fetchval("SELECT recorded_at FROM head") == future


async def test_a_position_once_told_for_an_instant_stays_final_where_the_clock_steps_back(
    store: PostgresStore, sql: Session
) -> None:
    """What is recorded later is recorded after that instant, whatever the clock says by then."""
    await store.append([an_append()])
    instant = await sql.fetchval("SELECT clock_timestamp()")
    assert await store.position_at(instant) == 1
    assert await sql.fetchval("SELECT recorded_at FROM head") > instant


async def test_what_was_recorded_before_the_clock_stepped_back_is_not_in_the_future(
    store: PostgresStore, sql: Session
) -> None:
    future = datetime(2190, 1, 1, tzinfo=UTC)
    await sql.execute("UPDATE head SET recorded_at = $1", future)
    for _ in range(2):
        await store.append([an_append()])
        assert await store.position_at(future) == 1
    with pytest.raises(Unacceptable):
        await store.position_at(future + timedelta(days=1))


async def test_recorded_time_is_taken_under_the_lock_so_a_position_once_told_for_an_instant_is_final(
    store: PostgresStore, sql: Session
) -> None:
    transaction = sql.transaction()
    await transaction.start()
    await sql.execute("SELECT FROM head FOR SHARE")
    waiting = asyncio.create_task(store.append([an_append()]))
    await until(lambda: an_append_waits(sql))
    instant = await sql.fetchval("SELECT clock_timestamp()")
    await transaction.commit()
    await waiting
    assert await sql.fetchval("SELECT recorded_at FROM events") > instant
    assert await store.position_at(instant) == 0


async def test_an_instant_gets_its_position_only_when_the_appends_in_flight_have_ended(
    store: PostgresStore, sql: Session
) -> None:
    instant = await sql.fetchval("SELECT clock_timestamp()")
    transaction = await hold_head(sql)
    asked = asyncio.create_task(store.position_at(instant))
    await until(lambda: an_append_waits(sql))
    assert not asked.done()
    await transaction.commit()
    assert await asked == 0


@pytest.mark.parametrize("table", ["events", "side_rows"])
@pytest.mark.parametrize("change", ["UPDATE {} SET tenant = 'x'", "DELETE FROM {}", "TRUNCATE {}"])
async def test_facts_cannot_be_changed_or_removed(store: PostgresStore, sql: Session, table: str, change: str) -> None:
    await store.append([an_append(rows=[a_row()])])
    with pytest.raises(asyncpg.InsufficientPrivilegeError, match="is a record"):
        await sql.execute(change.format(table))
    assert await sql.fetchval(f"SELECT count(*) FROM {table} WHERE tenant = 'meridian'") == 1


async def test_two_replicas_append_to_one_stream_only_one_wins_each_version(
    store: PostgresStore, database: str
) -> None:
    stream, other = uuid4(), Database.at(database)
    for version in range(10):
        answers = await asyncio.gather(
            *(each.append([an_append(stream, expected=version)]) for each in (store, PostgresStore(other)))
        )
        assert [isinstance(answer, Recorded) for (answer,) in answers].count(True) == 1
    await other.close()


async def test_an_append_that_cannot_get_the_lock_is_undone_and_says_so(store: PostgresStore, sql: Session) -> None:
    append = an_append()
    transaction = await hold_head(sql)
    with pytest.raises(Unavailable, match="55P03"):
        await store.append([append])
    await transaction.rollback()
    assert (await store.load("meridian", "jar", append.stream, append.command)).recorded is None


async def test_deadlines_keep_their_instant_whatever_the_offset(store: PostgresStore) -> None:
    due = datetime.fromisoformat("2020-03-29T01:59:59.999999+01:00")
    await store.append([an_append(deadline=due)])
    (found,) = await store.due(10)
    assert found.deadline - due == timedelta(0)


async def test_a_surrogate_that_no_text_can_hold_is_refused_as_data(store: PostgresStore) -> None:
    with pytest.raises(Unstorable):
        await store.append([an_append(UUID(int=1), metadata="\ud800")])
