"""What `append.sql` and `core_0004.sql` do, in memory: the same checks in the same order, and the same traces."""

from collections.abc import Callable, Sequence
from dataclasses import astuple, replace
from datetime import UTC, datetime
from itertools import accumulate, groupby

from events.kernel import Row
from events.store.port import (
    AllRecorded,
    Answer,
    Append,
    ClaimHeld,
    Recorded,
    RowDiffers,
    ShapeBehind,
    StoredEvent,
    Together,
    Unstorable,
    VersionMoved,
)
from simulation.database import SideRow, State, Tables
from simulation.jsonb import as_kept, refuse_unkeepable

LARGEST_STATUS = 32767
NO_STATE = State(0, 0, 0, "", None)


def append_all(tables: Tables, batch: Sequence[Append | Together], clock: Callable[[], datetime]) -> list[Answer]:
    """Append a batch to these tables. Raises Unstorable half-way: whoever called must undo it as a whole."""
    refuse_unkeepable(*(astuple(each) for each in batch))
    answers: list[Answer] = []
    for alone, run in groupby(batch, lambda each: isinstance(each, Append)):
        for part in [list(run)] if alone else [[one] for one in run]:
            answers += _append_part(tables, part, max(clock(), tables.recorded_at))
    return answers


def _append_part(tables: Tables, part: Sequence[Append | Together], at: datetime) -> list[Answer]:
    before = tables.position
    answers = [
        append_together(tables, each, at) if isinstance(each, Together) else append_one(tables, each, at)
        for each in part
    ]
    if tables.position > before:
        tables.recorded_at = at
    return answers


def append_together(tables: Tables, together: Together, at: datetime) -> Answer:
    """All of them, or none."""
    before = tables.copy()
    answers = [append_one(tables, each, at) for each in together.appends]
    recorded = tuple(each for each in answers if isinstance(each, Recorded) and each.first)
    if len(recorded) == len(answers):
        return AllRecorded(recorded)
    tables.become(before)
    lost = [VersionMoved() if isinstance(each, Recorded) else each for each in answers if each not in recorded]
    return VersionMoved() if VersionMoved() in lost else lost[0]


def append_one(tables: Tables, append: Append, at: datetime) -> Answer:
    """One command, as if it stood alone."""
    known = tables.commands.get((append.tenant, append.command))
    if known:
        return known
    state = tables.states.get((append.tenant, append.kind, append.stream), NO_STATE)
    if refusal := _refusal(tables, append, state):
        return refusal
    if append.events:
        _take(tables, append, state, at)
    return _record(tables, append, state.version + len(append.events))


def _refusal(tables: Tables, append: Append, state: State) -> Answer | None:
    if state.version != append.expected:
        return VersionMoved()
    if state.shape > append.shape:
        return ShapeBehind()
    if not append.events:
        return None
    for key in sorted(append.claims):
        holder = tables.claims.get((append.tenant, key))
        if holder and holder != (append.kind, append.stream):
            return ClaimHeld(key, *holder)
    return _differing(tables, append.tenant, append.rows)


def _differing(tables: Tables, tenant: str, rows: Sequence[Row]) -> RowDiffers | None:
    """The first of these rows that is there, in whatever stream, with another content."""
    bodies: dict[tuple[str, str, str], set[str]] = {}
    for (owner, _, _, table, source, id), kept in tables.side_rows.items() if rows else ():
        if owner == tenant:
            bodies.setdefault((table, source, id), set()).add(kept.body)
    for row in rows:
        if bodies.get((row.table, row.source, row.id), set()) - {row.body}:
            return RowDiffers(row.table, row.source, row.id)
    return None


def _take(tables: Tables, append: Append, state: State, at: datetime) -> None:
    _add_rows(tables, append)
    spoken = _add_events(tables, append, state, at)
    tables.states[append.tenant, append.kind, append.stream] = State(
        version=state.version + len(append.events),
        public_version=spoken,
        shape=append.shape,
        state=as_kept(append.state),
        deadline=append.deadline and append.deadline.astimezone(UTC),
    )
    holder = (append.kind, append.stream)
    for tenant, key in [claim for claim, held_by in tables.claims.items() if held_by == holder]:
        if tenant == append.tenant:
            del tables.claims[tenant, key]
    tables.claims |= {(append.tenant, key): holder for key in append.claims}


def _add_rows(tables: Tables, append: Append) -> None:
    for place, row in enumerate(append.rows, 1):
        key = (append.tenant, append.kind, append.stream, row.table, row.source, row.id)
        if key in tables.side_rows:
            raise Unstorable("The database refuses this data.")
        tables.side_rows[key] = SideRow(row.body, tables.position + 1, place)


def _add_events(tables: Tables, append: Append, state: State, at: datetime) -> int:
    """The stream's public version after these events."""
    spoken = list(accumulate((e.public_body is not None for e in append.events), initial=state.public_version))
    for number, event in enumerate(append.events):
        if event.id in tables.event_ids:
            raise Unstorable("The database refuses this data.")
        tables.event_ids.add(event.id)
        tables.position += 1
        tables.events.append(
            StoredEvent(
                position=tables.position,
                tenant=append.tenant,
                kind=append.kind,
                stream=append.stream,
                version=state.version + number + 1,
                id=event.id,
                type=event.type,
                schema=event.schema,
                data=event.data,
                metadata=append.metadata,
                recorded_at=at,
                public_type=event.public_type,
                public_schema=event.public_schema,
                public_body=event.public_body,
                public_version=None if event.public_body is None else spoken[number + 1],
            )
        )
    return spoken[-1]


def _record(tables: Tables, append: Append, version: int) -> Recorded:
    if append.status > LARGEST_STATUS:
        raise Unstorable("The database refuses this data.")
    recorded = Recorded(
        kind=append.kind,
        stream=append.stream,
        version=version,
        position=tables.position,
        status=append.status,
        fingerprint=append.fingerprint,
        origin=append.origin,
        first=True,
    )
    tables.commands[append.tenant, append.command] = replace(recorded, first=False)
    return recorded
