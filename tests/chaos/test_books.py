"""The books of a database are doctored, one thing at a time, and the checker notices.

They are those of the simulation, so that no stack is needed; `test_checker.py` does it to real databases.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import fields, replace
from datetime import timedelta
from random import Random
from typing import Any
from uuid import uuid4

import pytest
from books import check_books
from rows import Rows
from verdict import Verdict

from simulation.clients import Clients
from simulation.database import Tables
from simulation.history import restless
from simulation.loop import SimulatedLoop
from simulation.mischief import Weather
from simulation.stories import STORIES
from simulation.storm import keep_running
from simulation.world import World

Books = dict[str, Rows]
AFTER_TWO_MONTHS = timedelta(days=60)
EMPTY = ("inbox", "announced", "listeners", "waiting", "dead_letters", "parked_deadlines", "overdue", "numbered_twice")


@pytest.fixture(scope="module")
def books() -> Books:
    """Of four services on which a little has happened, by people and because it was due."""
    loop = SimulatedLoop(Random(1), until=3600.0)  # type: ignore[abstract] # of a loop we need the half
    world = World(loop.time, Random(2), Weather(Random(3)))
    loop.run_until_complete(_history(world))
    for site in world.sites.values():
        for process in site.processes:
            loop.bury(process.life)
    return {name: _rows(name, site.database.tables) for name, site in world.sites.items()}


async def _history(world: World) -> None:
    clients = Clients(world)
    for site in world.sites.values():
        site.start()
    keeper = asyncio.create_task(keep_running(world))
    for story in [*STORIES] * 3:
        await story(clients)
    for site in world.sites.values():
        site.database.tables.ahead += AFTER_TWO_MONTHS
    await asyncio.sleep(5)
    assert restless(world) == []
    keeper.cancel()


def _rows(name: str, tables: Tables) -> Rows:
    """As they would be read from PostgreSQL."""
    states = [{**_columns("tenant kind id", key), **_members(row)} for key, row in tables.states.items()]
    commands = [{**_columns("tenant id", key), **_members(row)} for key, row in tables.commands.items()]
    claims = [{**_columns("tenant key", k), **_columns("kind stream", v)} for k, v in tables.claims.items()]
    of_rows = "tenant kind stream name source id"
    side_rows = [{**_columns(of_rows, key), **_members(row)} for key, row in tables.side_rows.items()]
    return Rows(
        service=name,
        after=0,
        events=tuple(tables.events),
        states=tuple(states),
        claims=tuple(claims),
        commands=tuple(commands),
        side_rows=tuple(sorted(side_rows, key=lambda row: (row["position"], row["place"]))),
        head=({"position": tables.position},),
        **dict.fromkeys(EMPTY, ()),
    )


def _columns(names: str, values: Sequence[Any]) -> dict[str, Any]:
    return dict(zip(names.split(), values, strict=True))


def _members(row: Any) -> dict[str, Any]:
    return {each.name: getattr(row, each.name) for each in fields(row)}


def verdict_on(rows: Rows) -> Verdict:
    verdict = Verdict()
    check_books(rows, verdict)
    return verdict


def test_nothing_is_wrong_before(books: Books) -> None:
    assert [*(each for rows in books.values() for each in verdict_on(rows).sentences())] == []
    assert books["sla"].side_rows
    assert any(row["origin"] == "deadline" for row in books["sla"].commands)


# --- side rows --------------------------------------------------------------------------------------------------------


def test_what_was_measured_is_gone(books: Books) -> None:
    (_, *left) = books["sla"].side_rows
    assert any("vouches for" in each for each in verdict_on(replace(books["sla"], side_rows=tuple(left))).lost)


def test_what_was_measured_was_altered(books: Books) -> None:
    first, *others = books["sla"].side_rows
    altered = ({**first, "body": first["body"] + " "}, *others)
    lost = verdict_on(replace(books["sla"], side_rows=altered)).lost
    assert any("are not those that it vouches for" in each for each in lost)


# --- numbers ----------------------------------------------------------------------------------------------------------


def test_two_objects_of_one_number(books: Books) -> None:
    doctored = replace(books["audit"], numbered_twice=({"kind": "finding", "number": "F-7"},))
    assert verdict_on(doctored).duplicated == ["audit: two have the number F-7"]


# --- tenants ----------------------------------------------------------------------------------------------------------


def test_a_reaction_in_the_books_of_another_tenant(books: Books) -> None:
    moved = tuple({**row, "tenant": "rival"} for row in books["risk"].commands if row["origin"] == "news")
    assert moved
    own = tuple(row for row in books["risk"].commands if row["origin"] != "news")
    doctored = replace(books["risk"], commands=own + moved)
    assert "risk: commands of rival, who has asked for nothing" in verdict_on(doctored).phantom


# --- deadlines --------------------------------------------------------------------------------------------------------


def test_a_command_for_which_there_was_no_deadline(books: Books) -> None:
    again = next(row for row in books["sla"].commands if row["origin"] == "deadline")
    doctored = replace(books["sla"], commands=(*books["sla"].commands, {**again, "id": uuid4()}))
    assert any("no deadline calls for command" in each for each in verdict_on(doctored).phantom)


def test_a_deadline_that_came_too_early(books: Books) -> None:
    rows = books["sla"]
    day = '"at":"2026-'
    early = [replace(event, metadata=event.metadata.replace(day, '"at":"2025-')) for event in rows.events]
    assert early != list(rows.events)
    assert any("came before its deadline" in each for each in verdict_on(replace(rows, events=tuple(early))).phantom)


def test_a_deadline_at_which_nothing_happened(books: Books) -> None:
    row = {"kind": "period", "id": uuid4(), "deadline": "yesterday"}
    assert any("nothing happened" in each for each in verdict_on(replace(books["sla"], overdue=(row,))).wrong)
