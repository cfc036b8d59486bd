"""From an instruction to what is appended for it: the command on its way, and its decision in stored form."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from events.codec import canonical, codec_of, to_json
from events.folding import derived
from events.kernel import CONTRACTS, Actor, Aggregate, Decision, Unacceptable, derived_id, stored_name
from events.store.port import Append, NewEvent, Origin, StoredEvent

MOST_PUBLIC_BYTES = 512 * 1024
"""Of one announcement: NATS carries 1 MiB, and what it cannot carry would hold back all that others have to say."""


@dataclass(frozen=True, kw_only=True)
class Instruction:
    """A command on its way: for which stream, by whom, under which id."""

    aggregate: Aggregate[Any, Any, Any]
    tenant: str
    stream: UUID
    command: Any
    id: UUID
    origin: Origin
    by: Actor
    fingerprint: str = ""
    expected: int | None = None
    """The version that the caller has seen (If-Match); None where the caller need not have seen one."""
    status: int = 200
    correlation: str = ""
    causation: UUID | None = None
    within: str = ""
    """The identity of the database in which this is called for, where it would be wrong in an older one."""


def encode(
    instruction: Instruction, version: int, before: Any, decided: Sequence[Any] | Decision[Any], metadata: str
) -> Append:
    """A decision as it is appended. The state is folded from the events as they will be read back."""
    aggregate, codec = instruction.aggregate, codec_of(instruction.aggregate)
    decision = decided if isinstance(decided, Decision) else Decision(decided)
    state, events = before, []
    for number, event in enumerate(decision.events):
        name, schema, data = codec.encode(event)
        as_read_back = codec.decode(name, schema, data)
        state = aggregate.evolve(state, as_read_back)
        announced = aggregate.announce(state, as_read_back)
        events.append(
            NewEvent(derived_id(instruction.id, number), name, schema, data, *_public(announced) if announced else ())
        )
    return Append(
        tenant=instruction.tenant,
        command=instruction.id,
        origin=instruction.origin,
        fingerprint=instruction.fingerprint,
        status=instruction.status,
        kind=aggregate.kind,
        stream=instruction.stream,
        expected=version,
        shape=aggregate.shape,
        metadata=metadata,
        events=events,
        rows=decision.rows,
        within=instruction.within,
        **derived(aggregate, state),
    )


def _public(announced: Any) -> tuple[str, int, str]:
    name, schema = stored_name(announced)
    service, aggregate = announced.__announced_by__
    assert CONTRACTS[service, name, schema] is type(announced)
    body = to_json(announced)
    if len(body.encode()) > MOST_PUBLIC_BYTES:
        raise Unacceptable(f"what others would hear of this ({name}) takes more than {MOST_PUBLIC_BYTES} bytes")
    return f"{service}.{aggregate}.{name}", schema, body


def metadata_for(instruction: Instruction, at: datetime, used: Mapping[str, int]) -> str:
    """Who, when, why, and the versions that the decision used."""
    return canonical(
        {
            "at": at.isoformat(),
            "by": {"person": instruction.by.person, "roles": list(instruction.by.roles)},
            "command": str(instruction.id),
            "correlation": instruction.correlation,
            "causation": str(instruction.causation) if instruction.causation else None,
            "reason": getattr(instruction.command, "reason", None),
            "used": dict(used),
        }
    )


def metadata_of(event: StoredEvent) -> dict[str, Any]:
    """The metadata of a stored event."""
    return json.loads(event.metadata)  # type: ignore[no-any-return]
