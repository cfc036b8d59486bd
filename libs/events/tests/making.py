"""Instructions for a handler, and appends for tests that speak to a store directly, without a domain."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from toy_jar import jars

from events.handling import Instruction
from events.kernel import Actor, Row
from events.store.port import Append, NewEvent, Origin

PAST = datetime(2020, 1, 1, tzinfo=UTC)
RINGS = tuple(PAST + timedelta(days=n) for n in (2, 0, 1))
"""Deadlines that have come, not in their order."""


def an_event(n: int = 0, *, data: str = '{"things":1}', public: str | None = None) -> NewEvent:
    """An event; `public` is the body that others hear."""
    heard = ("toy.jar.jar-filled", 1, public) if public is not None else ()
    return NewEvent(uuid4(), f"jar-put-{n}", 1, data, *heard)


def an_append(stream: UUID | None = None, *, events: int | Sequence[NewEvent] = 1, **more: Any) -> Append:
    """A decided command with these, or this many, events; every field can be given by name."""
    fields: dict[str, Any] = {
        "tenant": "meridian",
        "command": uuid4(),
        "origin": Origin.HTTP,
        "fingerprint": "f",
        "status": 201,
        "kind": "jar",
        "stream": stream or uuid4(),
        "expected": 0,
        "shape": 1,
        "metadata": "{}",
        "events": [an_event(n) for n in range(events)] if isinstance(events, int) else events,
        "state": '{"things": 1}',
        "deadline": None,
        "claims": [],
        "rows": [],
    }
    return Append(**(fields | more))


def a_row(id: str = "w-1", body: str = "60") -> Row:
    """A side row."""
    return Row(table="weight", source="scale", id=id, body=body)


def ask(command: Any, stream: UUID, **more: Any) -> Instruction:
    """A command to a jar, as it comes over HTTP."""
    fields: dict[str, Any] = {"id": uuid4(), "origin": Origin.HTTP, "fingerprint": "f", "aggregate": jars}
    by = Actor(person="p-1")
    return Instruction(tenant="meridian", stream=stream, command=command, by=by, **(fields | more))
