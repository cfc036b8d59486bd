"""Strangers stay outside: whatever is wrong with a token is a 401, whatever its roles do not permit a 403."""

import base64
import json
import time
from typing import Any

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from chassis.endpoints import PermissionsIncomplete, check_permissions
from chassis.identity import COOLDOWN_SECONDS, KeysAtUrl
from chassis.testing import AUDIENCE, ISSUER, LATER, Issuer, Served
from events.store.port import Unavailable

GOOD = {"iss": ISSUER, "aud": AUDIENCE, "exp": LATER, "sub": "p-ann", "tenant": "meridian", "roles": ["electrician"]}


def signed(issuer: Issuer, header: dict[str, Any] | None = None, **claims: Any) -> str:
    wanted = {name: content for name, content in {**GOOD, **claims}.items() if content is not None}
    return jwt.encode(wanted, issuer.key, "ES256", headers={"kid": issuer.kid, **(header or {})})


def unsigned(issuer: Issuer) -> str:
    parts = ({"alg": "none", "kid": issuer.kid, "typ": "JWT"}, GOOD)
    return ".".join(base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts) + "."


def signed_with_the_public_key(issuer: Issuer) -> str:
    """HS256 with the public key as the secret: what a library falls for that lets the token choose the algorithm."""
    import hmac

    pem = issuer.key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    head = base64.urlsafe_b64encode(json.dumps({"alg": "HS256", "kid": issuer.kid}).encode()).rstrip(b"=")
    body = base64.urlsafe_b64encode(json.dumps(GOOD).encode()).rstrip(b"=")
    mark = base64.urlsafe_b64encode(hmac.digest(pem, head + b"." + body, "sha256")).rstrip(b"=")
    return b".".join((head, body, mark)).decode()


def signed_by_a_stranger(issuer: Issuer) -> str:
    stranger = ec.generate_private_key(ec.SECP256R1())
    return jwt.encode(GOOD, stranger, "ES256", headers={"kid": issuer.kid})


def with_the_strangers_key_in_the_header(issuer: Issuer) -> str:
    stranger = ec.generate_private_key(ec.SECP256R1())
    public = jwt.algorithms.ECAlgorithm.to_jwk(stranger.public_key(), as_dict=True)
    return jwt.encode(
        GOOD, stranger, "ES256", headers={"kid": issuer.kid, "jwk": public, "jku": "https://stranger.test/jwks"}
    )


def tampered(issuer: Issuer) -> str:
    head, body, mark = signed(issuer).split(".")
    claims = {**json.loads(base64.urlsafe_b64decode(body + "==")), "roles": ["electrician", "boss"]}
    return ".".join((head, base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("="), mark))


FORGERIES = {
    "no signature": unsigned,
    "HS256 with the public key": signed_with_the_public_key,
    "another's key": signed_by_a_stranger,
    "another's key, brought along": with_the_strangers_key_in_the_header,
    "altered after signing": tampered,
    "expired": lambda issuer: signed(issuer, exp=int(time.time()) - 3600),
    "without exp": lambda issuer: signed(issuer, exp=None),
    "exp beyond all numbers": lambda issuer: signed(issuer, exp=float("inf")),
    "exp that is no number": lambda issuer: signed(issuer, exp="tomorrow"),
    "not yet valid": lambda issuer: signed(issuer, nbf=LATER),
    "another audience": lambda issuer: signed(issuer, aud="somebody-else"),
    "without aud": lambda issuer: signed(issuer, aud=None),
    "another issuer": lambda issuer: signed(issuer, iss="https://stranger.test"),
    "without iss": lambda issuer: signed(issuer, iss=None),
    "without sub": lambda issuer: signed(issuer, sub=None),
    "a sub that is no person": lambda issuer: signed(issuer, sub="p ann\n"),
    "the system itself": lambda issuer: signed(issuer, sub="system:deadline"),
    "an unknown key": lambda issuer: signed(issuer, {"kid": "key-9"}),
    "a critical header": lambda issuer: signed(issuer, {"crit": ["exp"]}),
    "no tenant": lambda issuer: signed(issuer, tenant=None),
    "a tenant that crosses subjects": lambda issuer: signed(issuer, tenant="meridian.>"),
    "a tenant with a line end": lambda issuer: signed(issuer, tenant="meridian\n"),
    "a tenant that is too long": lambda issuer: signed(issuer, tenant="m" * 41),
    "a tenant that is no text": lambda issuer: signed(issuer, tenant=7),
    "roles in one string": lambda issuer: signed(issuer, roles="electrician"),
    "roles that are no strings": lambda issuer: signed(issuer, roles=[1]),
    "roles as an object": lambda issuer: signed(issuer, roles={"electrician": True}),
    "roles that are null-like": lambda issuer: signed(issuer, roles=0),
    "nonsense": lambda issuer: "nonsense",
    "too much": lambda issuer: "a" * 9000,
}


@pytest.mark.parametrize("forgery", FORGERIES)
async def test_a_forged_token_is_401(house: Served, forgery: str) -> None:
    token = FORGERIES[forgery](house.issuer)
    answer = await house.http.get("/v1/lights", headers={"Authorization": f"Bearer {token}"})
    assert (answer.status_code, answer.json()["type"]) == (401, "/problems/unauthenticated")
    assert answer.headers["www-authenticate"].startswith("Bearer")
    assert token not in answer.text


@pytest.mark.parametrize("header", [{}, {"Authorization": "Basic YTpi"}, {"Authorization": "Bearer "}])
async def test_without_a_token_it_is_401(house: Served, header: dict[str, str]) -> None:
    assert (await house.http.get("/v1/lights", headers=header)).status_code == 401


async def test_a_stranger_learns_nothing_about_the_request(house: Served) -> None:
    assert (await house.http.post("/v1/lights", content=b"{", headers={"Content-Type": "x/y"})).status_code == 401


async def test_what_no_role_permits_is_403_before_anything_else_is_looked_at(house: Served) -> None:
    answer = await house("p-guest", "guest").post("/v1/lights", {"wrong": True})
    assert (answer.status_code, answer.json()["permission"]) == (403, "light.install")
    assert (await house("p-guest", "guest").get("/v1/lights")).status_code == 200
    assert (await house("p-guest").get("/v1/lights")).status_code == 403


async def test_a_rotated_key_file_is_read_again(house: Served) -> None:
    later = Issuer(house.issuer.folder, kid="key-2")
    answer = await house.http.get("/v1/lights", headers={"Authorization": f"Bearer {signed(later)}"})
    assert answer.status_code == 200
    assert (await house("p-ann", "electrician").get("/v1/lights")).status_code == 401


async def test_a_flood_of_unknown_keys_asks_the_issuer_once(house: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return httpx.Response(200, content=house.issuer.jwks.read_bytes())

    keys = KeysAtUrl("https://issuer.test/jwks", httpx.MockTransport(answer))
    assert await keys.find("key-1")
    assert [await keys.find(f"no-{number}") for number in range(50)] == [None] * 50
    assert len(asked) == 1
    now = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: now + COOLDOWN_SECONDS + 1)
    assert await keys.find("no-51") is None
    assert len(asked) == 2


async def test_an_issuer_that_sends_too_much_is_not_believed() -> None:
    keys = KeysAtUrl(
        "https://issuer.test/jwks", httpx.MockTransport(lambda _: httpx.Response(200, content=b" " * 10**6))
    )
    with pytest.raises(Exception, match="keys cannot be fetched"):
        await keys.find("key-1")


@pytest.mark.parametrize("content", [b"{}", b"[]", b'{"keys": 7}', b"not found"])
async def test_what_is_no_key_set_is_an_issuer_out_of_order_and_no_mistake_of_ours(content: bytes) -> None:
    keys = KeysAtUrl("https://issuer.test/jwks", httpx.MockTransport(lambda _: httpx.Response(200, content=content)))
    with pytest.raises(Unavailable):
        await keys.find("key-1")


def test_a_route_that_nobody_may_call_fails_the_start(house: Served) -> None:
    endpoints = house.app.state.endpoints
    with pytest.raises(PermissionsIncomplete, match=r"light\.install, which no role has"):
        check_permissions(endpoints, {"guest": frozenset({"light.read", "events.read"})})
