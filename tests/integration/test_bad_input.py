"""Bad input at every door of the four services: a clear problem with the right status, and nothing half done.

The operations are taken from the OpenAPI documents, so a new one is tried without a word here.
"""

import hmac
import json
import re
import time
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from doors import NOBODY, SERVICES, Doors, Operation, but, complaint, dumped, leaves
from furnished import EVERYTHING, Furnished
from meridian import Meridian

from stack.client import Rejected
from stack.cluster import Stack

MEBIBYTE = 1024 * 1024


@pytest.fixture
def meridian(furnished: Furnished) -> Meridian:
    """Those who know their way."""
    return furnished.meridian


@pytest.fixture
def doors(furnished: Furnished) -> Doors:
    """Somebody who may do everything, and an id of each kind."""
    return furnished.doors


@pytest.fixture(autouse=True)
def nothing_half_done(doors: Doors, meridian: Meridian, request: pytest.FixtureRequest) -> Iterator[None]:
    """Whatever was tried: no event was written, and every service is still well."""

    def positions() -> list[int]:
        return [meridian.operator.get(service, "quiet")["position"] for service in SERVICES]

    before = positions()
    yield
    if "writes" not in request.keywords:
        assert positions() == before
    for service in SERVICES:
        readiness = doors.http.get(f"{doors.addresses[service]}/readyz")
        assert (readiness.status_code, readiness.json()["status"]) == (200, "ready"), readiness.text


def none_of(complaints: Iterator[str | None]) -> None:
    """All that is wrong, at once."""
    tried = list(complaints)
    assert tried, "nothing was tried"
    found = [each for each in tried if each]
    assert not found, f"{len(found)} wrong:\n" + "\n".join(found[:20])


# --- who calls -------------------------------------------------------------------------------------------------------


def test_without_a_token_every_operation_is_401(doors: Doors) -> None:
    none_of(complaint(each, doors.try_out(each, token=None), 401) for each in doors.operations())


def test_forged_expired_and_foreign_tokens_are_401(doors: Doors, meridian: Meridian) -> None:
    def answers() -> Iterator[str | None]:
        for name, token in bad_tokens(meridian.world.stack).items():
            for each in doors.operations("GET"):
                answer = doors.try_out(each, token=token)
                yield complaint(f"{name}: {each}", answer, 401, type="unauthenticated")
                assert "www-authenticate" in answer.headers

    none_of(answers())


def bad_tokens(stack: Stack) -> dict[str, str]:
    """What a stranger may come up with."""
    good = stack.mint("p-tester", EVERYTHING)
    header, claims = jwt.get_unverified_header(good), jwt.decode(good, options={"verify_signature": False})
    own = stack.identity._key()
    published = stack.identity.jwks.read_bytes()

    def signed(key: Any = own, algorithm: str = "ES256", more: dict[str, Any] | None = None, **changed: Any) -> str:
        kept = {name: claim for name, claim in {**claims, **changed}.items() if claim is not None}
        return jwt.encode(kept, key, algorithm, headers={"kid": header["kid"], **(more or {})})

    now = int(time.time())
    return {
        "garbage": "x.y.z",
        "cut short": good[:-4],
        "altered": ".".join([good.split(".")[0], good.split(".")[1][:-2] + "AA", good.split(".")[2]]),
        "another key": signed(ec.generate_private_key(ec.SECP256R1())),
        "no signature": jwt.encode(claims, None, "none", headers={"kid": header["kid"]}),
        "what is published as a secret": signed_with_a_secret(good, header["kid"], published),
        "an unknown key id": signed(more={"kid": "elsewhere"}),
        "a key of its own": signed(ec.generate_private_key(ec.SECP256R1()), more={"jku": "https://example.org/jwks"}),
        "expired": signed(iat=now - 7200, exp=now - 3600),
        "not yet": signed(nbf=now + 3600),
        "without expiry": signed(exp=None),
        "for somebody else": signed(aud="another"),
        "by somebody else": signed(iss="another"),
        "without a subject": signed(sub=None),
        "without a tenant": signed(tenant=None),
        "for all tenants": signed(tenant="*"),
        "a tenant that crosses subjects": signed(tenant="meridian.sla"),
        "the system": signed(sub="system:improvement"),
        "roles that are no list": signed(roles="cio"),
    }


def signed_with_a_secret(good: str, kid: str, secret: bytes) -> str:
    """The classic: the algorithm is said to be HMAC, and its secret is what everybody can read."""
    head = json.dumps({"alg": "HS256", "typ": "JWT", "kid": kid}).encode()
    text = f"{urlsafe_b64encode(head).decode().rstrip('=')}.{good.split('.')[1]}"
    return f"{text}.{urlsafe_b64encode(hmac.digest(secret, text.encode(), 'sha256')).decode().rstrip('=')}"


def test_without_a_role_every_operation_is_403_naming_the_permission(doors: Doors, meridian: Meridian) -> None:
    token = meridian.world.stack.mint("p-nobody", ["no-such-role"])

    def answers() -> Iterator[str | None]:
        for each in doors.operations():
            if each.permission:
                answer = doors.try_out(each, token=token)
                yield complaint(each, answer, 403, type="not-permitted")
                assert answer.json()["permission"] == each.permission

    none_of(answers())


def test_another_tenant_sees_and_moves_nothing(doors: Doors, meridian: Meridian) -> None:
    """Another tenant's ids are as unknown as ids that nobody has, on every route of an object."""
    rival = meridian.world.stack.mint("p-tester", EVERYTHING, tenant="rival")

    def answers() -> Iterator[str | None]:
        for each in doors.operations():
            if each.of_an_object:
                assert (each.service, each.collection) in doors.ids, f"no {each.collection} to try"
                ours = doors.try_out(each, token=rival)
                nobodys = doors.try_out(each, token=rival, id=NOBODY)
                yield complaint(each, ours, 404, type="not-found")
                yield complaint(each, nobodys, 404, type="not-found")
                assert {**ours.json(), "instance": ""} == {**nobodys.json(), "instance": ""}
            elif each.method == "GET" and "limit" in each.query:
                yield None if doors.try_out(each, token=rival).json()["items"] == [] else f"{each} shows something"

    none_of(answers())


# --- what is asked for -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("id", [NOBODY, "not-an-id", "%00", "%F0%9F%92%A9", NOBODY.replace("-", ""), "x" * 3000])
def test_unknown_ids_are_404(doors: Doors, id: str) -> None:
    none_of(complaint(each, doors.try_out(each, id=id), 404) for each in doors.operations() if each.of_an_object)


def test_nothing_can_be_done_to_an_object_that_is_not_there(doors: Doors) -> None:
    """Also not by saying that one has seen its version 0."""

    def answers() -> Iterator[str | None]:
        for each in doors.operations("POST"):
            if each.of_an_object:
                yield complaint(each, doors.try_out(each, id=NOBODY, headers={"If-Match": '"0"'}), 404)

    none_of(answers())


def test_unknown_addresses_are_404_and_other_methods_405(doors: Doors) -> None:
    def answers() -> Iterator[str | None]:
        for each in doors.operations():
            url = doors.addresses[each.service] + each.path.replace("{id}", NOBODY)
            headers = {"Authorization": f"Bearer {doors.token}"}
            yield complaint(each, doors.http.request("GET", url + "/no/such/thing", headers=headers), 404)
            for method in ("PUT", "DELETE", "PATCH"):
                answer = doors.http.request(method, url, headers=headers)
                yield complaint(f"{method} on {each}", answer, 405)
                assert each.method in answer.headers["allow"]

    none_of(answers())


def test_unknown_query_parameters_are_422(doors: Doors) -> None:
    none_of(
        complaint(each, doors.try_out(each, query="?colour=red"), 422, type="invalid-parameter")
        for each in doors.operations()
    )


BAD_VALUES = {
    "limit": ["0", "201", "-1", "1.5", "ten", "", "9" * 400, "%00", "1&limit=2"],
    "cursor": ["garbage", "", "%00", "W10", "e30", "bnVsbA", "A" * 5000, "WyJhIiwgMSwgMl0"],
    "sort": ["colour", "", "--id", "id,due", "%00", "id;drop"],
    "as_of": ["yesterday", "2026-02-30T00:00:00Z", "2026-02-10", "9999-12-31T23:59:59Z", "", "2026-02-10T10:00:00"],
    "after": ["-1", "1.5", "9" * 400, "", "x"],
}


def test_query_parameters_that_make_no_sense_are_422(doors: Doors) -> None:
    def answers() -> Iterator[str | None]:
        for each in doors.operations("GET"):
            for name in each.query:
                for value in BAD_VALUES.get(name, ["%00"]):
                    yield complaint(f"{each}?{name}={value}", doors.try_out(each, query=f"?{name}={value}"), 422)

    none_of(answers())


def test_a_cursor_serves_only_the_list_that_it_was_given_out_for(doors: Doors, meridian: Meridian) -> None:
    (cursor,) = [meridian.ruiz.get("audit", "role-holders", limit=1)["next"]]
    assert cursor

    def answers() -> Iterator[str | None]:
        for each in doors.operations("GET"):
            if "cursor" in each.query and each.path != "/v1/role-holders":
                yield complaint(each, doors.try_out(each, query=f"?cursor={cursor}"), 422)

    none_of(answers())


# --- how it is asked for ---------------------------------------------------------------------------------------------


def test_a_change_that_names_no_version_is_428_and_one_that_names_an_old_one_412(doors: Doors) -> None:
    def answers() -> Iterator[str | None]:
        for each in doors.operations("POST"):
            if each.conditional:
                yield complaint(each, doors.try_out(each, headers={"If-Match": None}), 428, type="if-match-missing")
                yield complaint(each, doors.try_out(each, headers={"If-Match": '"99"'}), 412, type="stale")
                for etag in ("*", "1", 'W/"1"', '"1", "2"', '"01"', '"-1"', '"9999999999"', '"one"'):
                    yield complaint(f"{each} {etag}", doors.try_out(each, headers={"If-Match": etag}), 400)

    none_of(answers())


def test_a_post_without_a_key_of_its_own_is_400(doors: Doors) -> None:
    def answers() -> Iterator[str | None]:
        for each in doors.operations("POST"):
            without = doors.try_out(each, headers={"Idempotency-Key": None})
            yield complaint(each, without, 400, type="idempotency-key-missing")
            for key in ("", "k" * 129):
                yield complaint(f"{each} {key}", doors.try_out(each, headers={"Idempotency-Key": key}), 400)

    none_of(answers())


def test_another_media_type_is_415(doors: Doors) -> None:
    def answers() -> Iterator[str | None]:
        for each in doors.operations("POST"):
            for kind in ("text/plain", "application/x-www-form-urlencoded", "application/json; charset=latin-1", None):
                yield complaint(f"{each} {kind}", doors.try_out(each, headers={"Content-Type": kind}), 415)

    none_of(answers())


NO_JSON = {
    "nothing": b"",
    "cut short": b'{"a": [1, ',
    "two documents": b"{}{}",
    "single quotes": b"{'a': 1}",
    "a comment": b"{} // here",
    "not UTF-8": b'{"a": "\xff\xfe"}',
    "UTF-16": '{"a": 1}'.encode("utf-16"),
    "a lone surrogate": b'{"a": "\\ud800"}',
    "nesting in lists": b"[" * 100_000,
    "nesting in objects": b'{"a":' * 50_000 + b"1" + b"}" * 50_000,
    "one name twice": b'{"reason": "x", "reason": "y"}',
    "one name twice, deep inside": b'{"a": [{"b": 1, "c": {"d": 1, "d": 1}}]}',
}


def test_what_is_no_clear_json_is_400(doors: Doors) -> None:
    def answers() -> Iterator[str | None]:
        for each in doors.operations("POST"):
            for name, content in NO_JSON.items():
                yield complaint(f"{name}: {each}", doors.try_out(each, content=content), 400, type="malformed")

    none_of(answers())


def test_oversized_bodies_are_413_with_and_without_an_announced_length(doors: Doors) -> None:
    def answers() -> Iterator[str | None]:
        for each in doors.operations("POST"):
            whole = b'{"reason": "' + b"x" * MEBIBYTE + b'"}'
            yield complaint(each, doors.try_out(each, content=whole), 413, type="too-large")
            chunks = (whole[start : start + 65_536] for start in range(0, len(whole), 65_536))
            yield complaint(f"in chunks: {each}", doors.try_out(each, content=chunks), 413, type="too-large")

    none_of(answers())


def test_more_than_a_thousand_samples_are_413(doors: Doors) -> None:
    samples = [{"id": f"S-{n}", "started_at": "2026-02-10T09:10:00Z", "ended_at": None} for n in range(1001)]
    (measure,) = [each for each in doors.operations("POST") if each.path == "/v1/measurements"]
    body = {"service": "SVC-ERP", "source": "flood", "samples": samples}
    none_of(iter([complaint(measure, doors.try_out(measure, json=body), 413, type="too-large")]))


# --- what it says ----------------------------------------------------------------------------------------------------


def bodies(doors: Doors) -> Iterator[tuple[Operation, Any]]:
    """Every operation that takes a body, with the example of its description."""
    for each in doors.operations("POST"):
        yield each, each.example


def test_unknown_fields_are_422_and_pointed_at(doors: Doors) -> None:
    def answers() -> Iterator[str | None]:
        for each, body in bodies(doors):
            answer = doors.try_out(each, json={**body, "sur/prise~": 1})
            yield complaint(each, answer, 422, type="invalid")
            assert "/sur~1prise~0" in [error["pointer"] for error in answer.json()["errors"]], answer.text

    none_of(answers())


def test_wrong_types_are_422_and_pointed_at(doors: Doors) -> None:
    def answers() -> Iterator[str | None]:
        for each, body in bodies(doors):
            yield from (complaint(each, doors.try_out(each, content=c), 422) for c in (b"[]", b"null", b'"x"', b"7"))
            for name in body:
                answer = doors.try_out(each, json={**body, name: {"no": ["such", {"thing": 1.5}]}})
                yield complaint(f"{each} {name}", answer, 422, type="invalid")
                pointers = [error["pointer"] for error in answer.json()["errors"]]
                assert any(pointer.startswith(f"/{name}") for pointer in pointers), answer.text

    none_of(answers())


A_DAY = re.compile(r"\d{4}-\d\d-\d\d")
BAD_DAYS = ("2026-02-30", "2026-13-01", "2026-00-10", "0000-01-01", "99999-01-01", "-2026-01-01", "9999-12-31", "1")
BAD_TIMES = ("T25:00:00Z", "T10:60:00Z", "T10:00:00", "T10:00:00+99:00", " 10:00", "T10:00:00Zulu", "")


def test_impossible_dates_are_422(doors: Doors) -> None:
    def answers() -> Iterator[str | None]:
        for each, body in bodies(doors):
            for place, leaf in leaves(body):
                if isinstance(leaf, str) and A_DAY.match(leaf):
                    for bad in impossible(leaf):
                        answer = doors.try_out(each, json=but(body, place, bad))
                        yield complaint(f"{each} {place} {bad}", answer, 422, type="invalid")

    none_of(answers())


def impossible(day_or_instant: str) -> Iterator[str]:
    day, rest = day_or_instant[:10], day_or_instant[10:]
    yield from (bad + rest for bad in BAD_DAYS)
    if rest:
        yield from (day + bad for bad in BAD_TIMES)


def test_texts_that_cannot_be_kept_are_refused(doors: Doors) -> None:
    """NUL, half a character, and more than a field holds; wherever the body has a text."""

    def answers() -> Iterator[str | None]:
        for each, body in bodies(doors):
            for place, leaf in leaves(body):
                if isinstance(leaf, str):
                    for bad, status in (("a\x00b", 422), ("a\ud800b", 400), ("x" * 5000, 422), ("", 422)):
                        answer = doors.try_out(each, json=but(body, place, bad))
                        yield complaint(f"{each} {place} {bad[:4]!r}", answer, status)

    none_of(answers())


HUGE = ("1e400", "-1e400", "1" + "0" * 400, "1" + "0" * 5000, "NaN", "Infinity", "-Infinity", "1e308", "0.1")


def test_numbers_beyond_all_bounds_are_refused(doors: Doors) -> None:
    """As numbers and as decimals in texts, wherever the body has a number or a decimal."""

    def answers() -> Iterator[str | None]:
        for each, body in bodies(doors):
            for place, leaf in leaves(body):
                for written in numbers_for(place[-1], leaf):
                    content = dumped(but(body, place, "@")).replace(b'"@"', written.encode())
                    yield complaint(f"{each} {place} {written[:9]}", doors.try_out(each, content=content), 400, 422)

    none_of(answers())


def numbers_for(name: object, leaf: Any) -> Iterator[str]:
    if isinstance(leaf, int) and not isinstance(leaf, bool):
        yield from HUGE if name == "days" else (*HUGE, "-1")  # a step of a ladder may come before the due date
    elif name in ("percent", "at_risk_percent", "threshold"):
        yield from (f'"{huge}"' for huge in ("NaN", "Infinity", "1e999999", "-1", "1" * 5000))


# --- the same key again ----------------------------------------------------------------------------------------------

SAMPLE = {"id": "MON-7", "started_at": "2026-02-10T08:00:00Z", "ended_at": "2026-02-10T08:01:00Z"}


AGAIN: list[tuple[str, str, dict[str, Any], dict[str, Any]]] = [
    ("sla", "/v1/services", {"key": "SVC-WEB", "name": "Web", "owner": "p-ruiz", "supplier": None}, {"key": "SVC-DNS"}),
    ("audit", "/v1/role-holders", {"person": "p-weiss", "role": "auditor", "since": "2025-01-01"}, {"role": "cio"}),
    ("sla", "/v1/measurements", {"service": "SVC-ERP", "source": "again", "samples": [SAMPLE]}, {"service": "SVC-DNS"}),
]
"""A body, and what is another in the other one; that of the measurements leads to another stream."""


@pytest.mark.writes
@pytest.mark.parametrize(("service", "path", "body", "other"), AGAIN)
def test_a_key_used_again_for_the_same_is_answered_the_same_and_for_something_else_422(
    doors: Doors, meridian: Meridian, service: str, path: str, body: dict[str, Any], other: dict[str, Any]
) -> None:
    (operation,) = [each for each in doors.operations("POST") if (each.service, each.path) == (service, path)]
    first, again, another = (
        doors.try_out(operation, json=each, headers={"Idempotency-Key": f"the-same {path}"})
        for each in (body, dict(reversed(body.items())), {**body, **other})
    )
    assert first.is_success, first.text
    assert (again.status_code, again.json()) == (first.status_code, first.json())
    assert complaint(path, another, 422, type="idempotency-key-reused") is None, another.text
    meridian.settle()


@pytest.mark.writes
def test_of_one_report_either_all_is_kept_or_nothing(meridian: Meridian) -> None:
    """The second sample's id was used for another service, which only the database can know."""
    meridian.list_service("SVC-NET")
    meridian.settle()
    before = meridian.operator.get("sla", "quiet")["position"]
    fresh = {"id": "MON-8", "started_at": "2026-02-09T08:00:00Z", "ended_at": "2026-02-09T08:01:00Z"}
    used = {"id": "MON-1", "started_at": "2026-02-08T08:00:00Z", "ended_at": "2026-02-08T08:01:00Z"}
    body = {"service": "SVC-NET", "source": "monitor", "samples": [fresh, used]}
    with pytest.raises(Rejected) as rejected:
        meridian.monitor.post("sla", "measurements", body, key="both")
    assert (rejected.value.status, rejected.value.problem["rule"]) == (409, "S-04")
    assert meridian.operator.get("sla", "quiet")["position"] == before
    corrected = {**body, "samples": [fresh]}
    assert meridian.monitor.post("sla", "measurements", corrected, key="both")["results"]
    meridian.settle()
