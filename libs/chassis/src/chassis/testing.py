"""For the tests of services: a migrated service over HTTP in one process, tokens, and a check of list indexes.

async with serving(service, database, folder) as caller:
    answer = await caller("p-weiss", "auditor").post("/v1/findings", {...})
"""

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from itertools import count
from pathlib import Path
from typing import Any

import httpx
import jwt
from cryptography.hazmat.primitives.asymmetric import ec
from fastapi import FastAPI
from jwt.algorithms import ECAlgorithm
from pydantic import SecretStr
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from chassis.lists import Question, statement
from chassis.migrations import folder_of, migrate
from chassis.routes import Routes, Service
from chassis.service import create_app
from chassis.settings import Settings
from events.store.database import Database

ISSUER, AUDIENCE, TENANT = "https://issuer.test", "closeloop", "meridian"
LATER = 4_102_444_800
ROWS = 4000


@dataclass(frozen=True)
class Issuer:
    """Somebody who issues tokens, and the file with the public key."""

    folder: Path
    key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))
    kid: str = "key-1"

    def __post_init__(self) -> None:
        public = ECAlgorithm.to_jwk(self.key.public_key(), as_dict=True)
        key = {**public, "kid": self.kid, "use": "sig", "alg": "ES256"}
        self.jwks.write_text(json.dumps({"keys": [key]}))

    @property
    def jwks(self) -> Path:
        return self.folder / "jwks.json"

    def token(self, person: str, *roles: str, tenant: str = TENANT, **claims: Any) -> str:
        """A good token; `claims` replace what is usual, None leaves a claim out."""
        usual = {"iss": ISSUER, "aud": AUDIENCE, "exp": LATER, "sub": person, "tenant": tenant, "roles": list(roles)}
        wanted = {name: content for name, content in {**usual, **claims}.items() if content is not None}
        return jwt.encode(wanted, self.key, "ES256", headers={"kid": self.kid})


@dataclass(frozen=True)
class Person:
    """Somebody with a token, calling a service."""

    http: httpx.AsyncClient
    token: str
    keys: "count[int]" = field(default_factory=lambda: count(1))

    async def get(self, path: str, **parameters: Any) -> httpx.Response:
        return await self.http.get(path, params=parameters or None, headers=self._headers())

    async def post(
        self, path: str, body: Any, *, seen: int | None = None, key: str | None = None, **headers: str
    ) -> httpx.Response:
        """`seen` is the version for If-Match; without `key`, each call is a new intention."""
        match = {} if seen is None else {"If-Match": f'"{seen}"'}
        key = key or f"{self.token[-12:]}-{next(self.keys)}"
        return await self.http.post(
            path, json=body, headers={**self._headers(), "Idempotency-Key": key, **match, **headers}
        )

    def _headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}


@dataclass(frozen=True)
class Served:
    """A service that is served inside this test."""

    app: FastAPI
    http: httpx.AsyncClient
    issuer: Issuer

    def __call__(self, person: str, *roles: str, tenant: str = TENANT) -> Person:
        return Person(self.http, self.issuer.token(person, *roles, tenant=tenant))


@asynccontextmanager
async def serving(
    service: Service,
    database: str,
    folder: Path,
    *,
    migrations: Path | None = None,
    clock_start: datetime | None = None,
    **settings: Any,
) -> AsyncIterator[Served]:
    """Migrate an empty database and serve the service on it, without a bus unless `nats_url` is given."""
    issuer = Issuer(folder)
    await migrate(database, migrations or folder_of(service.name))
    app = create_app(
        service,
        Settings(
            service=service.name,
            database_url=SecretStr(database),
            jwks=str(issuer.jwks),
            issuer=ISSUER,
            audience=AUDIENCE,
            clock_start=clock_start,
            env="test",
            **settings,
        ),
    )
    transport = httpx.ASGITransport(app=app)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://service.test") as client,
    ):
        yield Served(app, client, issuer)


async def check_list_indexes(service: Service, database: str, migrations: Path | None = None) -> None:
    """Every declared filter is found by an index, and every declared sort key is read in order from one."""
    await migrate(database, migrations or folder_of(service.name))
    engines = Database.at(database)
    try:
        async with engines.reads.connect() as connection:
            for feature in service.features:
                if feature.routes and not feature.routes.singleton:
                    await _check_kind(connection, feature.routes)
    finally:
        await engines.close()


async def _check_kind(connection: AsyncConnection, routes: Routes) -> None:
    kind, listing = routes.aggregate.kind, routes.listing
    fields = sorted({*listing.filters, *listing.sorts})
    await connection.execute(
        text("""
            INSERT INTO states (tenant, kind, id, version, public_version, shape, state)
            SELECT :tenant, :kind, gen_random_uuid(), 1, 0, 1,
                   (SELECT jsonb_object_agg(f, f || n % 997) FROM unnest(CAST(:fields AS text[])) f)
            FROM generate_series(1, :rows) n
        """),
        {"tenant": TENANT, "kind": kind, "fields": fields or ["none"], "rows": ROWS},
    )
    await connection.execute(text("ANALYZE states"))
    for name in listing.filters:
        asked = Question(tenant=TENANT, kind=kind, filters=((name, (f"{name}7",)),))
        plan = await _plan(connection, asked)
        assert any(f"'{name}'" in node.get("Index Cond", "") for node in plan), f"{kind}.{name}: no index: {plan}"
    for name in listing.sorts:
        plan = await _plan(connection, Question(tenant=TENANT, kind=kind, sort=name))
        assert not any("Sort" in node["Node Type"] for node in plan), f"{kind}: sorted by {name} without an index"


async def _plan(connection: AsyncConnection, asked: Question) -> list[Mapping[str, Any]]:
    query, parameters = statement(asked)
    explain = text(f"EXPLAIN (FORMAT JSON) {query.text}").bindparams(*query._bindparams.values())  # noqa: SLF001
    found = (await connection.execute(explain, parameters)).scalar_one()
    plans = json.loads(found) if isinstance(found, str) else found
    return list(_nodes(plans[0]["Plan"]))


def _nodes(plan: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [plan, *(node for part in plan.get("Plans", ()) for node in _nodes(part))]
