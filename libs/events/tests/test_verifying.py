"""Verification names every way in which what is derived can be wrong, beside a running service, and changes nothing."""

import asyncio
from dataclasses import replace
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest
from derived import DAMAGES, fill, rows
from later_jar import later
from making import an_append, an_event, ask
from sqlalchemy import text
from toy_jar import Put, Weighed, jars

from events.handling import Handler
from events.kernel import Row, Vouched, fingerprint
from events.store.database import Database
from events.store.port import Unavailable
from events.store.postgres import PostgresStore
from events.store.snapshot import snapshot
from events.verifying import Findings, Verification

JARS = {"jar": jars}
CHANGE = "SET session_replication_role = replica"
"""What is kept by triggers can only be changed by somebody who may switch them off."""


async def verified(db: Database, aggregates: Any = JARS) -> tuple[list[str], Findings]:
    found: list[str] = []
    findings = await Verification(db, aggregates, lambda difference: found.append(str(difference))).run()
    assert findings.differences == len(found)
    return found, findings


async def test_what_is_right_shows_no_difference(db: Database, handler: Handler) -> None:
    for number in range(1, 6):
        await fill(handler, number)
    found, findings = await verified(db)
    assert found == []
    assert (findings.streams, findings.events, findings.commands) == (5, 30, 30)


async def test_positions_that_a_restore_has_left_out_are_not_missing(
    db: Database, handler: Handler, sql: asyncpg.Connection
) -> None:
    await fill(handler, 1)
    await sql.execute(CHANGE)
    await sql.execute("UPDATE head SET position = 9")
    assert len((await verified(db))[0]) == 3
    await sql.execute("INSERT INTO restores VALUES (1, clock_timestamp(), 6, 8, 2)")
    assert [str(each) for each in (await verified(db))[0]] == ["the log: there is no event at position 9"]


SAID = {
    "a wrong state": "the state differs in things",
    "a wrong way of writing": "the state differs in its bytes",
    "a wrong version": "the row is at version 5, the events at 6",
    "a wrong public version": "the row is at public version 2, the events at 1",
    "a wrong deadline": "the deadline is 2020-01-02 00:00:00+00:00, and should be 2020-01-01 00:00:00+00:00",
    "no deadline": "the deadline is None, and should be",
    "no row": "there are events, but no row",
    "no claim": "it claims [], and should claim ['label:l3']",
    "a claim too many": "it claims ['label:l3', 'label:more'], and should claim ['label:l3']",
    "a claim of nobody": "there is claims, but no event",
    "a row of nothing": "there is a row, but no event",
}


@pytest.mark.parametrize(("damage", "said"), [(DAMAGES[name], said) for name, said in SAID.items()], ids=SAID)
async def test_whatever_is_derived_and_wrong_is_named(
    db: Database, handler: Handler, sql: asyncpg.Connection, damage: str, said: str
) -> None:
    jar = await fill(handler, 3)
    await sql.execute(damage)
    before = await rows(sql)
    ((difference,), _) = await verified(db)
    assert said in difference
    assert f"meridian jar {jar}" in difference or "but no event" in difference
    assert await rows(sql) == before


TAMPERED = {
    "DELETE FROM events WHERE version = 3": ["there is no event at position 3", "event 4 follows event 2"],
    "DELETE FROM events WHERE version = 6": [
        "there is no event at position 6",
        "the row is at version 6, the events at 5",
        "1 side rows are vouched for by no event",
        "it names version 6 of jar",
        "the state differs",
    ],
    "UPDATE events SET data = '{\"things\":4}' WHERE version = 1": ["the state differs in things"],
    'UPDATE events SET data = \'{"things":"x"}\' WHERE version = 1': ["event 1 cannot be folded: ValidationError"],
    "UPDATE events SET public_version = 7 WHERE public_version = 1": [
        "event 3 has public version 7, not 1",
    ],
    "UPDATE events SET recorded_at = '2020-01-01Z' WHERE version = 4": ["recorded time goes back"],
    "UPDATE head SET position = 7": ["there is no event at position 7"],
    "UPDATE head SET position = 5": ["the head says 5, but there is an event at 6", "it names position 6"],
    "DELETE FROM side_rows WHERE id = 'a'": ["the event at position 4 vouches for 2 side rows, there are 1"],
    "UPDATE side_rows SET body = '77' WHERE id = 'b'": [
        "the side rows of the event at position 4 are not those that it vouches for"
    ],
    "INSERT INTO side_rows SELECT tenant, kind, stream, name, source, 'z', body, 9, 1 FROM side_rows WHERE id = 'c'": [
        "1 side rows are vouched for by no event"
    ],
    "UPDATE commands SET version = 9 WHERE version = 2": ["it names version 9 of jar"],
    "UPDATE commands SET position = 1 WHERE version = 2": ["it names position 1, its version is at 2"],
}


def weighed(event: Any) -> Vouched | None:
    """What a careful jar would say of its weights."""
    if not isinstance(event, Weighed):
        return None
    bodies = ["3", "2"] if event.count == 2 else ["3"]
    body = fingerprint(Row(table="", source="", id="", body=each) for each in bodies)
    return Vouched(rows=event.count, sha256=body)


@pytest.mark.parametrize(("tampering", "said"), TAMPERED.items(), ids=list(TAMPERED))
async def test_tampering_with_facts_is_named(
    db: Database, handler: Handler, sql: asyncpg.Connection, tampering: str, said: list[str]
) -> None:
    await fill(handler, 3)
    careful = {"jar": replace(jars, vouches=weighed)}
    assert (await verified(db, careful))[0] == []
    await sql.execute(CHANGE)
    await sql.execute(tampering)
    found, _ = await verified(db, careful)
    for each in said:
        assert any(each in difference for difference in found), found


async def test_older_shapes_are_counted_newer_ones_and_unknown_kinds_are_named_as_not_compared(
    db: Database, store: PostgresStore, handler: Handler
) -> None:
    await fill(handler, 1)
    strange = an_append(uuid4(), events=[an_event(9)])
    await store.append([strange, an_append(uuid4(), kind="pot")])
    found, findings = await verified(db, {"jar": later})
    assert (found, findings.older, findings.newer, findings.unknown) == ([], 2, 1, {"pot"})
    found, findings = await verified(db, {"jar": replace(jars, shape=0)})
    assert (found, findings.newer) == ([], 2)


async def test_it_sees_no_difference_in_what_is_appended_meanwhile(db: Database, handler: Handler) -> None:
    streams = [await fill(handler, number) for number in range(1, 21)]
    stop = asyncio.Event()

    async def work(jar: UUID) -> None:
        while not stop.is_set():
            await handler.handle(ask(Put(things=1), jar))

    working = [asyncio.create_task(work(jar)) for jar in streams[:5]]
    seen = [await verified(db) for _ in range(5)]
    stop.set()
    await asyncio.gather(*working)
    assert [found for found, _ in seen] == [[]] * 5
    assert seen[0][1].commands < seen[-1][1].commands


async def test_it_cannot_write_even_by_mistake(db: Database, handler: Handler, sql: asyncpg.Connection) -> None:
    await fill(handler, 1)
    with pytest.raises(Unavailable, match="25006"):
        async with snapshot(db) as moment:
            await moment._all(text("DELETE FROM states"), {})
    assert await sql.fetchval("SELECT count(*) FROM states") == 1
    assert (await handler.handle(ask(Put(things=1), uuid4()))).version == 1


async def test_a_history_longer_than_memory_allows_is_read_as_it_comes(
    db: Database, handler: Handler, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One stream of many events, many streams of few, and every page border."""
    monkeypatch.setattr("events.rebuilding.PAGE", 2)
    monkeypatch.setattr("events.refolding.EVENTS_AT_ONCE", 5)
    monkeypatch.setattr("events.verifying.POSITIONS_AT_ONCE", 7)
    monkeypatch.setattr("events.verifying.COMMANDS_AT_ONCE", 4)
    long = uuid4()
    for _ in range(12):
        await handler.handle(ask(Put(things=2), long))
    for number in range(1, 6):
        await fill(handler, number)
    found, findings = await verified(db)
    assert (found, findings.streams, findings.events, findings.commands) == ([], 6, 42, 42)
