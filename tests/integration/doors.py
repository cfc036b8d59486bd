"""Every operation that the four services offer, as their OpenAPI documents say, and somebody who tries each of them."""

import json
from collections.abc import Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import httpx

SERVICES = ("audit", "sla", "risk", "improvement")
NOBODY = "01a20000-0000-7000-8000-000000000000"
"""An id that no object has."""
Leaf = tuple[tuple[str | int, ...], Any]


@dataclass(frozen=True)
class Operation:
    """One method at one path of one service."""

    service: str
    method: str
    path: str
    permission: str | None
    example: Any
    conditional: bool
    query: tuple[str, ...]

    @property
    def collection(self) -> str:
        """`corrective-actions` of `/v1/corrective-actions/{id}/owner`."""
        return self.path.split("/")[2]

    @property
    def of_an_object(self) -> bool:
        return "{id}" in self.path

    def __str__(self) -> str:
        return f"{self.service} {self.method} {self.path}"


@dataclass(frozen=True)
class Doors:
    """The services' addresses, and an id of an object for each collection that has one."""

    addresses: Mapping[str, str]
    token: str
    """Of somebody who may do everything."""
    ids: dict[tuple[str, str], str] = field(default_factory=dict)
    http: httpx.Client = field(default_factory=lambda: httpx.Client(timeout=15, trust_env=False))

    def operations(self, method: str | None = None) -> Iterator[Operation]:
        """What is described is what is served: the walk leaves nothing out."""
        for service in SERVICES:
            document = self.http.get(f"{self.addresses[service]}/openapi.json").json()
            for path, by_method in document["paths"].items():
                for name, described in by_method.items():
                    if method in (None, name.upper()):
                        yield _operation(service, name.upper(), path, described)

    def try_out(
        self,
        operation: Operation,
        *,
        id: str | None = None,
        token: str | None = "",
        json: Any = None,
        content: Any = None,
        headers: Mapping[str, str | None] | None = None,
        query: str = "",
    ) -> httpx.Response:
        """As a good client would, but for what is given; a header that is null is left out, token null too."""
        found = id or self.ids.get((operation.service, operation.collection), NOBODY)
        sent: dict[str, str | None] = {"Authorization": f"Bearer {token or self.token}"} if token is not None else {}
        if operation.method == "POST":
            sent |= {"Idempotency-Key": str(uuid4()), "Content-Type": "application/json"}
            content = content if content is not None else dumped(operation.example if json is None else json)
        if operation.conditional:
            sent["If-Match"] = '"1"'
        kept = {name: text for name, text in {**sent, **(headers or {})}.items() if text is not None}
        url = self.addresses[operation.service] + operation.path.replace("{id}", found) + query
        return self.http.request(operation.method, url, content=content, headers=kept)


def _operation(service: str, method: str, path: str, described: Mapping[str, Any]) -> Operation:
    parameters = described["parameters"]
    body = described.get("requestBody", {"content": {"application/json": {"example": None}}})
    return Operation(
        service=service,
        method=method,
        path=path,
        permission=described.get("x-permission"),
        example=body["content"]["application/json"]["example"],
        conditional={"$ref": "#/components/parameters/IfMatch"} in parameters,
        query=tuple(each["name"] for each in parameters if each.get("in") == "query"),
    )


def dumped(body: Any) -> bytes:
    """As it travels; lone surrogates stay escaped."""
    return json.dumps(body).encode()


def leaves(of: Any, place: tuple[str | int, ...] = ()) -> Iterator[Leaf]:
    """Every text, number, flag and null in a body, with its place."""
    if isinstance(of, dict):
        for name, part in of.items():
            yield from leaves(part, (*place, name))
    elif isinstance(of, list):
        for number, part in enumerate(of):
            yield from leaves(part, (*place, number))
    else:
        yield place, of


def but(body: Any, place: tuple[str | int, ...], new: Any) -> Any:
    """The same body with something else at one place."""
    changed = at = deepcopy(body)
    for step in place[:-1]:
        at = at[step]
    at[place[-1]] = new
    return changed


def complaint(about: object, answer: httpx.Response, *statuses: int, type: str | None = None) -> str | None:
    """What is wrong with an answer that must be a problem (RFC 9457) with one of these statuses; None: nothing."""
    said = f"{about}: {answer.status_code} {answer.text[:300]}"
    if answer.status_code not in statuses or answer.headers.get("content-type") != "application/problem+json":
        return said
    problem = answer.json()
    whole = problem["status"] == answer.status_code and problem["title"] and problem["detail"]
    right = problem["instance"] == answer.headers["x-request-id"] and type in (None, problem["type"].split("/")[-1])
    return None if whole and right else said
