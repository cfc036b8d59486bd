"""The OpenAPI 3.1 document, made from the endpoints that are served: nothing in it is written a second time."""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pydantic import TypeAdapter
from pydantic.json_schema import JsonSchemaMode

from chassis.endpoints import ANYBODY, Endpoint
from chassis.problems import MEDIA_TYPE, catalogue, title_of
from chassis.representation import pascal
from events.codec import adapter

REF = "#/components/schemas/{model}"

_PROBLEM = {
    "type": "object",
    "description": "RFC 9457 problem details; refusals add members of their own, such as `rule`.",
    "required": ["type", "title", "status", "detail", "instance"],
    "properties": {
        "type": {"type": "string", "format": "uri-reference"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "instance": {"type": "string", "description": "The id of the request, also in X-Request-Id and the log."},
        "rule": {"type": "string", "description": "The requirement that was applied."},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["pointer", "detail"],
                "properties": {"pointer": {"type": "string", "format": "json-pointer"}, "detail": {"type": "string"}},
            },
        },
    },
}
_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": True,
    "description": "A new one for each intention, the same one for each repetition.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 128, "pattern": "^[\\x20-\\x7e]+$"},
    "example": "3f0c8f9e-raise-1",
}
_IF_MATCH = {
    "name": "If-Match",
    "in": "header",
    "required": True,
    "description": "The ETag of the version that you have seen.",
    "schema": {"type": "string", "pattern": '^"(0|[1-9][0-9]*)"$'},
    "example": '"1"',
}
_ETAG = {"description": "The version of the object.", "schema": {"type": "string"}}
_POSITION = {
    "description": "Service and position of the last event of this change.",
    "schema": {"type": "string"},
    "example": "audit:12",
}

_READS = (401, 403, 404, 405, 422, 503)
_WRITES = (400, 401, 403, 404, 405, 408, 409, 412, 413, 415, 422, 428, 503)


def document(
    title: str, version: str, endpoints: Sequence[Endpoint], permissions: Mapping[str, frozenset[str]]
) -> dict[str, Any]:
    """The whole document; `permissions` by role, so that each operation can say who may call it."""
    refuse_twins(endpoints)
    schemas, components = _schemas(endpoints)
    paths: dict[str, dict[str, Any]] = {}
    for each in endpoints:
        roles = sorted(role for role, held in permissions.items() if each.permission in held)
        paths.setdefault(each.path, {})[each.method.lower()] = _operation(each, schemas, roles)
    return {
        "openapi": "3.1.0",
        "info": {"title": title, "version": version},
        "security": [{"bearer": []}],
        "tags": [{"name": tag} for tag in dict.fromkeys(each.tag for each in endpoints)],
        "paths": paths,
        "components": {
            "schemas": {**components, "Problem": _PROBLEM},
            "parameters": {"IdempotencyKey": _KEY, "IfMatch": _IF_MATCH},
            "responses": {_problem_name(status): _problem(status) for status in sorted({*_READS, *_WRITES})},
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}},
        },
    }


def refuse_twins(endpoints: Sequence[Endpoint]) -> None:
    """Two operations under one id or at one address are a mistake in a service's routes."""
    for names in ([each.id for each in endpoints], [each.operation for each in endpoints]):
        twice = {name for name in names if names.count(name) > 1}
        if twice:
            raise TypeError(f"declared twice: {', '.join(sorted(twice))}")


def _schemas(endpoints: Sequence[Endpoint]) -> tuple[dict[tuple[str, str], Any], dict[str, Any]]:
    """Each endpoint's schemas by (id, "takes" | "answer" | parameter), and the components that they share."""
    wanted: list[tuple[tuple[str, str], JsonSchemaMode, TypeAdapter[Any]]] = []
    for each in endpoints:
        wanted.append(((each.id, "answer"), "serialization", adapter(each.answer)))
        if each.takes:
            wanted.append(((each.id, "takes"), "validation", adapter(each.takes.type)))
        for name, schema in each.query.items():
            if "items" in schema:
                wanted.append(((each.id, name), "validation", adapter(schema["items"])))
    made, shared = TypeAdapter.json_schemas(wanted, ref_template=REF)
    names = _short_names(shared.get("$defs", {}))
    schemas = {key: _renamed(schema, names) for (key, _), schema in made.items()}
    return schemas, {names[old]: _renamed(schema, names) for old, schema in shared.get("$defs", {}).items()}


def _short_names(components: Iterable[str]) -> dict[str, str]:
    """Where two types share a name, pydantic spells out their modules; the folder before it is enough.

    `audit_service__audits__state__Status` becomes AuditsStatus, `types__Policy` (a representation) Policy.
    """
    short: dict[str, str] = {}
    for name in components:
        module, *inner, last = ["types", *name.split("__")] if "__" not in name else name.split("__")
        wanted = last if module == "types" else pascal(inner[0] if inner else module) + last
        short[name] = name if wanted in short.values() else wanted
    return short


def _renamed(schema: Any, names: Mapping[str, str]) -> Any:
    text = json.dumps(schema)
    for old, new in names.items():
        text = text.replace(f'/schemas/{old}"', f'/schemas/{new}"')
    return json.loads(text)


def _operation(endpoint: Endpoint, schemas: Mapping[tuple[str, str], Any], roles: Sequence[str]) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": endpoint.id,
        "summary": endpoint.summary,
        "tags": [endpoint.tag],
        "parameters": _parameters(endpoint, schemas),
        "responses": _responses(endpoint, schemas[endpoint.id, "answer"]),
    }
    if endpoint.permission != ANYBODY:
        operation["description"] = f"For the token roles {', '.join(roles)}."
        operation["x-permission"] = endpoint.permission
        operation["x-roles"] = list(roles)
    if endpoint.takes:
        content = {"schema": schemas[endpoint.id, "takes"], "example": dict(endpoint.takes.example)}
        operation["requestBody"] = {"required": True, "content": {"application/json": content}}
    return operation


def _parameters(endpoint: Endpoint, schemas: Mapping[tuple[str, str], Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string", "format": "uuid"}}
        for name in re.findall(r"\{(\w+)\}", endpoint.path)
    ]
    if endpoint.method == "POST":
        found.append({"$ref": "#/components/parameters/IdempotencyKey"})
    if endpoint.conditional:
        found.append({"$ref": "#/components/parameters/IfMatch"})
    for name, schema in endpoint.query.items():
        plain = {key: part for key, part in schema.items() if key != "description"}
        if "items" in plain:
            plain["items"] = schemas[endpoint.id, name]
        about = {"description": schema["description"]} if "description" in schema else {}
        found.append({"name": name, "in": "query", "required": False, **about, "schema": plain})
    return found


def _responses(endpoint: Endpoint, schema: Any) -> dict[str, Any]:
    good: dict[str, Any] = {"description": "Done", "content": {"application/json": {"schema": schema}}}
    if endpoint.method == "POST":
        good["headers"] = {"Closeloop-Position": _POSITION}
        if endpoint.conditional or endpoint.status == 201:
            good["headers"]["ETag"] = _ETAG
    if endpoint.status == 201:
        good["headers"]["Location"] = {"schema": {"type": "string", "format": "uri-reference"}}
    reads = endpoint.method == "GET"
    bad = {str(s): {"$ref": f"#/components/responses/{_problem_name(s)}"} for s in (_READS if reads else _WRITES)}
    return {str(endpoint.status): good, **bad}


def _problem(status: int) -> dict[str, Any]:
    slugs = [slug for slug, (of, _) in catalogue().items() if of == status]
    return {
        "description": "; ".join(title_of(slug) for slug in slugs) or "Refused",
        "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }


def _problem_name(status: int) -> str:
    return f"Problem{status}"
