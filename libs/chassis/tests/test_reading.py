"""Reading: objects as they are or were, lists page by page, histories, and the feed of announcements."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from chassis.routes import Listing, Service
from chassis.testing import Person, Served, check_list_indexes, serving
from events.store.database import Database


@pytest.fixture
def ann(house: Served) -> Person:
    return house("p-ann", "electrician")


async def rooms(ann: Person, **asked: object) -> list[str]:
    """The rooms of every page of a list, in order; pages of two."""
    found: list[str] = []
    answer = await ann.get("/v1/lights", limit=2, **asked)
    while True:
        assert answer.status_code == 200, answer.text
        found += [each["room"] for each in answer.json()["items"]]
        following = answer.links.get("next")
        assert (following is None) == (answer.json()["next"] is None)
        if following is None:
            return found
        answer = await ann.get(following["url"])


async def furnish(ann: Person) -> None:
    days = {"A": "2026-03-01", "B": None, "C": "2026-01-01", "D": "2026-03-01", "E": None}
    for room, day in days.items():
        answer = await ann.post("/v1/lights", {"room": room, "installed_on": day})
        if room in "AB":
            await ann.post(f"{answer.headers['location']}/position", {"on": True}, seen=1)


async def test_pages_join_to_the_whole_list_in_every_order(ann: Person) -> None:
    await furnish(ann)
    assert await rooms(ann) == ["A", "B", "C", "D", "E"]
    assert await rooms(ann, sort="-id") == ["E", "D", "C", "B", "A"]
    assert await rooms(ann, sort="installed_on") == ["C", "A", "D", "B", "E"]
    assert await rooms(ann, sort="-installed_on") == ["E", "B", "D", "A", "C"]


async def test_filters_narrow_and_repeated_ones_mean_any_of_them(ann: Person) -> None:
    await furnish(ann)
    assert await rooms(ann, status="on") == ["A", "B"]
    assert await rooms(ann, room=["C", "E"]) == ["C", "E"]
    assert await rooms(ann, status="on", room=["B", "C"]) == ["B"]
    assert await rooms(ann, status=["on", "off"], sort="-installed_on") == ["E", "B", "D", "A", "C"]


@pytest.mark.parametrize(
    "asked",
    [
        {"colour": "red"},
        {"status": "broken"},
        {"sort": "room"},
        {"limit": "0"},
        {"limit": "201"},
        {"limit": "many"},
        {"cursor": "garbage"},
        {"cursor": "bm9uc2Vuc2U"},
        {"as_of": "2026-01-01T00:00:00Z"},
        {"room": "\x00"},
        {"limit": ["1", "2"]},
    ],
)
async def test_a_parameter_that_is_not_understood_is_422(ann: Person, asked: dict[str, str]) -> None:
    assert (await ann.get("/v1/lights", **asked)).status_code == 422


async def test_a_cursor_serves_only_the_list_that_it_was_given_out_for(house: Served, ann: Person) -> None:
    await furnish(ann)
    cursor = (await ann.get("/v1/lights", limit=2)).json()["next"]
    assert (await ann.get("/v1/lights", limit=3, cursor=cursor)).status_code == 200
    for other in ({"status": "on"}, {"sort": "-id"}):
        assert (await ann.get("/v1/lights", cursor=cursor, **other)).status_code == 422
    stranger = house("p-ann", "electrician", tenant="other")
    assert (await stranger.get("/v1/lights", cursor=cursor)).status_code == 422


async def test_every_declared_filter_and_order_uses_an_index(
    toy_service: Service, database: str, migrations: Path
) -> None:
    await check_list_indexes(toy_service, database, migrations)


async def test_a_filter_without_an_index_is_noticed(toy_service: Service, database: str, migrations: Path) -> None:
    routes = toy_service.features[0].routes
    assert routes
    careless = replace(routes, listing=Listing(filters=("lumens",)))
    service = replace(toy_service, features=(replace(toy_service.features[0], routes=careless),))
    with pytest.raises(AssertionError, match=r"light\.lumens: no index"):
        await check_list_indexes(service, database, migrations)


async def test_a_row_of_an_older_shape_is_folded_anew_and_one_of_a_newer_is_not_ours(
    ann: Person, database: str
) -> None:
    place = (await ann.post("/v1/lights", {"room": "Hall"})).headers["location"]
    engines = Database.at(database)
    async with engines.writes.connect() as connection:
        await connection.execute(text("""UPDATE states SET shape = 0, state = '{"room": "Hall"}'"""))
        (light,) = (await ann.get("/v1/lights", room="Hall")).json()["items"]
        assert light == (await ann.get(place)).json()
        assert light["lumens"] == 400
        await connection.execute(text("UPDATE states SET shape = 9"))
        for path in ("/v1/lights", place):
            assert (await ann.get(path)).status_code == 503
    await engines.close()


async def test_what_is_derived_from_the_time_is_seen_at_business_time(
    toy_service: Service, database: str, tmp_path: Path, migrations: Path
) -> None:
    start = datetime(2016, 2, 28, 12, tzinfo=UTC)
    async with serving(toy_service, database, tmp_path, migrations=migrations, clock_start=start) as house:
        ann = house("p-ann", "electrician")
        assert (await ann.get("/v1/dimmer")).json()["seen_at"].startswith("2016-02-28T12:")
        then = await ann.get("/v1/dimmer", as_of=datetime.now(UTC).isoformat())
        assert then.json()["seen_at"].startswith("2016-02-28T")


async def test_the_past_is_shown_as_it_was_recorded(ann: Person) -> None:
    before = datetime.now(UTC)
    light = await ann.post("/v1/lights", {"room": "Hall"})
    place = light.headers["location"]
    await asyncio.sleep(0.01)
    then = datetime.now(UTC)
    await asyncio.sleep(0.01)
    await ann.post(f"{place}/position", {"on": True}, seen=1)
    past = await ann.get(place, as_of=then.isoformat())
    assert (past.json()["status"], past.headers["etag"]) == ("off", '"1"')
    assert (await ann.get(place)).json()["status"] == "on"
    assert (await ann.get(place, as_of=before.isoformat())).status_code == 404


async def test_the_future_and_what_is_no_instant_are_422(ann: Person) -> None:
    place = (await ann.post("/v1/lights", {"room": "Hall"})).headers["location"]
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    for instant in (tomorrow.isoformat(), "yesterday", "2026-01-01", "1700000000", "2026-13-01T00:00:00Z"):
        assert (await ann.get(place, as_of=instant)).status_code == 422, instant


async def test_the_history_says_who_did_what_when_and_why(house: Served, ann: Person) -> None:
    made = await ann.post("/v1/lights", {"room": "Hall"})
    place = made.headers["location"]
    await house("p-bo", "electrician", "guest").post(f"{place}/position", {"on": True, "reason": "dark"}, seen=1)
    installed, switched = (await ann.get(f"{place}/history")).json()["items"]
    assert (installed["type"], installed["by"]["person"], installed["data"]["room"]) == (
        "light-installed",
        "p-ann",
        "Hall",
    )
    assert switched["by"] == {"person": "p-bo", "roles": ["electrician", "guest"]}
    assert (switched["reason"], switched["version"], switched["position"]) == ("dark", 2, 2)
    assert (installed["correlation"], installed["causation"]) == (made.headers["x-correlation-id"], None)
    assert len({installed["id"], switched["id"]}) == len({installed["correlation"], switched["correlation"]}) == 2
    assert datetime.fromisoformat(switched["at"]) <= datetime.fromisoformat(switched["recorded_at"])


async def test_a_history_comes_in_pages(ann: Person) -> None:
    place = (await ann.post("/v1/lights", {"room": "Hall"})).headers["location"]
    for seen in range(1, 5):
        await ann.post(f"{place}/position", {"on": seen % 2 == 1}, seen=seen)
    page = await ann.get(f"{place}/history", limit=3)
    rest = await ann.get(page.links["next"]["url"])
    assert [each["version"] for each in [*page.json()["items"], *rest.json()["items"]]] == [1, 2, 3, 4, 5]
    assert rest.json()["next"] is None


async def test_the_feed_gives_the_tenants_announcements_in_order(house: Served, ann: Person) -> None:
    for person in (ann, house("p-eve", "electrician", tenant="other"), ann):
        place = (await person.post("/v1/lights", {"room": "Hall"})).headers["location"]
        await person.post(f"{place}/position", {"on": True}, seen=1)
    feed = (await ann.get("/v1/events")).json()["items"]
    assert [each["position"] for each in feed] == [2, 6]
    assert {each["type"] for each in feed} == {"toy.light.switched"}
    assert feed[0]["data"] == {"room": "Hall", "on": True}
    assert (await ann.get("/v1/events", after=2)).json()["items"] == feed[1:]
    first = await ann.get("/v1/events", limit=1)
    assert (await ann.get(first.links["next"]["url"])).json()["items"] == feed[1:]


async def test_two_tenants_see_and_move_nothing_of_each_other(house: Served, ann: Person) -> None:
    place = (await ann.post("/v1/lights", {"room": "Hall"}, key="k1")).headers["location"]
    eve = house("p-ann", "electrician", tenant="other")
    assert (await eve.get("/v1/lights")).json()["items"] == []
    for path in (place, f"{place}/history"):
        assert (await eve.get(path)).status_code == 404
    assert (await eve.post(f"{place}/position", {"on": True}, seen=1)).status_code == 404
    assert (await eve.get("/v1/events")).json()["items"] == []
    theirs = await eve.post("/v1/lights", {"room": "Attic"}, key="k1")
    assert (theirs.status_code, theirs.json()["room"]) == (201, "Attic")
    assert (await eve.post("/v1/lights", {"room": "Cellar"})).status_code == 201
    assert (await ann.post("/v1/lights", {"room": "Cellar"})).status_code == 201
