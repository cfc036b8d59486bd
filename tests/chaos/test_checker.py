"""The checker notices: one thing at a time is made wrong on a stack that keeps its promises, and set right again.

What cannot happen by the services' own doing is done by SQL, as the superuser and past the triggers.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import asyncpg
import pytest
from answers import same_answers
from arena import Arena
from broadcast import Heard, Mark, check_broadcast, listen
from checker import Checker
from ledger import Asked, Reply
from rows import Rows, read
from verdict import Verdict

TABLES = (
    "events",
    "states",
    "commands",
    "claims",
    "inbox",
    "waiting",
    "dead_letters",
    "parked_deadlines",
    "side_rows",
    "head",
)


@pytest.fixture(scope="module")
def arena() -> Iterator[Arena]:
    """A stack on which a little has happened, at rest."""
    with Arena() as running:
        time.sleep(3)
        running.load.pause()
        running.until(running.quiet, "quiet", 60)
        yield running


@pytest.fixture(scope="module", autouse=True)
def nothing_is_wrong_before(arena: Arena) -> None:
    assert [*Checker(arena).check(everything=True).sentences()] == []


@pytest.fixture(autouse=True)
def answers_of_other_tests_are_forgotten(arena: Arena, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What is asked again of a doctored stack answers as it is doctored; a few such questions are enough."""
    monkeypatch.setattr("answers.ASKED_ONCE_MORE", 5)
    before = {each.key: len(each.replies) for each in arena.load.ledger.since()}
    yield
    for each in arena.load.ledger.since():
        del each.replies[before.get(each.key, len(each.replies)) :]


@contextmanager
def doctored(arena: Arena, service: str, *statements: str) -> Iterator[None]:
    """What the statements change is set right again."""
    keep = [f"CREATE TABLE kept_{table} AS TABLE {table}" for table in TABLES]
    back = [f"DELETE FROM {t}; INSERT INTO {t} SELECT * FROM kept_{t}; DROP TABLE kept_{t}" for t in TABLES]
    url = arena.database_url(service)
    arena.run(_script(url, [*keep, *statements]))
    try:
        yield
    finally:
        arena.run(_script(url, back))


async def _script(url: str, statements: list[str]) -> None:
    connection = await asyncpg.connect(url, server_settings={"session_replication_role": "replica"})
    try:
        async with connection.transaction():
            for each in statements:
                await connection.execute(each)
    finally:
        await connection.close()


@dataclass(frozen=True)
class Wrong:
    """Something wrong in a service's database, and how it must be counted; `says` is part of the sentence."""

    service: str
    statement: str
    counts_as: str
    says: str


ONE_ACTION = "(SELECT id FROM states WHERE kind = 'corrective-action' ORDER BY id LIMIT 1)"
ONE_FINDING = "(SELECT id FROM states WHERE kind = 'finding' AND state->>'grade' = 'major' ORDER BY id LIMIT 1)"
LAST = "(SELECT max(position) FROM events)"
BY_HTTP = "(SELECT id FROM commands WHERE origin = 'http' ORDER BY position DESC LIMIT 1)"
BY_NEWS = "(SELECT id FROM commands WHERE origin = 'news' ORDER BY position LIMIT 1)"
COPIED = """
    INSERT INTO {table} SELECT (jsonb_populate_record(r, '{changes}')).* FROM {table} r WHERE {which}
"""
OTHER_ID = '"00000000-0000-4000-8000-000000000000"'

WRONGS = {
    "the command of a request is gone": Wrong(
        "audit", f"DELETE FROM commands WHERE id = {BY_HTTP}", "lost", "no record of command"
    ),
    "the command of a reaction is gone": Wrong(
        "improvement", f"DELETE FROM commands WHERE id = {BY_NEWS}", "lost", "calls for was not done"
    ),
    "a command that nobody gave": Wrong(
        "audit",
        COPIED.format(table="commands", changes=f'{{"id": {OTHER_ID}}}', which=f"id = {BY_HTTP}"),
        "phantom",
        "nobody asked for command",
    ),
    "a reaction to nothing": Wrong(
        "improvement",
        COPIED.format(table="commands", changes=f'{{"id": {OTHER_ID}}}', which=f"id = {BY_NEWS}"),
        "phantom",
        "no announcement calls for command",
    ),
    "the last event is gone": Wrong("sla", f"DELETE FROM events WHERE position = {LAST}", "wrong", "not dense"),
    "the last events are gone without a trace": Wrong(
        "audit",
        f"""WITH gone AS (DELETE FROM events WHERE position = {LAST} RETURNING kind, stream)
            UPDATE head SET position = position - 1""",
        "lost",
        "made by command",
    ),
    "an event in the middle is gone": Wrong(
        "risk", "DELETE FROM events WHERE position = 30", "wrong", "positions 1 to"
    ),
    "an announcement is gone from log and number": Wrong(
        "audit",
        f"""UPDATE events SET public_body = NULL, public_version = NULL
            WHERE stream = {ONE_FINDING} AND public_version = 1""",
        "phantom",
        "is on the bus, but not in the log",
    ),
    "an event was altered": Wrong(
        "audit",
        "UPDATE events SET data = replace(data, 'Finding 0', 'Finding X') WHERE type LIKE '%raised'",
        "wrong",
        "of the state row is not what its events say",
    ),
    "an event without a command": Wrong(
        "audit",
        f"UPDATE events SET metadata = replace(metadata, substr(metadata::json->>'command', 1, 8), '00000000') "
        f"WHERE position = {LAST}",
        "phantom",
        "no record of its command",
    ),
    "a state was altered": Wrong(
        "audit",
        f"UPDATE states SET state = jsonb_set(state, '{{number}}', '\"F-0\"') WHERE id = {ONE_FINDING}",
        "wrong",
        "state of the state row is not what its events say",
    ),
    "a state is older than its events": Wrong(
        "audit",
        f"UPDATE states SET version = version - 1 WHERE id = {ONE_FINDING}",
        "wrong",
        "version of the state row",
    ),
    "a deadline was forgotten": Wrong(
        "improvement",
        f"UPDATE states SET deadline = NULL WHERE id = {ONE_ACTION}",
        "wrong",
        "deadline of the state row",
    ),
    "a claim was let go of": Wrong(
        "improvement",
        "DELETE FROM claims WHERE ctid = (SELECT ctid FROM claims LIMIT 1)",
        "wrong",
        "is not what its state says",
    ),
    "an action of nobody's doing is gone": Wrong(
        "improvement", f"DELETE FROM states WHERE id = {ONE_ACTION}", "lost", "no action for"
    ),
    "a source is in two actions": Wrong(
        "improvement",
        COPIED.format(table="states", changes=f'{{"id": {OTHER_ID}}}', which=f"id = {ONE_ACTION}"),
        "duplicated",
        "2 actions for",
    ),
    "an action without a source": Wrong(
        "improvement",
        f"UPDATE states SET state = jsonb_set(state, '{{entries}}', '[]') WHERE id = {ONE_ACTION}",
        "phantom",
        "without a source",
    ),
    "an action for what calls for none": Wrong(
        "audit",
        f"UPDATE states SET state = jsonb_set(state, '{{grade}}', '\"observation\"') WHERE id = {ONE_FINDING}",
        "phantom",
        "which calls for none",
    ),
    "a finding does not know its action": Wrong(
        "audit",
        f"UPDATE states SET state = jsonb_set(state, '{{corrective_actions}}', '[]') WHERE id = {ONE_FINDING}",
        "wrong",
        "knows [] of its action",
    ),
    "a breach was not noticed": Wrong(
        "sla",
        "UPDATE states SET state = jsonb_set(state, '{status}', '\"ok\"') WHERE id = "
        "(SELECT id FROM states WHERE kind = 'period' ORDER BY id LIMIT 1)",
        "wrong",
        "agreements are breached",
    ),
    "a duty is known to some only": Wrong(
        "risk",
        "UPDATE states SET state = jsonb_set(state, '{assignments}', '[]') WHERE kind = 'role-roster'",
        "wrong",
        "assignments as role-roster of risk",
    ),
    "an outage was not measured": Wrong(
        "improvement",
        "UPDATE states SET state = jsonb_set(state, '{readings}', '[]') WHERE kind = 'measure'",
        "wrong",
        "outages:",
    ),
    "two findings have one number": Wrong(
        "audit",
        "UPDATE states SET state = jsonb_set(state, '{number}', '\"F-7\"') WHERE kind = 'finding'",
        "duplicated",
        "two have the number F-7",
    ),
    "what was measured is gone": Wrong(
        "sla", "DELETE FROM side_rows WHERE position = (SELECT max(position) FROM side_rows)", "lost", "vouches for"
    ),
    "what was measured was altered": Wrong(
        "sla",
        "UPDATE side_rows SET body = body || ' ' WHERE position = (SELECT max(position) FROM side_rows)",
        "lost",
        "are not those that it vouches for",
    ),
    "an announcement was not heard": Wrong(
        "risk", "UPDATE inbox SET version = version - 1 WHERE source = 'sla'", "lost", "has heard of sla"
    ),
    "something was heard that was never said": Wrong(
        "risk", "UPDATE inbox SET version = version + 1 WHERE source = 'sla'", "phantom", "has heard of sla"
    ),
    "a message waits for ever": Wrong(
        "risk",
        "INSERT INTO waiting SELECT tenant, source, stream, version + 2, 's', '{}', '', now() FROM inbox LIMIT 1",
        "wrong",
        "still waits",
    ),
    "a message is parked": Wrong(
        "risk",
        "INSERT INTO dead_letters (id, source, subject, headers, body, reason, status, parked_at) "
        "VALUES (gen_random_uuid(), 'sla', 's', '{}', '', 'why', 'parked', now())",
        "wrong",
        "parked: s: why",
    ),
    "a deadline is parked": Wrong(
        "improvement",
        "INSERT INTO parked_deadlines SELECT tenant, kind, id, version, shape, 'stuck', now() FROM states LIMIT 1",
        "wrong",
        "is parked: stuck",
    ),
}


@pytest.mark.parametrize("what", WRONGS)
def test_what_is_wrong_in_a_database_is_noticed(arena: Arena, what: str) -> None:
    wrong = WRONGS[what]
    with doctored(arena, wrong.service, wrong.statement):
        verdict = Checker(arena).check(everything=True)
    found = getattr(verdict, wrong.counts_as)
    assert any(wrong.says in each for each in found), [*verdict.sentences()]


# --- answers ----------------------------------------------------------------------------------------------------------


def acknowledged(arena: Arena, path: str = "findings") -> Asked:
    return next(each for each in arena.load.ledger.acknowledged() if each.path == path)


@pytest.mark.parametrize(
    ("counts_as", "change"),
    [
        ("wrong", lambda reply: replace(reply, body={**reply.body, "statement": "Something else"})),
        ("wrong", lambda reply: replace(reply, position="audit:1")),
        ("duplicated", lambda reply: replace(reply, body={**reply.body, "id": OTHER_ID})),
        ("duplicated", lambda reply: replace(reply, body={**reply.body, "version": 7})),
        ("lost", lambda reply: replace(reply, status=404)),
    ],
)
def test_another_answer_under_the_same_key_is_noticed(
    arena: Arena, counts_as: str, change: Callable[[Reply], Reply]
) -> None:
    asked = acknowledged(arena)
    assert [*same_answers(asked).sentences()] == []
    again = replace(asked, replies=[*asked.replies, change(asked.replies[0])])
    assert getattr(same_answers(again), counts_as)


def test_what_was_refused_and_done_all_the_same_is_noticed(arena: Arena) -> None:
    asked = acknowledged(arena)
    replies, asked.replies = asked.replies, [replace(asked.replies[0], status=409)]
    try:
        assert any("done all the same" in each for each in Checker(arena).check(everything=True).phantom)
    finally:
        asked.replies = replies


def test_a_false_word_that_nothing_was_done_is_noticed(arena: Arena) -> None:
    asked = acknowledged(arena)
    replies, undone = asked.replies, {"type": "/problems/unavailable"}
    try:
        asked.replies = [Reply(replies[0].at, 503, undone), *replies]
        assert any("told that nothing was done" in each for each in Checker(arena).check(everything=True).wrong)
        asked.replies = [Reply(asked.at - 60, 503, undone), *replies]
        assert not any("told that nothing was done" in each for each in Checker(arena).check(everything=True).wrong)
    finally:
        asked.replies = replies


def test_what_was_acknowledged_and_never_done_is_noticed(arena: Arena) -> None:
    made_up = replace(acknowledged(arena), key="made-up")
    arena.load.ledger.write(made_up)
    try:
        assert any("(made-up): no record of command" in each for each in Checker(arena).check(everything=True).lost)
    finally:
        arena.load.ledger._asked.remove(made_up)


def test_a_complaint_of_the_load_is_passed_on(arena: Arena) -> None:
    arena.load.complaints.append("refused for no reason")
    assert "refused for no reason" in Checker(arena).check().wrong


# --- the bus ----------------------------------------------------------------------------------------------------------


def heard_and_rows(arena: Arena) -> tuple[Heard, Rows]:
    heard = arena.bus(lambda js: listen(js, "audit", Mark()))
    return heard, arena.run(read("audit", arena.database_url("audit"), 0))


def verdict_on(rows: Rows, heard: Heard, messages: Any) -> Verdict:
    verdict = Verdict()
    check_broadcast(rows, (), replace(heard, messages=messages), verdict)
    return verdict


def test_the_bus_beside_the_log(arena: Arena) -> None:
    heard, rows = heard_and_rows(arena)
    first, *others = heard.messages
    assert [*verdict_on(rows, heard, heard.messages).sentences()] == []
    assert verdict_on(rows, heard, others).lost, "one is missing"
    assert verdict_on(rows, heard, [replace(first, body=b"{}"), *others]).wrong, "other bytes"
    elsewhere = {**first.headers, "closeloop-position": str(rows.position + 1)}
    assert verdict_on(rows, heard, [replace(first, headers=elsewhere), *heard.messages]).phantom, "not in the log"
    another = {**first.headers, "ce-id": "another"}
    assert verdict_on(rows, heard, [replace(first, headers=another), *heard.messages]).phantom, "another event"
    assert [*verdict_on(rows, heard, [*heard.messages, first]).sentences()] == [], "told twice is allowed"


# --- incremental ------------------------------------------------------------------------------------------------------


BY_PEOPLE = "SELECT count(*) AS n FROM commands WHERE origin = 'http'"


def test_what_came_since_the_last_look_is_looked_at_alone(arena: Arena) -> None:
    checker = Checker(arena)
    assert not checker.check().broken
    before = arena.sql("audit", BY_PEOPLE)[0]["n"]
    arena.load.resume()
    arena.until(lambda: arena.sql("audit", BY_PEOPLE)[0]["n"] > before, "a command in audit", 30)
    arena.load.pause()
    arena.until(arena.quiet, "quiet", 60)
    newest = "(SELECT id FROM commands WHERE origin = 'http' ORDER BY position DESC LIMIT 1)"
    with doctored(arena, "audit", f"DELETE FROM commands WHERE id = {newest}"):
        assert checker.check().lost
    assert not checker.check(everything=True).broken
