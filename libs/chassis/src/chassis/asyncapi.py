"""What each service says on the bus: an AsyncAPI 3.0 document per service, and a page for people."""

import json
from collections.abc import Iterator
from inspect import getdoc
from typing import Any

import contracts
from events.bus.envelope import stream_name
from events.codec import adapter
from events.kernel import CONTRACTS, stored_name

assert contracts, "importing the package registers every public event"

HEADERS: dict[str, tuple[str, str]] = {
    "Nats-Msg-Id": ("string", "The event's id; a fresh one when an event is told again by hand."),
    "ce-id": ("string", "The event's id: absorb repetitions by it."),
    "ce-source": ("string", "/closeloop/<tenant>/<service>"),
    "ce-type": ("string", "closeloop.<service>.<event>.v<N>"),
    "ce-subject": ("string", "The stream: the object that the event is about."),
    "ce-time": ("string", "When it happened, in business time."),
    "closeloop-position": ("string", "Place in the log: in commit order, dense but for what a restore left out."),
    "closeloop-public-version": ("string", "Counts what the stream has said in public, without gaps, from 1."),
    "closeloop-recorded-at": ("string", "When it was recorded, by the database's clock."),
    "closeloop-correlation": ("string", "The request that set all of it off."),
    "closeloop-causation": ("string", "The event that this one follows from, where there is one."),
}


def spoken_by(service: str) -> list[type[Any]]:
    """The public events of a service, in the order of their names."""
    return [CONTRACTS[key] for key in sorted(CONTRACTS) if key[0] == service]


def subject_of(event: type[Any], tenant: str = "{tenant}") -> str:
    """The subject on which an event is published."""
    name, version = stored_name(event)
    service, aggregate = event.__announced_by__
    return f"closeloop.{tenant}.{service}.{aggregate}.{name}.v{version}"


def document(service: str, version: str) -> dict[str, Any]:
    """The AsyncAPI document of one service."""
    schemas: dict[str, Any] = {}
    channels, operations, messages = {}, {}, {}
    for event in spoken_by(service):
        name = event.__name__
        schema = adapter(event).json_schema(mode="serialization", ref_template="#/components/schemas/{model}")
        schemas |= schema.pop("$defs", {})
        schemas[name] = schema
        messages[name] = _message(event)
        channels[name] = _channel(event)
        operations[f"announce{name}"] = {"action": "send", "channel": {"$ref": f"#/channels/{name}"}}
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": f"Closeloop {service}: what it announces",
            "version": version,
            "description": f"CloudEvents 1.0, binary mode, on the JetStream stream {stream_name(service)}.",
        },
        "defaultContentType": "application/json",
        "channels": channels,
        "operations": operations,
        "components": {"messages": messages, "schemas": dict(sorted(schemas.items()))},
    }


def document_text(service: str, version: str) -> str:
    """The document as it is committed."""
    return json.dumps(document(service, version), indent=2, ensure_ascii=False) + "\n"


def page(services: tuple[str, ...]) -> str:
    """docs/events.md: every event, who tells it, and what it says."""
    return "\n".join(_lines(services)) + "\n"


def _channel(event: type[Any]) -> dict[str, Any]:
    return {
        "address": subject_of(event),
        "messages": {event.__name__: {"$ref": f"#/components/messages/{event.__name__}"}},
        "parameters": {"tenant": {"description": "Whose event it is: [a-z0-9-]{1,40}."}},
    }


def _message(event: type[Any]) -> dict[str, Any]:
    name, version = stored_name(event)
    properties = {header: {"type": kind, "description": said} for header, (kind, said) in HEADERS.items()}
    return {
        "name": f"closeloop.{event.__announced_by__[0]}.{name}.v{version}",
        "title": name,
        "summary": getdoc(event) or "",
        "contentType": "application/json",
        "headers": {"type": "object", "properties": properties},
        "payload": {"$ref": f"#/components/schemas/{event.__name__}"},
    }


def _lines(services: tuple[str, ...]) -> Iterator[str]:
    yield "# Events"
    yield ""
    yield "What each service says on the bus, generated from `libs/contracts`. For machines: [asyncapi](asyncapi)."
    yield "Bodies are JSON; the headers are those of CloudEvents (`ce-...`) and:"
    yield ""
    yield from (f"- `{header}`: {said}" for header, (_, said) in HEADERS.items() if not header.startswith("ce-"))
    for service in services:
        yield from ("", f"## {service}", "", f"JetStream stream `{stream_name(service)}`.", "")
        for event in spoken_by(service):
            fields = ", ".join(f"`{name}`" for name in event.__dataclass_fields__)
            yield f"- **`{subject_of(event, '<tenant>')}`**: {' '.join((getdoc(event) or '').split())} Says {fields}."
