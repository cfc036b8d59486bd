"""Old code beside new: lists wait until they are complete, and what newer code wrote is neither shown nor touched."""

import asyncio
import json
import os
import sys
from asyncio.subprocess import PIPE, create_subprocess_exec
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import pytest
from plain_sql import connected

from chassis import upkeep
from chassis.routes import Feature, Listing, Routes, Service
from chassis.settings import Settings
from chassis.testing import Person, Served, serving
from events.kernel import AllWhere

Act = Callable[[Person, str], Awaitable[Any]]


@pytest.fixture
async def sql(database: str, house: Served) -> AsyncIterator[asyncpg.Connection]:
    async with connected(database) as connection:
        yield connection


@pytest.fixture
def ann(house: Served) -> Person:
    return house("p-ann", "electrician")


async def a_light(ann: Person, room: str = "Hall") -> str:
    answer = await ann.post("/v1/lights", {"room": room})
    assert answer.status_code == 201
    return str(answer.headers["location"])


WAYS: dict[str, Act] = {
    "read": lambda ann, light: ann.get(light),
    "read as of": lambda ann, light: ann.get(light, as_of="2026-01-01T00:00:00Z"),
    "history": lambda ann, light: ann.get(f"{light}/history"),
    "list": lambda ann, light: ann.get("/v1/lights"),
    "command": lambda ann, light: ann.post(f"{light}/position", {"on": True}, seen=1),
}
WRITTEN = {
    "a newer shape": "UPDATE states SET shape = 2 WHERE id = $1",
    "an unknown event": "UPDATE events SET type = 'light-painted' WHERE stream = $1",
    "a newer version of an event": "UPDATE events SET schema_version = 2 WHERE stream = $1",
}


@pytest.mark.parametrize("act", WAYS.values(), ids=WAYS)
@pytest.mark.parametrize("written", WRITTEN.values(), ids=WRITTEN)
async def test_what_newer_code_wrote_is_unavailable_in_every_way_and_stays_as_it_is(
    ann: Person, sql: asyncpg.Connection, act: Act, written: str
) -> None:
    """The object is, and no other: the rest of the service goes on."""
    light, other = await a_light(ann), await a_light(ann, "Attic")
    await sql.execute("SET session_replication_role = replica")
    await sql.execute(written, UUID(light.rsplit("/", 1)[1]))
    await sql.execute("UPDATE states SET shape = 0 WHERE shape = 1 AND id = $1", UUID(light.rsplit("/", 1)[1]))
    await sql.execute("UPDATE events SET recorded_at = '2025-01-01Z'")
    before = await sql.fetch("SELECT * FROM states ORDER BY id")
    answer = await act(ann, light)
    assert (answer.status_code, answer.json()["type"]) == (503, "/problems/unavailable"), answer.text
    assert await sql.fetch("SELECT * FROM states ORDER BY id") == before
    assert await sql.fetchval("SELECT count(*) FROM events") == 2
    assert (await ann.get(other)).status_code == 200
    assert (await ann.get(f"{other}/history")).status_code == 200
    assert (await ann.post(f"{other}/position", {"on": True}, seen=1)).status_code == 200


# --- readiness ---


def redeclared(toy: Service, listing: Listing, shape: int) -> Service:
    """A later release of the toy service: lights are listed by other fields, and have another shape."""
    feature = next(each for each in toy.features if each.aggregate.kind == "light")
    assert feature.routes
    lights = replace(feature.aggregate, shape=shape)
    routes = Routes(aggregate=lights, path="lights", noun="light", read="light.read", listing=listing)
    others = tuple(each for each in toy.features if each is not feature)
    return replace(toy, features=(Feature(aggregate=lights, routes=routes), *others))


async def test_a_replica_whose_lists_changed_is_ready_when_all_rows_are_folded_anew(
    toy_service: Service, database: str, tmp_path: Path, migrations: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with serving(toy_service, database, tmp_path, migrations=migrations) as old:
        for number in range(5):
            await a_light(old("p-ann", "electrician"), f"room {number}")
        assert (await old.http.get("/readyz")).status_code == 200

    async def not_now(*_: Any) -> None:
        """The work is not begun, so that the time before it can be looked at."""

    later = redeclared(toy_service, Listing(filters=("status",), sorts=("lumens",)), shape=2)
    with monkeypatch.context() as held:
        held.setattr("events.refolder.Refolder._kind", not_now)
        async with serving(later, database, tmp_path, migrations=migrations) as new:
            ready, listed = await new.http.get("/readyz"), await new("p-ann", "electrician").get("/v1/lights")
            assert (ready.status_code, ready.json()["reasons"]) == (
                503,
                ["light rows are being folded anew for their lists: 5 of 5 are left"],
            )
            assert (listed.status_code, listed.json()["type"]) == (503, "/problems/unavailable")
            assert (await new("p-ann", "electrician").get("/v1/dimmer")).status_code == 200
            for _ in range(100):
                metrics = (await new.http.get("/metrics")).text
                if 'closeloop_states_older{kind="light"} 5.0' in metrics:
                    break
            assert 'closeloop_states_older{kind="light"} 5.0' in metrics
            assert "closeloop_ready 0.0" in metrics

    async with serving(later, database, tmp_path, migrations=migrations) as new:
        for _ in range(200):
            if (await new.http.get("/readyz")).status_code == 200:
                break
            await asyncio.sleep(0.05)
        assert (await new.http.get("/readyz")).status_code == 200
        async with connected(database) as sql:
            assert await sql.fetchval("SELECT count(*) FROM states WHERE shape = 2") == 5
            declared = json.loads(await sql.fetchval("SELECT declared FROM list_declarations WHERE kind = 'light'"))
            assert declared == {"filters": ["status"], "sorts": ["lumens"]}
        assert len((await new("p-ann", "electrician").get("/v1/lights")).json()["items"]) == 5


async def test_a_shape_alone_keeps_nobody_from_being_ready(
    toy_service: Service, database: str, tmp_path: Path, migrations: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with serving(toy_service, database, tmp_path, migrations=migrations) as old:
        await a_light(old("p-ann", "electrician"))
    feature = next(each for each in toy_service.features if each.aggregate.kind == "light")
    assert feature.routes

    async def not_now(*_: Any) -> None:
        """No row is folded anew."""

    monkeypatch.setattr("events.refolder.Refolder._kind", not_now)
    later = redeclared(toy_service, feature.routes.listing, shape=2)
    async with serving(later, database, tmp_path, migrations=migrations) as new:
        assert (await new.http.get("/readyz")).status_code == 200
        assert len((await new("p-ann", "electrician").get("/v1/lights")).json()["items"]) == 1


async def test_rows_that_are_stuck_are_named_where_the_process_says_how_it_is(
    house: Served, ann: Person, sql: asyncpg.Connection
) -> None:
    light, other = await a_light(ann, "Cellar"), await a_light(ann, "Attic")
    await sql.execute("UPDATE claims SET stream = $1", UUID(other.rsplit("/", 1)[1]))
    await sql.execute("UPDATE states SET shape = 0 WHERE state->>'room' = 'Cellar'")
    for _ in range(100):
        degraded = str((await house.http.get("/readyz")).json()["degraded"])
        if "cannot be folded anew" in degraded:
            break
        await asyncio.sleep(0.05)
    assert "1 light rows of an older shape cannot be folded anew" in degraded
    assert "last-place:Cellar is held by light" in degraded
    assert "closeloop_states_stuck 1.0" in (await house.http.get("/metrics")).text
    assert (await house.http.get("/readyz")).status_code == 200
    assert (await ann.get(light)).json()["room"] == "Cellar"


# --- the operator ---


async def test_an_operator_verifies_rebuilds_and_verifies(
    ann: Person, house: Served, sql: asyncpg.Connection, database: str, toy_service: Service
) -> None:
    settings, said = Settings(service="toy", database_url=database), list[str]()
    for number in range(3):
        await a_light(ann, f"room {number}")
    assert (await ann.post("/v1/light-batches", {"rooms": ["Loft"]})).status_code == 200
    assert await upkeep.verify(toy_service, settings, said.append) == upkeep.EQUAL
    assert "toy: 5 streams, 5 events and 5 commands compared in" in said[-1]
    assert said[-1].endswith("0 differences")

    await sql.execute("UPDATE states SET state = jsonb_set(state, '{room}', '\"Cellar\"') WHERE kind = 'light'")
    said.clear()
    assert await upkeep.verify(toy_service, settings, said.append) == upkeep.DIFFERENT
    assert len([line for line in said if line.startswith("differs: meridian light")]) == 4


async def test_a_kind_that_does_not_exist_is_refused_with_those_that_do(
    house: Served, database: str, toy_service: Service
) -> None:
    settings = Settings(service="toy", database_url=database)
    with pytest.raises(Exception, match="toy has no kind lamp; it has dimmer, light, submission"):
        await upkeep.rebuild(toy_service, settings, "lamp", print)


@pytest.mark.parametrize(
    ("task", "code", "said"),
    [
        (("rebuild", "audit", "--kind", "finding"), 0, "0 streams"),
        (("rebuild", "audit", "--kind", "x"), 1, "audit has no kind x"),
        (("verify", "audit", "--state"), 0, "0 differences"),
        (("verify", "audit"), 2, "--state"),
    ],
)
async def test_the_tasks_are_carried_out_in_a_container(
    database: str, task: tuple[str, ...], code: int, said: str
) -> None:
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(sys.path),
        "CLOSELOOP_DATABASE_URL": database,
    }
    for command in (("migrate", "audit"), task):
        process = await create_subprocess_exec(
            sys.executable, "-P", "-m", "chassis", *command, env=environment, stdout=PIPE, stderr=PIPE
        )
        out, err = await process.communicate()
    assert process.returncode == code, err.decode()
    assert said in (out + err).decode()


async def test_what_a_need_asks_for_is_complete_in_the_running_process(house: Served) -> None:
    """The handler asks the refolder, and both ask for the same kinds."""
    handler = house.app.state.process.handler
    assert handler.incomplete == house.app.state.process.refolder.incomplete
    dimmer = type(handler.aggregates["dimmer"].initial)
    assert await handler.gather_facts("meridian", [AllWhere(dimmer)]) == {AllWhere(dimmer): ()}
