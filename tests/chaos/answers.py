"""What was acknowledged is there: its command is on record, and asked again under its key it answers the same."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import takewhile
from random import sample
from threading import local
from typing import TYPE_CHECKING, Any
from uuid import UUID

import httpx
from ledger import Asked, Reply
from rows import Rows
from verdict import Verdict

from events.kernel import derived_id
from stack.identity import TENANT

if TYPE_CHECKING:
    from arena import Arena

AT_ONCE = 4
STUBBORNNESS = 3
SUBMISSIONS = "measurements"
UNDONE = "/problems/unavailable"
ASKED_ONCE_MORE = 60
"""Of those whose first answer came at once: their records are compared anyway, and asking costs most of a check."""


def check_answers(arena: "Arena", asked: Sequence[Asked], rows: Mapping[str, Rows], verdict: Verdict) -> None:
    """`rows` reach back to before the first of these requests."""
    records = {row["id"]: row for each in rows.values() for row in each.commands}
    there = []
    for each in asked:
        if each.key in arena.forgiven.keys:
            continue
        ids = commands_of(each)
        missing = [id for id in ids if id not in records]
        if each.acknowledged and missing:
            verdict.lost.append(f"{each}: no record of command {missing[0]}")
        elif each.acknowledged:
            there.append(each)
            verdict.wrong += _differing_record(each, [records[id] for id in ids])
            verdict.wrong += _told_undone(each, [records[id] for id in ids])
        elif each.answer is not None and any(id in records for id in ids):
            verdict.phantom.append(f"{each}: refused with {each.answer.status}, and done all the same")
    verdict.phantom += _unasked(arena, rows)
    _ask_again(arena, there, verdict)


def _unasked(arena: "Arena", rows: Mapping[str, Rows]) -> Iterator[str]:
    """Commands of people, although no person has asked."""
    known = {id for each in arena.load.ledger.since() for id in commands_of(each)}
    for each in rows.values():
        for row in each.commands:
            if row["origin"] == "http" and row["id"] not in known:
                yield f"{each.service}: nobody asked for command {row['id']} ({row['kind']} {row['stream']})"


def _differing_record(asked: Asked, records: Sequence[Any]) -> Iterator[str]:
    answer = asked.answer
    assert answer
    results = _results(asked, answer.body)
    for said, record in zip(results, records, strict=False):
        if (said["id"], said["version"]) != (str(record["stream"]), record["version"]):
            yield f"{asked}: answered {said['id']} version {said['version']}, recorded as another"
    positions = [record["position"] for _, record in zip(results, records, strict=False)]
    if answer.position != (f"{asked.service}:{max(positions)}" if positions else ""):
        yield f"{asked}: answered position {answer.position}, recorded at {positions}"


def _told_undone(asked: Asked, records: Sequence[Any]) -> Iterator[str]:
    """Who has heard nothing but "nothing was done" may go home, and has every right to."""
    before = list(takewhile(lambda reply: not reply.is_definite, asked.replies))
    if before and all(isinstance(reply.body, dict) and reply.body.get("type") == UNDONE for reply in before):
        for record in records:
            if record["decided_at"].timestamp() < before[-1].at:
                yield f"{asked}: told that nothing was done, when it was"


def _ask_again(arena: "Arena", asked: Iterable[Asked], verdict: Verdict) -> None:
    """Whatever had a hard time and was not asked again since, and some of the rest."""
    rest = list(asked)
    asked = [each for each in rest if each.troubled and not each.checked]
    asked += sample(rest, min(len(rest), ASKED_ONCE_MORE))
    mine = local()

    def again(each: Asked) -> None:
        if not hasattr(mine, "http"):
            mine.http = httpx.Client(timeout=10, trust_env=False)
        for _ in range(STUBBORNNESS):  # an idle connection may close at the very moment at which it is used
            if arena.load.send(mine.http, each).is_definite:
                break
        each.checked = True

    with ThreadPoolExecutor(AT_ONCE) as threads:
        list(threads.map(again, asked))
    for each in asked:
        verdict.add(same_answers(each, arena.reworded))


def same_answers(asked: Asked, reworded: Collection[str] = ()) -> Verdict:
    """What is wrong if two answers under one key differ; the last one is that of the repetition."""
    first, last = asked.answer, asked.replies[-1]
    verdict = Verdict()
    assert first
    if not last.is_success:
        verdict.lost.append(f"{asked}: asked again, it answers {last.status} {str(last.body)[:200]}")
    successes = [reply for reply in asked.replies if reply.is_success]
    if any(_place(asked, reply.body) != _place(asked, first.body) for reply in successes):
        places = f"{_place(asked, first.body)} {_place(asked, last.body)}"
        verdict.duplicated.append(f"{asked}: asked again, it was done again: {places}")
    elif any(_said(reply, reworded) != _said(first, reworded) for reply in successes):
        verdict.wrong.append(f"{asked}: asked again, it answers something else")
    return verdict


def _said(reply: Reply, reworded: Collection[str]) -> Any:
    body = {name: text for name, text in reply.body.items() if name not in reworded}
    return reply.status, body, reply.position


def _place(asked: Asked, body: Any) -> Any:
    return [(each.get("id"), each.get("version")) for each in _results(asked, body)] if isinstance(body, dict) else []


def _results(asked: Asked, body: Any) -> Any:
    """What a body of several commands came to, or the one object: an audit has results, too, of another kind."""
    return body["results"] if asked.path == SUBMISSIONS and "results" in body else [body]


def commands_of(asked: Asked) -> list[UUID]:
    """The command that a request becomes; or those of a submission, in the order of its results."""
    id = derived_id("http", TENANT, asked.person, f"POST /v1/{_template(asked.path)}", asked.key)
    if asked.path != SUBMISSIONS:
        return [id]
    results = asked.answer.body["results"] if asked.acknowledged and asked.answer else []
    return [*(derived_id(id, each["order"]) for each in results), derived_id(id, "submission")]


def _template(path: str) -> str:
    """`findings/0197.../issue` as the route is declared."""
    return "/".join("{id}" if len(part) == 36 and part.count("-") == 4 else part for part in path.split("/"))
