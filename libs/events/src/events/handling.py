"""Handling a command: load, decide, append; on a version conflict decide again with the same id, time and ids."""

import asyncio
import json
import random
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from events.codec import UnknownEvent, canonical, codec_of, state_from_json, to_json
from events.facts import gather
from events.kernel import (
    CONTRACTS,
    Actor,
    Aggregate,
    Decision,
    Due,
    Found,
    Given,
    Refused,
    Unacceptable,
    derived_id,
    stored_name,
)
from events.store.port import (
    Append,
    ClaimHeld,
    DueStream,
    Loaded,
    NewEvent,
    Origin,
    OutcomeUnknown,
    Recorded,
    RowDiffers,
    ShapeBehind,
    Store,
    StoredEvent,
    Unavailable,
    VersionMoved,
)
from events.store.writer import Writer

ATTEMPTS = 5
HOLDERS = 5
MOST_PUBLIC_BYTES = 512 * 1024
"""Of one announcement: NATS carries 1 MiB, and what it cannot carry would hold back all that others have to say."""
"""How many holders of a claim a reaction follows before it gives up for now."""


class Stale(Refused):
    """The object has changed since you read it; read it again and decide anew."""

    status = 412
    slug = "stale"


class KeyReused(Refused):
    """This Idempotency-Key was used for another request."""

    status = 422
    slug = "idempotency-key-reused"


class Held(Refused):
    """Another object holds what only one may hold."""

    slug = "held"


class DeadlineStuck(Exception):
    """A deadline that came left one that is not later: a bug, which must not loop."""


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


class Handler:
    """Carries instructions out against a store. One per process."""

    def __init__(
        self, store: Store, writer: Writer, aggregates: Iterable[Aggregate[Any, Any, Any]], *, patience: float = 10.0
    ) -> None:
        """`aggregates`: every one of this service, each with a class of states of its own; `patience`: seconds in which
        each command gets some answer.
        """
        self._store = store
        self._patience = patience
        self._writer = writer
        self._locks: dict[tuple[str, str, UUID], tuple[asyncio.Lock, int]] = {}
        self.aggregates = {aggregate.kind: aggregate for aggregate in aggregates}
        self._by_state = _by_state(self.aggregates.values())

    async def handle(self, instruction: Instruction) -> Recorded:
        """What the command came to, now or earlier. Raises Refused, Unavailable or OutcomeUnknown."""
        try:
            async with asyncio.timeout(self._patience):
                return await self._handle(instruction)
        except TimeoutError:
            raise OutcomeUnknown("the database did not answer in time") from None

    async def _handle(self, instruction: Instruction) -> Recorded:
        at: datetime | None = None
        home, sought = instruction.stream, ""
        conflicts = holders = 0
        while conflicts < ATTEMPTS and holders < HOLDERS:
            async with self._turn(instruction):
                loaded = await self._load(instruction)
                if loaded.recorded:
                    return _same_request(instruction, loaded.recorded)
                at = at or loaded.now.astimezone(UTC)
                if sought and not await self._holds(instruction, loaded, sought):
                    instruction, sought = replace(instruction, stream=home), ""  # let go of in the meantime
                    continue
                append = await self._decided(instruction, loaded, at)
                if isinstance(append, Recorded):
                    return append
                answer = await self._writer.append(append)
            match answer:
                case Recorded():
                    return _same_request(instruction, answer)
                case ClaimHeld() if instruction.origin is Origin.NEWS and answer.kind == instruction.aggregate.kind:
                    instruction, sought = replace(instruction, stream=answer.stream), answer.key
                    holders += 1
                case VersionMoved() if instruction.origin is not Origin.DEADLINE:
                    conflicts += 1
                    await asyncio.sleep(random.uniform(0, 0.01 * 2**conflicts))  # noqa: S311 - jitter, not a secret
                case _:
                    raise _why_not(answer)
        raise Unavailable("too many others change this object at the moment")

    async def due(self, due: DueStream) -> None:
        """Tell a stream that its deadline has come. Raises DeadlineStuck where that would loop."""
        aggregate = self.aggregates[due.kind]
        recorded = await self.handle(
            Instruction(
                aggregate=aggregate,
                tenant=due.tenant,
                stream=due.stream,
                command=Due(),
                id=derived_id("deadline", due.tenant, due.kind, due.stream, due.version, due.deadline.isoformat()),
                origin=Origin.DEADLINE,
                by=Actor(person="system:deadline"),
                correlation=f"deadline-{due.stream}",
            )
        )
        if recorded.version == due.version:
            # A row of an older shape whose deadline is later by today's code: it waits for being folded anew.
            raise DeadlineStuck(f"{due.kind} {due.stream} was told and nothing followed, but its row stays due")

    async def outcome(self, tenant: str, command: UUID) -> Recorded | None:
        """What a command came to, if it was carried out."""
        return (await self._store.load(tenant, "", command, command)).recorded

    async def rehearse(self, instruction: Instruction) -> None:
        """Decide without appending: raises what `handle` would; a command that is known already passes."""
        loaded = await self._load(instruction)
        if loaded.recorded:
            _same_request(instruction, loaded.recorded)
            return
        decided = await self._decided(instruction, loaded, loaded.now.astimezone(UTC))
        if isinstance(decided, Append) and (differs := await self._store.differing(decided.tenant, decided.rows)):
            raise _why_not(differs)

    async def read(
        self,
        aggregate: Aggregate[Any, Any, Any],
        tenant: str,
        id: UUID,
        *,
        version: int | None = None,
        position: int | None = None,
    ) -> Found[Any]:
        """The object as it is now, or was at a version or position. Version 0 where it is not (yet)."""
        if position is None:
            loaded = await self._store.load(tenant, aggregate.kind, id, None)
            if version is None or version == loaded.version:
                return Found(id=id, version=loaded.version, state=await self.state_of(aggregate, tenant, id, loaded))
        events = await self._store.stream(tenant, aggregate.kind, id, version=version, position=position)
        return Found(id=id, version=len(events), state=refold(aggregate, events))

    def aggregate_of(self, state: type[Any]) -> Aggregate[Any, Any, Any]:
        """The aggregate that a need means, by the class of its state."""
        if state not in self._by_state:
            raise TypeError(f"this service has no aggregate whose state is {state.__qualname__}")
        return self._by_state[state]

    async def gather_facts(self, tenant: str, needs: Iterable[Any]) -> Mapping[Any, Any]:
        """What a fan-out needs to know before it knows its streams."""
        facts, _ = await gather(self, self._store, tenant, None, needs)
        return facts

    async def now(self) -> datetime:
        """Business time."""
        return await self._store.now()

    async def state_of(self, aggregate: Aggregate[Any, Any, Any], tenant: str, id: UUID, loaded: Loaded) -> Any:
        """The state in a row; a row of an older shape is folded again, one of a newer shape is not ours to read."""
        if loaded.state is None:
            return aggregate.initial
        if loaded.shape > aggregate.shape:
            raise Unavailable("this object was written by a newer version of the service")
        if loaded.shape == aggregate.shape:
            return state_from_json(aggregate, loaded.state)
        return refold(aggregate, await self._store.stream(tenant, aggregate.kind, id, version=loaded.version))

    async def _load(self, instruction: Instruction) -> Loaded:
        return await self._store.load(
            instruction.tenant, instruction.aggregate.kind, instruction.stream, instruction.id
        )

    async def _holds(self, instruction: Instruction, loaded: Loaded, key: str) -> bool:
        aggregate = instruction.aggregate
        return key in aggregate.claims(await self.state_of(aggregate, instruction.tenant, instruction.stream, loaded))

    async def _decided(self, instruction: Instruction, loaded: Loaded, at: datetime) -> Append | Recorded:
        try:
            return await self._decide(instruction, loaded, at)
        except Refused:
            # Its twin may have been carried out in the meantime; the first answer wins over every refusal.
            again = await self._load(instruction)
            if again.recorded:
                return _same_request(instruction, again.recorded)
            raise

    async def _decide(self, instruction: Instruction, loaded: Loaded, at: datetime) -> Append:
        if instruction.expected is not None and instruction.expected != loaded.version:
            raise Stale(
                f"You have seen version {instruction.expected}, it is now at {loaded.version}.", version=loaded.version
            )
        aggregate, stream = instruction.aggregate, instruction.stream
        before = await self.state_of(aggregate, instruction.tenant, stream, loaded)
        needs = aggregate.needs(before, instruction.command)
        facts, used = await gather(self, self._store, instruction.tenant, (aggregate, stream), needs)
        given = Given(
            tenant=instruction.tenant, stream=stream, command=instruction.id, at=at, by=instruction.by, facts=facts
        )
        decided = aggregate.decide(before, instruction.command, given)
        append = encode(instruction, loaded.version, before, decided, _metadata(instruction, at, used))
        if instruction.origin is Origin.DEADLINE and append.deadline and append.deadline <= at:
            raise DeadlineStuck(f"{aggregate.kind} {stream} stays due at {append.deadline.isoformat()}")
        return append

    @asynccontextmanager
    async def _turn(self, instruction: Instruction) -> AsyncIterator[None]:
        """Commands for one stream queue behind each other, so that in one process they do not conflict."""
        key = (instruction.tenant, instruction.aggregate.kind, instruction.stream)
        lock, queued = self._locks.get(key, (asyncio.Lock(), 0))
        self._locks[key] = (lock, queued + 1)
        try:
            async with lock:
                yield
        finally:
            lock, queued = self._locks[key]
            if queued == 1:
                del self._locks[key]
            else:
                self._locks[key] = (lock, queued - 1)


def _by_state(aggregates: Iterable[Aggregate[Any, Any, Any]]) -> dict[type[Any], Aggregate[Any, Any, Any]]:
    """Needs name a class of states: it belongs to one aggregate, and made without arguments it is its initial state."""
    found: dict[type[Any], Aggregate[Any, Any, Any]] = {}
    for aggregate in aggregates:
        state = type(aggregate.initial)
        if state in found:
            raise TypeError(f"{found[state].kind} and {aggregate.kind} have the same state, {state.__qualname__}")
        if aggregate.initial != state():
            raise TypeError(f"{aggregate.kind} begins with another state than {state.__qualname__}()")
        found[state] = aggregate
    return found


def refold(aggregate: Aggregate[Any, Any, Any], events: Sequence[StoredEvent]) -> Any:
    """The state that follows from stored events."""
    codec = codec_of(aggregate)
    try:
        return aggregate.fold(codec.decode(each.type, each.schema, each.data) for each in events)
    except UnknownEvent as newer:
        raise Unavailable(f"this object was written by a newer version of the service: {newer}") from newer


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
        state=to_json(state),
        deadline=aggregate.deadline(state),
        claims=sorted(set(aggregate.claims(state))),
        rows=decision.rows,
    )


def _public(announced: Any) -> tuple[str, int, str]:
    name, schema = stored_name(announced)
    service, aggregate = announced.__announced_by__
    assert CONTRACTS[service, name, schema] is type(announced)
    body = to_json(announced)
    if len(body.encode()) > MOST_PUBLIC_BYTES:
        raise Unacceptable(f"what others would hear of this ({name}) takes more than {MOST_PUBLIC_BYTES} bytes")
    return f"{service}.{aggregate}.{name}", schema, body


def _metadata(instruction: Instruction, at: datetime, used: Mapping[str, int]) -> str:
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


def _why_not(answer: VersionMoved | ShapeBehind | ClaimHeld | RowDiffers) -> Exception:
    match answer:
        case VersionMoved():
            return Unavailable("somebody was faster")
        case ShapeBehind():
            return Unavailable("this object was written by a newer version of the service")
        case ClaimHeld():
            detail = f"{answer.key} is held by another {answer.kind}."
            return Held(detail, holder=str(answer.stream), key=answer.key)
        case RowDiffers():
            detail = (
                f"{answer.table} {answer.id} of {answer.source} was reported before with another content; "
                "send a correction under a new id that names it."
            )
            return Refused(detail, rule="S-04", sample=answer.id)


def _same_request(instruction: Instruction, recorded: Recorded) -> Recorded:
    if instruction.origin is Origin.HTTP and recorded.fingerprint != instruction.fingerprint:
        raise KeyReused("This Idempotency-Key was used for another request; use a new one.")
    return recorded


def metadata_of(event: StoredEvent) -> dict[str, Any]:
    """The metadata of a stored event."""
    return json.loads(event.metadata)  # type: ignore[no-any-return]
