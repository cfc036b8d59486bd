"""The process around the service: limits, ids, problems, health, the clock, settings, migrations, the description."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from pydantic import ValidationError
from sqlalchemy import text
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send

from chassis.edge import Edge
from chassis.metrics import Metrics
from chassis.migrations import migrate, revision_of
from chassis.problems import Problem, catalogue
from chassis.routes import Service
from chassis.settings import Settings
from chassis.testing import Served, serving
from events.store.database import Database
from events.store.port import OutcomeUnknown, Unavailable

KEYS = {"Idempotency-Key": "k", "Content-Type": "application/json"}


# --- the edge ---


async def test_a_body_that_is_too_large_is_413_whether_announced_or_not(house: Served) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(17):
            yield b" " * 64 * 1024

    headers = {**KEYS, "Authorization": f"Bearer {house.issuer.token('p-ann', 'electrician')}"}
    for content in (b" " * (1024 * 1024 + 1), chunks()):
        answer = await house.http.post("/v1/lights", content=content, headers=headers)
        assert (answer.status_code, answer.json()["type"]) == (413, "/problems/too-large")


async def test_a_body_that_does_not_arrive_is_cut_off() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await PlainTextResponse(await Request(scope, receive).body())(scope, receive, send)

    async def drips() -> AsyncIterator[bytes]:
        while True:
            yield b"x"
            await asyncio.sleep(0.02)

    edge = Edge(app, max_body=10_000, receive_seconds=0.1, metrics=Metrics())
    async with httpx.AsyncClient(transport=httpx.ASGITransport(edge), base_url="http://edge.test") as client:
        answer = await client.post("/", content=drips())
    assert (answer.status_code, answer.json()["type"]) == (408, "/problems/receive-timeout")


async def test_a_mistake_of_ours_is_500_and_tells_nothing() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        raise RuntimeError("password=secret")

    edge = Edge(app, max_body=10, receive_seconds=1, metrics=Metrics())
    async with httpx.AsyncClient(transport=httpx.ASGITransport(edge), base_url="http://edge.test") as client:
        answer = await client.get("/")
    assert (answer.status_code, answer.json()["type"]) == (500, "/problems/internal-error")
    assert "secret" not in answer.text


@pytest.mark.parametrize(("given", "kept"), [("abc-1", True), ("x" * 65, False), ("a b", False), ("a\\n{", False)])
async def test_a_request_id_is_taken_over_when_it_is_harmless(house: Served, given: str, kept: bool) -> None:
    answer = await house.http.get("/livez", headers={"X-Request-Id": given})
    assert (answer.headers["x-request-id"] == given) == kept


async def test_the_correlation_goes_into_the_history(house: Served, database: str) -> None:
    ann = house("p-ann", "electrician")
    await ann.post("/v1/lights", {"room": "Hall"}, **{"X-Correlation-Id": "from-afar"})
    engines = Database.at(database)
    async with engines.reads.connect() as connection:
        metadata = (await connection.execute(text("SELECT metadata FROM events"))).scalar_one()
    await engines.close()
    assert json.loads(metadata)["correlation"] == "from-afar"


async def test_the_access_log_names_persons_by_id_and_never_holds_a_token(
    house: Served, capsys: pytest.CaptureFixture[str]
) -> None:
    ann = house("p-ann", "electrician")
    await ann.get("/v1/lights", room="Secret Chamber")
    log = capsys.readouterr().out
    assert "p-ann" in log
    assert ann.token not in log
    assert "Chamber" not in log


# --- problems ---


async def test_unknown_paths_and_wrong_methods_are_problems_too(house: Served) -> None:
    unknown = await house.http.get("/v1/heavens")
    assert (unknown.status_code, unknown.json()["type"]) == (404, "/problems/unknown-path")
    wrong = await house.http.put("/v1/lights")
    assert (wrong.status_code, wrong.json()["type"]) == (405, "/problems/method-not-allowed")
    assert {"GET", "POST"} <= set(wrong.headers["allow"].replace(" ", "").split(","))


async def test_every_type_of_problem_has_its_page(house: Served) -> None:
    for slug, (status, meaning) in catalogue().items():
        page = await house.http.get(f"/problems/{slug}")
        assert (page.status_code, page.json()["status"]) == (200, status)
        assert len(meaning) > 20, slug
    assert "<h1>Too large</h1>" in (await house.http.get("/problems/too-large", headers={"Accept": "text/html"})).text
    assert (await house.http.get("/problems/nonsense")).status_code == 404


@pytest.mark.parametrize(
    ("failure", "slug"), [(Unavailable("full"), "unavailable"), (OutcomeUnknown("lost"), "outcome-unknown")]
)
async def test_what_cannot_be_done_now_is_503_with_retry_after(
    house: Served, monkeypatch: pytest.MonkeyPatch, failure: Exception, slug: str
) -> None:
    async def fail(*_: object) -> None:
        raise failure

    monkeypatch.setattr(house.app.state.process.store, "append", fail)
    monkeypatch.setattr(house.app.state.process.writer, "_patience", 0.2)
    answer = await house("p-ann", "electrician").post("/v1/lights", {"room": "Hall"})
    assert (answer.status_code, answer.json()["type"]) == (503, f"/problems/{slug}")
    assert answer.headers["retry-after"] == "1"
    assert f"commands cannot be written: {failure}" in (await house.http.get("/readyz")).json()["degraded"]


# --- health ---


async def test_it_lives_is_ready_and_names_what_is_degraded(house: Served) -> None:
    assert (await house.http.get("/livez")).json() == {"status": "alive"}
    ready = await house.http.get("/readyz")
    assert (ready.status_code, ready.json()["status"], len(ready.json()["degraded"])) == (200, "degraded", 1)
    metrics = (await house.http.get("/metrics")).text
    assert 'closeloop_http_request_seconds_count{method="GET",route="/readyz",status="200"} 1.0' in metrics
    assert "closeloop_degraded 1.0" in metrics


async def test_it_is_not_ready_while_it_stops(house: Served) -> None:
    house.app.state.health.stopping = True
    assert (await house.http.get("/readyz")).status_code == 503


async def test_it_is_not_ready_on_an_older_schema(house: Served, database: str) -> None:
    house.app.state.health.wanted_revision = "0007"
    answer = await house.http.get("/readyz")
    assert (answer.status_code, answer.json()["reasons"]) == (
        503,
        ["the database is at revision 0006, this code needs 0007"],
    )


# --- the clock ---


async def test_business_time_begins_where_it_was_set_and_runs_forward_only(
    toy_service: Service, database: str, tmp_path: Path, migrations: Path
) -> None:
    start = datetime(2016, 2, 28, tzinfo=UTC)
    async with serving(toy_service, database, tmp_path, migrations=migrations, clock_start=start) as house:
        ann = house("p-ann", "electrician")
        now = datetime.fromisoformat((await ann.get("/v1/clock")).json()["now"])
        assert timedelta(0) <= now - start < timedelta(minutes=1)
        moved = await ann.post("/v1/clock", {"to": "2016-03-31T22:00:00Z"})
        assert moved.json()["now"].startswith("2016-03-31T22:00:")
        back = await ann.post("/v1/clock", {"to": "2016-03-01T00:00:00Z"})
        assert (back.status_code, back.json()["type"]) == (409, "/problems/clock-runs-forward")
        assert (await house("p-guest", "guest").post("/v1/clock", {"to": "2017-01-01T00:00:00Z"})).status_code == 403
        light = (await ann.post("/v1/lights", {"room": "Hall"})).headers["location"]
        assert (await ann.get(f"{light}/history")).json()["items"][0]["at"].startswith("2016-03-31T22")
    async with serving(toy_service, database, tmp_path, migrations=migrations, clock_start=start) as house:
        now = (await house("p-ann", "electrician").get("/v1/clock")).json()["now"]
        assert now.startswith("2016-03-31T22:00:")


async def test_elsewhere_the_clock_is_not_moved(house: Served) -> None:
    ann = house("p-ann", "electrician")
    assert (await ann.get("/v1/clock")).status_code == 200
    assert (await ann.post("/v1/clock", {"to": "2099-01-01T00:00:00Z"})).status_code == 405


# --- settings ---

URL = "postgresql://db/closeloop"


def test_the_driver_is_ours_to_name() -> None:
    assert Settings(database_url=URL).database == "postgresql+asyncpg://db/closeloop"


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.7", "db.example"])
def test_an_address_that_others_reach_needs_identity(host: str) -> None:
    with pytest.raises(ValidationError, match="CLOSELOOP_JWKS"):
        Settings(database_url=URL, host=host)
    assert Settings(database_url=URL, host=host, jwks="keys.json", issuer="i", audience="a").host == host


def test_fail_points_are_refused_outside_tests() -> None:
    with pytest.raises(ValidationError, match="CLOSELOOP_ENV=test"):
        Settings(database_url=URL, failpoint="W1:kill9")


def test_a_secret_may_lie_in_a_file_and_is_never_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "url"
    file.write_text("postgresql://me:hush@db/closeloop\n")
    monkeypatch.setenv("CLOSELOOP_DATABASE_URL_FILE", str(file))
    settings = Settings()
    assert settings.database == "postgresql+asyncpg://me:hush@db/closeloop"
    assert "hush" not in repr(settings)


# --- migrations ---


async def test_two_replicas_that_migrate_at_once_do_it_once(database: str, migrations: Path) -> None:
    await asyncio.gather(*(migrate(database, migrations) for _ in range(3)))
    engines = Database.at(database)
    assert await revision_of(engines) == "0006"
    await engines.close()


# --- the description ---


async def test_the_description_is_openapi_3_1_with_what_is_served(house: Served) -> None:
    document = (await house.http.get("/openapi.json")).json()
    assert document["openapi"] == "3.1.0"
    ids = {each["operationId"] for path in document["paths"].values() for each in path.values()}
    assert {
        "installLight",
        "switchLight",
        "listLights",
        "getLight",
        "getLightHistory",
        "dimDimmer",
        "submitInstallAll",
    } <= ids
    switch = document["paths"]["/v1/lights/{id}/position"]["post"]
    names = [each.get("name") or each["$ref"].rsplit("/")[-1] for each in switch["parameters"]]
    assert names == ["id", "IdempotencyKey", "IfMatch"]
    assert switch["requestBody"]["content"]["application/json"]["example"] == {"on": True}
    assert {"401", "403", "404", "409", "412", "422", "428"} <= set(switch["responses"])
    light = document["components"]["schemas"]["Light"]
    assert list(light["properties"])[:3] == ["id", "version", "status"]
    assert document["components"]["schemas"]["Switch"]["additionalProperties"] is False


def test_a_problem_says_what_it_says() -> None:
    assert b'"detail":"x"' in bytes(Problem(400, "malformed", "x").response("r-1").body)
