"""The writer on a real server: one transaction for many, and an answer for everybody whatever goes wrong."""

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest
from making import an_append, an_event, ask
from processes import until
from racing import an_append_waits, assert_dense, hold_head
from toy_jar import Put, jars
from wire import wire_to

from events.handling import Handler
from events.store.database import Database
from events.store.port import Answer, Append, OutcomeUnknown, Recorded, Unavailable, Unstorable
from events.store.postgres import PostgresStore
from events.store.writer import Writer

Session = asyncpg.Connection
APPENDING = (
    "SELECT pid FROM pg_stat_activity WHERE application_name = 'closeloop appends' AND datname = current_database()"
)


@asynccontextmanager
async def writing(store: Any, **settings: Any) -> AsyncIterator[Writer]:
    writer = Writer(store, **settings)
    writer.start()
    yield writer
    await writer.stop()


async def is_recorded(sql: Session, command: UUID) -> bool:
    return bool(await sql.fetchval("SELECT EXISTS (SELECT FROM commands WHERE id = $1)", command))


async def answers_of(writer: Writer, appends: Sequence[Append]) -> list[Answer | BaseException]:
    return await asyncio.gather(*(writer.append(each) for each in appends), return_exceptions=True)


# --- together


async def test_64_clients_need_at_most_one_transaction_for_8_commands(
    db: Database, writer: Writer, sql: Session
) -> None:
    async def transactions() -> int:
        async with db.appends.connect() as connection:
            await connection.exec_driver_sql("SELECT pg_stat_force_next_flush()")
        await asyncio.sleep(0)
        count = "SELECT xact_commit FROM pg_stat_database WHERE datname = current_database()"
        return int(await sql.fetchval(count))

    async def client() -> None:
        for _ in range(8):
            answer = await writer.append(an_append())
            assert isinstance(answer, Recorded)

    before = await transactions()
    await asyncio.gather(*(client() for _ in range(64)))
    needed = await transactions() - before
    assert 0 < needed <= 64 * 8 / 8
    assert await assert_dense(sql) == 64 * 8


async def test_answers_go_to_those_who_asked(writer: Writer) -> None:
    stream = uuid4()
    appends = [an_append(stream, expected=n) for n in range(20)]
    answers = await answers_of(writer, [*appends, an_append(stream)])
    assert [getattr(answer, "version", None) for answer in answers] == [*range(1, 21), None]


# --- data that the database refuses


DUPLICATE = an_event()


@pytest.mark.parametrize(
    "poisoned",
    [
        an_append(state='{"a": "\\u0000"}'),
        an_append(claims=["\x00"]),
        an_append(status=70_000),
        an_append(events=[DUPLICATE, DUPLICATE]),
        an_append(metadata="\ud800"),
    ],
    ids=["NUL in the state", "NUL in a claim", "number out of range", "event id twice", "half a character"],
)
async def test_a_poisoned_command_fails_alone_among_innocent_ones(
    writer: Writer, sql: Session, poisoned: Append
) -> None:
    innocent = [an_append() for _ in range(20)]
    answers = await answers_of(writer, [*innocent[:13], poisoned, *innocent[13:]])
    assert isinstance(answers.pop(13), Unstorable)
    assert all(isinstance(answer, Recorded) for answer in answers)
    assert not await is_recorded(sql, poisoned.command)
    assert await assert_dense(sql) == 20


# --- a database that cannot now


@pytest.mark.parametrize("state", ["53100", "53300", "55P03", "57014", "40P01"])
async def test_what_the_database_cannot_do_now_is_unavailable_and_not_done(
    writer: Writer, sql: Session, state: str
) -> None:
    await sql.execute(f"""
        CREATE FUNCTION cannot() RETURNS trigger LANGUAGE plpgsql AS
            $$ BEGIN RAISE EXCEPTION 'not now' USING ERRCODE = '{state}'; END $$;
        CREATE TRIGGER cannot BEFORE INSERT ON commands FOR EACH ROW EXECUTE FUNCTION cannot()""")
    append = an_append()
    answers = await answers_of(writer, [append, an_append()])
    assert [type(answer) for answer in answers] == [Unavailable, Unavailable]
    assert await assert_dense(sql) == 0
    await sql.execute("DROP TRIGGER cannot ON commands")
    again = await writer.append(append)
    assert isinstance(again, Recorded)
    assert again.first


async def test_a_statement_that_somebody_cancels_is_not_done(writer: Writer, sql: Session) -> None:
    append = an_append()
    transaction = await hold_head(sql)
    waiting = asyncio.create_task(writer.append(append))
    await until(lambda: an_append_waits(sql))
    await sql.execute(f"SELECT pg_cancel_backend(pid) FROM ({APPENDING}) AS a")
    with pytest.raises(Unavailable, match="57014"):
        await waiting
    await transaction.rollback()
    assert not await is_recorded(sql, append.command)


async def test_why_nothing_could_be_written_is_known_until_something_was_or_nobody_tries(
    writer: Writer, sql: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def is_refused() -> None:
        transaction = await hold_head(sql)
        with pytest.raises(Unavailable, match="55P03"):
            await writer.append(an_append())
        await transaction.rollback()

    assert writer.trouble == ""
    await is_refused()
    assert "55P03" in writer.trouble
    await writer.append(an_append())
    assert writer.trouble == ""
    monkeypatch.setattr("events.store.writer.TROUBLE_LASTS", 0.0)
    await is_refused()
    assert writer.trouble == ""


# --- a connection that is lost


async def test_a_batch_whose_connection_is_lost_before_it_was_done_is_sent_again(writer: Writer, sql: Session) -> None:
    transaction = await hold_head(sql)
    appends = [an_append() for _ in range(8)]
    waiting = asyncio.create_task(answers_of(writer, appends))
    await until(lambda: an_append_waits(sql))
    await sql.execute(f"SELECT pg_terminate_backend(pid) FROM ({APPENDING}) AS a")
    await transaction.rollback()
    answers = await waiting
    assert all(isinstance(answer, Recorded) and answer.first for answer in answers)
    assert await assert_dense(sql) == 8


async def test_a_batch_whose_answer_is_lost_after_it_was_done_is_sent_again_and_done_once(
    database: str, db: Database, sql: Session
) -> None:
    async with wire_to(database) as wire:
        behind = Database.at(wire.url)
        async with writing(PostgresStore(behind)) as writer:
            await writer.append(an_append())
            wire.answers_get_lost = True
            appends = [an_append() for _ in range(8)]
            waiting = asyncio.create_task(answers_of(writer, appends))
            await wire.lost.wait()
            await until(lambda: is_recorded(sql, appends[0].command))
            wire.answers_get_lost = False
            wire.cut()
            answers = await waiting
        await behind.close()
    assert isinstance(answers[0], Recorded)
    assert not answers[0].first
    assert all(isinstance(answer, Recorded) for answer in answers)
    assert await assert_dense(sql) == 9


async def test_a_lost_command_that_is_then_unavailable_has_an_unknown_outcome(store: PostgresStore) -> None:
    """It was sent twice: the second time it was surely undone, the first time nobody knows."""

    class Losing:
        tries = 0

        async def append(self, _: Sequence[Append]) -> list[Answer]:
            self.tries += 1
            raise OutcomeUnknown("lost") if self.tries == 1 else Unavailable("not now")

    async with writing(Losing()) as writer:
        with pytest.raises(OutcomeUnknown):
            await writer.append(an_append())


# --- clients that go away, and too many of them


async def test_a_client_that_hangs_up_withdraws_nothing(writer: Writer, sql: Session) -> None:
    sent, queued = an_append(), an_append()
    transaction = await hold_head(sql)
    first = asyncio.create_task(writer.append(sent))
    await until(lambda: an_append_waits(sql))
    second = asyncio.create_task(writer.append(queued))
    await asyncio.sleep(0)
    first.cancel()
    second.cancel()
    await asyncio.wait([first, second])
    await transaction.rollback()
    for append in (sent, queued):
        await until(partial(is_recorded, sql, append.command))


async def test_nobody_is_told_done_before_append_has_returned(writer: Writer, sql: Session) -> None:
    transaction = await hold_head(sql)
    waiting = asyncio.create_task(writer.append(an_append()))
    await until(lambda: an_append_waits(sql))
    assert not waiting.done()
    await transaction.rollback()
    assert isinstance(await waiting, Recorded)


async def test_a_full_queue_turns_away_at_once_and_what_it_holds_is_done(store: PostgresStore, sql: Session) -> None:
    async with writing(store, queue=4) as writer:
        transaction = await hold_head(sql)
        tasks = [asyncio.create_task(writer.append(an_append()))]
        await until(lambda: an_append_waits(sql))
        tasks += [asyncio.create_task(writer.append(an_append())) for _ in range(4)]
        await asyncio.sleep(0)
        with pytest.raises(Unavailable, match="too many"):
            await writer.append(an_append())
        await transaction.rollback()
        assert all(isinstance(answer, Recorded) for answer in await asyncio.gather(*tasks))
    assert await assert_dense(sql) == 5


# --- the writer itself


async def test_what_waits_at_the_end_is_still_written_and_nothing_is_taken_after_it(
    store: PostgresStore, sql: Session
) -> None:
    async with writing(store) as writer:
        tasks = [asyncio.create_task(writer.append(an_append())) for _ in range(200)]
        await asyncio.sleep(0)
    assert all(isinstance(answer, Recorded) for answer in await asyncio.gather(*tasks))
    with pytest.raises(Unavailable):
        await writer.append(an_append())
    assert await assert_dense(sql) == 200


async def test_an_unexpected_error_answers_those_who_wait_and_the_writer_goes_on(store: PostgresStore) -> None:
    class Failing:
        failed = False

        async def append(self, batch: Sequence[Append]) -> list[Answer]:
            if not self.failed:
                self.failed = True
                raise ZeroDivisionError
            return await store.append(batch)

    async with writing(Failing()) as writer:
        answers = await answers_of(writer, [an_append(), an_append()])
        assert [repr(answer) for answer in answers] == ["OutcomeUnknown('the writer failed')"] * 2
        assert writer.trouble == "the writer failed: ZeroDivisionError()"
        assert isinstance(await writer.append(an_append()), Recorded)
        assert writer.trouble == ""


async def test_a_writer_that_dies_is_started_again(store: PostgresStore, monkeypatch: pytest.MonkeyPatch) -> None:
    async with writing(store, patience=0.3) as writer:
        with monkeypatch.context() as broken:
            broken.setattr(writer, "_write", None)
            with pytest.raises(OutcomeUnknown):
                await writer.append(an_append())
        assert writer.alive
        assert writer.trouble.startswith("the writer died and begins again: TypeError(")
        assert isinstance(await writer.append(an_append()), Recorded)


@contextmanager
def stopped(processes: Sequence[int]) -> Iterator[None]:
    """These processes stand still."""
    for process in processes:
        os.kill(process, signal.SIGSTOP)
    try:
        yield
    finally:
        for process in processes:
            os.kill(process, signal.SIGCONT)


async def test_every_waiter_gets_an_answer_in_time_also_when_postgres_stands_still(
    store: PostgresStore, sql: Session
) -> None:
    async with writing(store, patience=0.5) as writer:
        await writer.append(an_append())
        backends = [row[0] for row in await sql.fetch(APPENDING)]
        appends = [an_append() for _ in range(8)]
        with stopped(backends):
            started = time.monotonic()
            sent = asyncio.create_task(answers_of(writer, appends[:4]))
            await asyncio.sleep(0)
            queued = await answers_of(writer, appends[4:])
            assert {type(answer) for answer in [*await sent, *queued]} == {OutcomeUnknown}
            assert time.monotonic() - started < 2
        again = [await writer.append(append) for append in appends]
    assert all(isinstance(answer, Recorded) for answer in again)
    assert await assert_dense(sql) == 9


async def test_every_command_gets_an_answer_in_time_also_while_it_is_still_being_decided(
    store: PostgresStore, writer: Writer, sql: Session
) -> None:
    handler = Handler(store, writer, [jars], patience=0.5)

    await handler.handle(ask(Put(things=1), uuid4()))
    ours = "SELECT pid FROM pg_stat_activity WHERE application_name LIKE 'closeloop%' AND datname = current_database()"
    with stopped([row[0] for row in await sql.fetch(ours)]):
        started, jar = time.monotonic(), uuid4()
        asked = [handler.handle(ask(Put(things=1), jar)) for _ in range(4)]
        answers = await asyncio.gather(*asked, return_exceptions=True)
        assert {type(answer) for answer in answers} <= {OutcomeUnknown, Unavailable}
        assert time.monotonic() - started < 5
