"""Changing things over HTTP: once per intention, on the version that was seen, or refused with a clear problem."""

import asyncio
from collections.abc import Mapping
from typing import Any
from uuid import UUID

import pytest

from chassis.testing import Person, Served
from events.handling import Handler, Propose
from events.store.port import OutcomeUnknown

HALL = {"room": "Hall", "installed_on": "2026-02-01"}


@pytest.fixture
def ann(house: Served) -> Person:
    return house("p-ann", "electrician")


async def installed(ann: Person) -> str:
    return (await ann.post("/v1/lights", HALL)).json()["id"]


async def test_a_new_object_is_answered_with_its_place_version_and_position(ann: Person) -> None:
    answer = await ann.post("/v1/lights", HALL)
    body = answer.json()
    assert answer.status_code == 201
    assert body["status"] == "off"
    assert body["version"] == 1
    assert answer.headers["location"] == f"/v1/lights/{body['id']}"
    assert answer.headers["etag"] == '"1"'
    assert answer.headers["closeloop-position"] == "toy:1"
    assert (await ann.get(answer.headers["location"])).json() == body


async def test_the_same_key_is_answered_the_same_also_after_a_later_change(ann: Person) -> None:
    first = await ann.post("/v1/lights", HALL, key="k1")
    assert (await ann.post(f"{first.headers['location']}/position", {"on": True}, seen=1)).status_code == 200
    again = await ann.post("/v1/lights", {"installed_on": "2026-02-01", "room": "Hall"}, key="k1")
    assert (again.status_code, again.json(), again.headers["etag"]) == (201, first.json(), '"1"')
    assert again.headers["location"] == first.headers["location"]


async def test_the_same_key_wins_over_a_version_that_has_become_stale(ann: Person) -> None:
    id = await installed(ann)
    first = await ann.post(f"/v1/lights/{id}/position", {"on": True}, seen=1, key="on")
    assert (await ann.post(f"/v1/lights/{id}/position", {"on": False}, seen=2)).json()["status"] == "off"
    again = await ann.post(f"/v1/lights/{id}/position", {"on": True}, seen=1, key="on")
    assert (again.status_code, again.json()) == (200, first.json())


async def test_a_key_used_for_another_request_is_422(ann: Person) -> None:
    await ann.post("/v1/lights", HALL, key="k1")
    other = await ann.post("/v1/lights", {"room": "Attic"}, key="k1")
    assert (other.status_code, other.json()["type"]) == (422, "/problems/idempotency-key-reused")


async def test_a_key_used_with_another_if_match_is_422(ann: Person) -> None:
    id = await installed(ann)
    await ann.post(f"/v1/lights/{id}/position", {"on": True}, seen=1, key="k1")
    other = await ann.post(f"/v1/lights/{id}/position", {"on": True}, seen=2, key="k1")
    assert other.json()["type"] == "/problems/idempotency-key-reused"


async def test_two_persons_may_use_the_same_key(house: Served) -> None:
    answers = [await house(who, "electrician").post("/v1/lights", HALL, key="k1") for who in ("p-ann", "p-bo")]
    assert len({answer.json()["id"] for answer in answers}) == 2


async def test_racing_repetitions_have_one_effect(ann: Person) -> None:
    answers = await asyncio.gather(*(ann.post("/v1/lights", HALL, key="k1") for _ in range(12)))
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.text for answer in answers}) == 1
    assert len((await ann.get("/v1/lights")).json()["items"]) == 1


async def test_of_racing_changes_to_one_version_one_wins(ann: Person) -> None:
    id = await installed(ann)
    answers = await asyncio.gather(*(ann.post(f"/v1/lights/{id}/position", {"on": True}, seen=1) for _ in range(6)))
    assert sorted(answer.status_code for answer in answers) == [200] + [412] * 5


async def test_a_stale_version_is_412_and_names_the_present_one(ann: Person) -> None:
    id = await installed(ann)
    await ann.post(f"/v1/lights/{id}/position", {"on": True}, seen=1)
    answer = await ann.post(f"/v1/lights/{id}/position", {"on": False}, seen=1)
    assert (answer.status_code, answer.json()["version"]) == (412, 2)


async def test_a_refusal_is_409_with_its_rule_and_members(ann: Person) -> None:
    id = await installed(ann)
    answer = await ann.post(f"/v1/lights/{id}/position", {"on": False}, seen=1)
    problem = answer.json()
    assert (answer.status_code, answer.headers["content-type"]) == (409, "application/problem+json")
    assert (problem["type"], problem["rule"], problem["room"]) == ("/problems/refused", "L-01", "Hall")
    assert problem["instance"] == answer.headers["x-request-id"]


async def test_what_another_object_holds_is_409_naming_the_holder(ann: Person) -> None:
    first = (await ann.post("/v1/lights", {"room": "Cellar"})).json()
    second = await ann.post("/v1/lights", {"room": "Cellar"})
    assert (second.status_code, second.json()["holder"]) == (409, first["id"])


async def test_every_post_needs_a_key(house: Served, ann: Person) -> None:
    headers = {"Authorization": f"Bearer {ann.token}"}
    answer = await house.http.post("/v1/lights", json=HALL, headers=headers)
    assert (answer.status_code, answer.json()["type"]) == (400, "/problems/idempotency-key-missing")


@pytest.mark.parametrize("key", ["", "x" * 129, "t\tab"])
async def test_a_key_must_be_short_and_printable(ann: Person, house: Served, key: str) -> None:
    headers = {"Authorization": f"Bearer {ann.token}", "Idempotency-Key": key}
    assert (await house.http.post("/v1/lights", json=HALL, headers=headers)).status_code == 400


async def test_a_change_needs_if_match(ann: Person) -> None:
    id = await installed(ann)
    assert (await ann.post(f"/v1/lights/{id}/position", {"on": True})).status_code == 428


@pytest.mark.parametrize("etag", ["1", "*", 'W/"1"', '"1", "2"', '"one"', '"-1"', '"01"'])
async def test_if_match_must_be_an_etag_of_ours(ann: Person, etag: str) -> None:
    id = await installed(ann)
    answer = await ann.post(f"/v1/lights/{id}/position", {"on": True}, **{"If-Match": etag})
    assert answer.status_code == 400


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"room": "Hall", "colour": "red"}, "/colour"),
        ({}, "/room"),
        ({"room": 7}, "/room"),
        ({"room": "Hall", "lumens": "400"}, "/lumens"),
        ({"room": "Hall", "lumens": True}, "/lumens"),
        ({"room": "Hall", "installed_on": "2026-02-30"}, "/installed_on"),
        ({"room": "Ha\x00ll"}, "/room"),
        ({"room": ""}, "/room"),
        ([], ""),
    ],
)
async def test_a_wrong_body_is_422_and_points_at_the_mistake(ann: Person, body: object, pointer: str) -> None:
    answer = await ann.post("/v1/lights", body)
    assert answer.status_code == 422
    assert pointer in [each["pointer"] for each in answer.json()["errors"]]
    assert (await ann.get("/v1/lights")).json()["items"] == []


async def test_a_member_too_many_and_one_too_few_are_said_in_plain_words(ann: Person) -> None:
    answer = await ann.post("/v1/lights", {"colour": "red"})
    said = {each["pointer"]: each["detail"] for each in answer.json()["errors"]}
    assert said == {"/colour": "There is no such member here.", "/room": "This member is missing."}


@pytest.mark.parametrize(
    "body", [b"", b"{", b"\xff\xfe", b"nonsense", b"[" * 5000, b'{"room": "\\ud800"}', b'{"room": "a", "room": "b"}']
)
async def test_what_is_no_json_is_400(ann: Person, house: Served, body: bytes) -> None:
    headers = {"Authorization": f"Bearer {ann.token}", "Idempotency-Key": "k", "Content-Type": "application/json"}
    answer = await house.http.post("/v1/lights", content=body, headers=headers)
    assert (answer.status_code, answer.json()["type"]) == (400, "/problems/malformed")


@pytest.mark.parametrize("kind", ["text/plain", "application/xml", "application/json; charset=latin-1", ""])
async def test_another_media_type_is_415(ann: Person, house: Served, kind: str) -> None:
    headers = {"Authorization": f"Bearer {ann.token}", "Idempotency-Key": "k", "Content-Type": kind}
    assert (await house.http.post("/v1/lights", content=b"{}", headers=headers)).status_code == 415


async def test_a_post_takes_no_query_parameters(ann: Person) -> None:
    assert (await ann.post("/v1/lights?dry_run=1", HALL)).status_code == 422


async def test_an_unknown_object_is_404(ann: Person, missing: UUID) -> None:
    for path in (f"/v1/lights/{missing}", f"/v1/lights/{missing}/history", "/v1/lights/not-an-id"):
        assert (await ann.get(path)).status_code == 404
    for id in (missing, "not-an-id"):
        assert (await ann.post(f"/v1/lights/{id}/position", {"on": True}, seen=1)).status_code == 404


async def test_the_only_one_of_its_kind_is_there_before_its_first_event(ann: Person) -> None:
    before = await ann.get("/v1/dimmer")
    assert (before.status_code, before.headers["etag"], before.json()["percent"]) == (200, '"0"', 100)
    assert (await ann.post("/v1/dimmer/brightness", {"percent": 40})).status_code == 428
    after = await ann.post("/v1/dimmer/brightness", {"percent": 40}, seen=0)
    assert (after.status_code, after.json()["percent"], after.headers["etag"]) == (200, 40, '"1"')
    assert (await ann.post("/v1/dimmer/brightness", {"percent": 50}, seen=0)).status_code == 412
    assert len((await ann.get("/v1/dimmer/history")).json()["items"]) == 1


async def test_one_body_becomes_several_commands_and_a_repetition_does_nothing_twice(ann: Person) -> None:
    first = await ann.post("/v1/light-batches", {"rooms": ["Hall", "Attic"]}, key="k1")
    assert (first.status_code, [each["version"] for each in first.json()["results"]]) == (200, [1, 1])
    again = await ann.post("/v1/light-batches", {"rooms": ["Hall", "Attic"]}, key="k1")
    assert again.json() == first.json()
    assert len((await ann.get("/v1/lights")).json()["items"]) == 2


async def test_a_repetition_of_many_is_answered_also_when_they_would_be_refused_by_now(ann: Person) -> None:
    first = await ann.post("/v1/light-batches", {"rooms": ["Hall", "Attic"]}, key="k1")
    assert (await ann.post("/v1/dimmer/brightness", {"percent": 5}, seen=0)).status_code == 200
    assert (await ann.post("/v1/light-batches", {"rooms": ["Cellar"]}, key="k2")).status_code == 409
    again = await ann.post("/v1/light-batches", {"rooms": ["Hall", "Attic"]}, key="k1")
    assert (again.status_code, again.json()) == (200, first.json())
    assert again.headers["Closeloop-Position"] == first.headers["Closeloop-Position"]


async def test_a_key_used_for_another_body_is_422_also_where_it_would_lead_to_other_objects(ann: Person) -> None:
    assert (await ann.post("v1/light-batches", {"rooms": ["Hall"]}, key="k")).status_code == 200
    other = await ann.post("v1/light-batches", {"rooms": ["Attic"]}, key="k")
    assert other.status_code == 422
    assert other.json()["type"] == "/problems/idempotency-key-reused"


async def test_of_several_commands_none_is_done_when_one_is_refused(ann: Person) -> None:
    await ann.post("/v1/light-batches", {"rooms": ["Hall"]})
    answer = await ann.post("/v1/light-batches", {"rooms": ["Attic", "Hall"]})
    assert answer.status_code == 409
    assert len((await ann.get("/v1/lights")).json()["items"]) == 1


async def test_of_several_commands_none_is_done_when_one_asks_for_what_another_object_holds(ann: Person) -> None:
    """Who holds a claim is found out by the append, when the light in the hall was decided already."""
    holder = (await ann.post("/v1/lights", {"room": "Cellar"})).json()["id"]
    refused = await ann.post("/v1/light-batches", {"rooms": ["Hall", "Cellar"]}, key="k")
    assert (refused.status_code, refused.json()["holder"]) == (409, holder)
    assert [each["room"] for each in (await ann.get("/v1/lights")).json()["items"]] == ["Cellar"]
    again = await ann.post("/v1/light-batches", {"rooms": ["Hall", "Cellar"]}, key="k")
    assert again.status_code == 409


async def test_racing_repetitions_of_many_have_one_effect_and_one_answer(ann: Person) -> None:
    body = {"rooms": ["Hall", "Attic"]}
    answers = await asyncio.gather(*(ann.post("/v1/light-batches", body, key="k") for _ in range(5)))
    assert {each.status_code for each in answers} == {200}
    assert all(each.json() == answers[0].json() for each in answers)
    assert len((await ann.get("/v1/lights")).json()["items"]) == 2


async def test_a_body_that_is_refused_because_its_twin_was_faster_is_told_what_the_twin_was_told(
    ann: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    gather, told = Handler.gather_facts, []

    async def too_late(self: Handler, *about: Any) -> Mapping[Any, Any]:
        if not told:
            told.append(None)
            told.append((await ann.post("/v1/light-batches", {"rooms": ["Hall", "Attic"]}, key="k")).json())
            await ann.post("/v1/dimmer/brightness", {"percent": 5}, seen=0)
        return await gather(self, *about)

    monkeypatch.setattr(Handler, "gather_facts", too_late)
    twin = await ann.post("/v1/light-batches", {"rooms": ["Hall", "Attic"]}, key="k")
    assert (twin.status_code, twin.json()) == (200, told[1])


async def test_what_an_older_release_has_done_by_half_is_finished_by_the_repetition(
    ann: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def one_by_one(self: Handler, propose: Propose) -> None:
        for each in [*await propose(await self.now())][:2]:
            await self.handle(each)
        raise OutcomeUnknown("killed")

    with monkeypatch.context() as older:
        older.setattr(Handler, "handle_together", one_by_one)
        assert (await ann.post("/v1/light-batches", {"rooms": ["Hall", "Attic"]}, key="k")).status_code == 503
    for _ in range(2):
        again = await ann.post("/v1/light-batches", {"rooms": ["Hall", "Attic"]}, key="k")
        assert [(each["order"], each["version"]) for each in again.json()["results"]] == [("Hall", 1), ("Attic", 1)]


async def test_what_is_said_twice_in_one_body_is_done_once(ann: Person) -> None:
    answer = await ann.post("/v1/light-batches", {"rooms": ["Hall", "Hall"]})
    assert (answer.status_code, [each["order"] for each in answer.json()["results"]]) == (200, ["Hall"])


async def test_a_longer_list_than_one_request_may_hold_is_413(ann: Person) -> None:
    assert (await ann.post("/v1/light-batches", {"rooms": ["a", "b", "c", "d"]})).status_code == 413
