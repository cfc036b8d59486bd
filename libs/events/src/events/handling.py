"""Handling a command: load, decide, append; on a version conflict decide again with the same id, time and ids."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from random import Random
from typing import Any
from uuid import UUID

from events.codec import state_from_json
from events.decisions import Instruction as Instruction
from events.decisions import encode, metadata_for
from events.decisions import metadata_of as metadata_of
from events.facts import gather
from events.folding import NEWER, WrittenByNewer
from events.folding import refold as refold
from events.kernel import Actor, Aggregate, Due, Found, Given, Refused, Unacceptable, derived_id
from events.store.port import (
    ANOTHER_DATABASE,
    AllRecorded,
    AnotherDatabase,
    Answer,
    Append,
    ClaimHeld,
    DueStream,
    Loaded,
    Origin,
    OutcomeUnknown,
    Recorded,
    RowDiffers,
    ShapeBehind,
    Store,
    Together,
    Unavailable,
    VersionMoved,
)
from events.store.writer import Writer

ATTEMPTS = 5
HOLDERS = 5
"""How many holders of a claim a reaction follows before it gives up for now."""
MOST_ROWS = 10_000
"""Side rows of commands that belong together: they must be appended well within `statement_timeout`."""
CROWDED = "too many others change this object at the moment"

Propose = Callable[[datetime], Awaitable[Sequence[Instruction]]]
"""What is still to be done, at this business time."""


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


class Handler:
    """Carries instructions out against a store. One per process."""

    def __init__(
        self,
        store: Store,
        writer: Writer,
        aggregates: Iterable[Aggregate[Any, Any, Any]],
        *,
        patience: float = 10.0,
        chance: Random | None = None,
    ) -> None:
        """`aggregates`: every one of this service, each with a class of states of its own; `patience`: seconds in which
        each command gets some answer; `chance`: how long those wait who were in each other's way.
        """
        self._store = store
        self._patience = patience
        self._writer = writer
        self._chance = chance or Random()  # noqa: S311 - jitter, not a secret
        self._locks: dict[tuple[str, str, UUID], tuple[asyncio.Lock, int]] = {}
        self.aggregates = {aggregate.kind: aggregate for aggregate in aggregates}
        self._by_state = _by_state(self.aggregates.values())
        self.incomplete: Callable[[str], str | None] = lambda kind: None
        """Why streams of a kind cannot all be found by their fields, if so (the refolder knows)."""

    async def handle(self, instruction: Instruction) -> Recorded:
        """What the command came to, now or earlier. Raises Refused, Unavailable or OutcomeUnknown."""
        async with self._in_time():
            return await self._handle(instruction)

    async def handle_together(self, propose: Propose) -> None:
        """Carry out all that is proposed, or nothing; where somebody is faster, it is proposed and decided anew.

        The commands are for different streams, and each is decided on what was there before all of them. Raises as
        `handle` does.
        """
        async with self._in_time():
            at = await self.now()
            for conflicts in range(1, ATTEMPTS + 1):
                instructions = await propose(at)
                if not instructions:
                    return
                match await self._append_together(instructions, at):
                    case AllRecorded():
                        return
                    case VersionMoved():
                        await self._step_aside(conflicts)
                    case refusal:
                        raise _why_not(refusal)
        raise Unavailable(CROWDED)

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
                    await self._step_aside(conflicts)
                case _:
                    raise _why_not(answer)
        raise Unavailable(CROWDED)

    async def _append_together(self, instructions: Sequence[Instruction], at: datetime) -> Answer:
        async with self._turns(instructions):
            appends = []
            for instruction in instructions:
                loaded = await self._load(instruction)
                if loaded.recorded:
                    return VersionMoved()  # its twin was faster
                appends.append(await self._decide(instruction, loaded, at))
            together = Together(tuple(appends))
            if len(together.rows) > MOST_ROWS:
                raise Unacceptable(f"this comes to more than {MOST_ROWS} rows: send it in parts")
            return await self._writer.append(together)

    async def _step_aside(self, conflicts: int) -> None:
        await asyncio.sleep(self._chance.uniform(0, 0.01 * 2**conflicts))

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
            raise DeadlineStuck(f"{due.kind} {due.stream} was told and nothing followed, but its row stays due")

    async def outcome(self, tenant: str, command: UUID) -> Recorded | None:
        """What a command came to, if it was carried out."""
        return (await self._store.load(tenant, "", command, command)).recorded

    async def known(self, instruction: Instruction) -> Recorded | None:
        """As `outcome`; raises KeyReused where it is of another request."""
        recorded = await self.outcome(instruction.tenant, instruction.id)
        return recorded and _same_request(instruction, recorded)

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
        loaded = await self._store.load(tenant, aggregate.kind, id, None)
        self.require_known(aggregate, loaded)
        if position is None and (version is None or version == loaded.version):
            return Found(id=id, version=loaded.version, state=await self.state_of(aggregate, tenant, id, loaded))
        events = await self._store.stream(tenant, aggregate.kind, id, version=version, position=position)
        return Found(id=id, version=len(events), state=refold(aggregate, events))

    def aggregate_of(self, state: type[Any]) -> Aggregate[Any, Any, Any]:
        """The aggregate that a need means, by the class of its state."""
        if state not in self._by_state:
            raise TypeError(f"this service has no aggregate whose state is {state.__qualname__}")
        return self._by_state[state]

    def require_complete(self, aggregate: Aggregate[Any, Any, Any]) -> None:
        """Raises Unavailable while streams of this kind would be missing where they are looked for by their fields."""
        if reason := self.incomplete(aggregate.kind):
            raise Unavailable(reason)

    async def gather_facts(self, tenant: str, needs: Iterable[Any]) -> Mapping[Any, Any]:
        """What a fan-out needs to know before it knows its streams."""
        facts, _ = await gather(self, self._store, tenant, None, needs)
        return facts

    async def now(self) -> datetime:
        """Business time, in UTC."""
        return (await self._store.now()).astimezone(UTC)

    async def state_of(self, aggregate: Aggregate[Any, Any, Any], tenant: str, id: UUID, loaded: Loaded) -> Any:
        """The state in a row; a row of an older shape is folded again, one of a newer shape is not ours to read."""
        if loaded.state is None:
            return aggregate.initial
        self.require_known(aggregate, loaded)
        if loaded.shape == aggregate.shape:
            return state_from_json(aggregate, loaded.state)
        return refold(aggregate, await self._store.stream(tenant, aggregate.kind, id, version=loaded.version))

    def require_known(self, aggregate: Aggregate[Any, Any, Any], loaded: Loaded) -> None:
        """Raises WrittenByNewer where newer code has written the row."""
        if loaded.shape > aggregate.shape:
            raise WrittenByNewer(NEWER)

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
        append = encode(instruction, loaded.version, before, decided, metadata_for(instruction, at, used))
        if instruction.origin is Origin.DEADLINE and append.deadline and append.deadline <= at:
            raise DeadlineStuck(f"{aggregate.kind} {stream} stays due at {append.deadline.isoformat()}")
        return append

    @asynccontextmanager
    async def _in_time(self) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(self._patience):
                yield
        except TimeoutError:
            raise OutcomeUnknown("the database did not answer in time") from None

    @asynccontextmanager
    async def _turns(self, instructions: Sequence[Instruction]) -> AsyncIterator[None]:
        """Every queue at once, always in the same order: nobody waits for somebody who waits for them."""
        streams = {(each.aggregate.kind, each.stream): each for each in instructions}
        if len(streams) < len(instructions):
            raise TypeError("two commands for one stream cannot be decided together")
        async with AsyncExitStack() as turns:
            for stream in sorted(streams):
                await turns.enter_async_context(self._turn(streams[stream]))
            yield

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


def _why_not(answer: Answer) -> Exception:
    match answer:
        case VersionMoved():
            return Unavailable("somebody was faster")
        case ShapeBehind():
            return WrittenByNewer(NEWER)
        case AnotherDatabase():
            return Unavailable(ANOTHER_DATABASE)
        case ClaimHeld():
            detail = f"{answer.key} is held by another {answer.kind}."
            return Held(detail, holder=str(answer.stream), key=answer.key)
        case RowDiffers():
            detail = (
                f"{answer.table} {answer.id} of {answer.source} was reported before with another content; "
                "send a correction under a new id that names it."
            )
            return Refused(detail, rule="S-04", sample=answer.id)
        case Recorded() | AllRecorded():
            raise AssertionError(answer)


def _same_request(instruction: Instruction, recorded: Recorded) -> Recorded:
    if instruction.origin is Origin.HTTP and recorded.fingerprint != instruction.fingerprint:
        raise KeyReused("This Idempotency-Key was used for another request; use a new one.")
    return recorded
