"""Who calls: a bearer JWT, signed with an asymmetric key of the issuer, turned into tenant, person and roles.

Tokens are checked by real time, whatever the business clock says. A token says only which key it means (`kid`); where
keys come from is configuration, so `jku`, `x5u` and `jwk` in a token are never looked at.
"""

import asyncio
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Protocol

import httpx
import jwt
from jwt import PyJWK
from pydantic import AfterValidator, Field, StringConstraints, ValidationError

from chassis.problems import Problem
from events.codec import adapter
from events.kernel import Actor, value
from events.store.port import Unavailable
from events.words import Person

ALGORITHMS = ("EdDSA", "ES256", "ES384", "ES512", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512")
LEEWAY_SECONDS = 30
MAX_TOKEN = 8_192

MAX_JWKS = 256 * 1024
FRESH_SECONDS = 600.0
COOLDOWN_SECONDS = 30.0


def _human(person: str) -> str:
    if person.startswith("system:"):
        raise ValueError("is reserved")
    return person


@value
class Caller:
    """Who calls, as the token says."""

    tenant: Annotated[str, StringConstraints(pattern=r"^[a-z0-9-]{1,40}\z")]
    person: Annotated[Person, AfterValidator(_human)]
    roles: Annotated[tuple[Annotated[str, StringConstraints(min_length=1, max_length=64)], ...], Field(max_length=100)]

    @property
    def actor(self) -> Actor:
        return Actor(person=self.person, roles=self.roles)


class Keys(Protocol):
    """Public keys by their id."""

    async def find(self, kid: str) -> PyJWK | None:
        """The key, or None. Raises Unavailable when the keys cannot be had at all."""


@dataclass(frozen=True)
class Identity:
    """Tells callers from strangers."""

    keys: Keys
    issuer: str
    audience: str

    async def caller(self, authorization: str | None) -> Caller:
        """The caller behind an Authorization header. Everything wrong with it is one 401."""
        scheme, _, token = (authorization or "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise stranger("A bearer token is needed.", error=False)
        try:
            key = await self._key_of(token)
            claims = jwt.decode(
                token,
                key,
                algorithms=ALGORITHMS,
                audience=self.audience,
                issuer=self.issuer,
                leeway=LEEWAY_SECONDS,
                options={"require": ["iss", "aud", "exp", "sub"]},
            )
            return _caller(claims)
        except jwt.ExpiredSignatureError:
            raise stranger("The token has expired.") from None
        except (jwt.PyJWTError, ValueError, TypeError, OverflowError, RecursionError):
            raise stranger("The token is not valid here.") from None

    async def _key_of(self, token: str) -> PyJWK:
        if len(token) > MAX_TOKEN:
            raise jwt.InvalidTokenError("too long")
        header = jwt.get_unverified_header(token)
        kid = header.get("kid")
        if header.get("alg") not in ALGORITHMS or "crit" in header or not isinstance(kid, str):
            raise jwt.InvalidTokenError("a header that is not accepted")
        key = await self.keys.find(kid)
        if key is None:
            raise jwt.InvalidTokenError("an unknown key")
        return key


def _caller(claims: Mapping[str, Any]) -> Caller:
    try:
        found: Caller = adapter(Caller).validate_python(
            {"tenant": claims.get("tenant"), "person": claims["sub"], "roles": tuple(claims.get("roles", ()))}
        )
    except ValidationError:
        raise stranger("The token carries no acceptable tenant, subject or roles.") from None
    if not isinstance(claims.get("roles", []), list):
        raise stranger("The roles of the token are not a list.")
    return found


def stranger(detail: str, *, error: bool = True) -> Problem:
    """The one answer to a call without a good token."""
    challenge = 'Bearer realm="closeloop"' + (', error="invalid_token"' if error else "")
    return Problem(401, "unauthenticated", detail, headers={"WWW-Authenticate": challenge})


def keys_from(place: str) -> Keys:
    """The keys at a file path or an http(s) URL; nowhere means that nobody is known."""
    if place.startswith(("http://", "https://")):
        return KeysAtUrl(place)
    return KeysInFile(Path(place)) if place else NoKeys()


class NoKeys:
    """Nobody is known here."""

    async def find(self, kid: str) -> PyJWK | None:
        return None


@dataclass
class KeysInFile:
    """A JWKS file, read again when it has changed."""

    path: Path
    _seen: tuple[int, int] | None = None
    _keys: Mapping[str, PyJWK] = field(default_factory=dict)

    async def find(self, kid: str) -> PyJWK | None:
        try:
            stat = self.path.stat()
            if (stat.st_mtime_ns, stat.st_size) != self._seen:
                self._keys = read_jwks(self.path.read_bytes())
                self._seen = (stat.st_mtime_ns, stat.st_size)
        except (OSError, ValueError) as error:
            if not self._keys:
                raise Unavailable(f"the keys in {self.path} cannot be read") from error
        return self._keys.get(kid)


@dataclass
class KeysAtUrl:
    """A JWKS address. Unknown key ids make us look again, but never more often than the cooldown allows."""

    url: str
    transport: httpx.AsyncBaseTransport | None = None
    _keys: Mapping[str, PyJWK] = field(default_factory=dict)
    _fetched: float = float("-inf")
    _tried: float = float("-inf")
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def find(self, kid: str) -> PyJWK | None:
        if kid not in self._keys or time.monotonic() - self._fetched > FRESH_SECONDS:
            async with self._turn:
                await self._look_again(kid)
        if not self._keys:
            raise Unavailable("the issuer's keys cannot be fetched")
        return self._keys.get(kid)

    async def _look_again(self, kid: str) -> None:
        now = time.monotonic()
        known = kid in self._keys and now - self._fetched <= FRESH_SECONDS
        if known or now - self._tried < COOLDOWN_SECONDS:
            return
        self._tried = now
        try:
            self._keys = read_jwks(await self._fetch())
            self._fetched = now
        except (httpx.HTTPError, ValueError):
            return  # the keys that we have stay good until the issuer answers again

    async def _fetch(self) -> bytes:
        content = b""
        async with (
            httpx.AsyncClient(transport=self.transport, timeout=5, follow_redirects=False, trust_env=False) as client,
            client.stream("GET", self.url) as response,
        ):
            response.raise_for_status()
            async for chunk in response.aiter_bytes():
                content += chunk
                if len(content) > MAX_JWKS:
                    raise ValueError("far too many keys")
        return content


def read_jwks(content: bytes) -> dict[str, PyJWK]:
    """The usable keys of a JWKS: for signatures, public, of an algorithm that we accept."""
    keys: dict[str, PyJWK] = {}
    document = json.loads(content)
    if not isinstance(document, dict) or not isinstance(document.get("keys"), list):
        raise ValueError("no JWKS")
    for each in document["keys"]:
        try:
            key = PyJWK.from_dict(each)
        except (jwt.PyJWTError, ValueError, TypeError, AttributeError):
            continue  # a kind of key that we do not know must not lock everybody out
        if key.algorithm_name in ALGORITHMS and each.get("use", "sig") == "sig" and isinstance(each.get("kid"), str):
            keys[each["kid"]] = key
    return keys
