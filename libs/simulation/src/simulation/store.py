"""The simulated `Store`: what PostgreSQL answers, from tables in memory."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from uuid import UUID

from events.kernel import Row, Unacceptable
from events.store.port import (
    AnotherDatabase,
    Answer,
    Append,
    DueStream,
    Loaded,
    OutcomeUnknown,
    StateRow,
    StoredEvent,
    Together,
    Unavailable,
    databases_meant,
)
from simulation.appending import NO_STATE, append_all
from simulation.database import Connection, ParkedDeadline, State, StreamKey, statement
from simulation.jsonb import top_level


class SimulatedStore(Connection):
    """Implements `events.store.port.Store`."""

    async def passes(self, moment: str, effect: Callable[[], object] | None = None) -> None:
        """Only of an append does anybody need to know that it may have been done."""
        try:
            await super().passes(moment, effect)
        except OutcomeUnknown as lost:
            if moment.startswith("append "):
                raise
            raise Unavailable(str(lost)) from lost

    @statement
    def load(self, tenant: str, kind: str, stream: UUID, command: UUID | None) -> Loaded:
        """State row, earlier outcome and business time."""
        row = self._tables.states.get((tenant, kind, stream))
        recorded = self._tables.commands.get((tenant, command)) if command else None
        found = row or NO_STATE
        return Loaded(found.version, found.shape, row.state if row else None, self._business_time(), recorded)

    @statement
    def append(self, batch: Sequence[Append | Together]) -> list[Answer]:
        """All of a batch, or nothing."""
        if all(map(self._is, databases_meant(batch))):
            return self._append(batch)
        rest = iter(self._append([each for each in batch if not databases_meant([each])]))
        return [AnotherDatabase() if databases_meant([each]) else next(rest) for each in batch]

    def _append(self, batch: Sequence[Append | Together]) -> list[Answer]:
        tables = self._tables.copy()
        answers = append_all(tables, batch, self._database.now)
        self._database.tables = tables
        return answers

    @statement
    def stream(
        self, tenant: str, kind: str, stream: UUID, *, version: int | None = None, position: int | None = None
    ) -> list[StoredEvent]:
        """The events of a stream in order of version."""
        return [
            event
            for event in self._tables.events
            if (event.stream, event.kind, event.tenant) == (stream, kind, tenant)
            and (version is None or event.version <= version)
            and (position is None or event.position <= position)
        ]

    @statement
    def holder(self, tenant: str, key: str) -> tuple[str, UUID] | None:
        """Who holds the claim."""
        return self._tables.claims.get((tenant, key))

    @statement
    def where(self, tenant: str, kind: str, fields: Sequence[tuple[str, str]], limit: int) -> list[StateRow]:
        """State rows by equality of top-level fields."""
        found = [
            StateRow(id, row.version, row.shape, row.state)
            for (owner, of_kind, id), row in self._tables.states.items()
            if (owner, of_kind) == (tenant, kind)
            and all(top_level(row.state, name) == wanted for name, wanted in fields)
        ]
        return sorted(found, key=lambda row: row.id)[:limit]

    @statement
    def rows(self, tenant: str, kind: str, stream: UUID, table: str) -> list[Row]:
        """The side rows of a stream, in the order of their arrival."""
        found = sorted(
            (kept.position, kept.place, source, id, kept.body)
            for (*owner, name, source, id), kept in self._tables.side_rows.items()
            if (*owner, name) == (tenant, kind, stream, table)
        )
        return [Row(table=table, source=source, id=id, body=body) for _, _, source, id, body in found]

    @statement
    def next_number(self, tenant: str, series: str, first: int) -> int:
        """Count a series on."""
        numbers = self._tables.numbers
        numbers[tenant, series] = numbers.get((tenant, series), first - 1) + 1
        return numbers[tenant, series]

    @statement
    def due(
        self, limit: int, shapes: Mapping[str, int] | None = None, *, after: DueStream | None = None
    ) -> list[DueStream]:
        """Streams whose deadline has come by business time."""
        now = self._business_time()
        found = [
            DueStream(*key, row.version, row.shape, row.deadline)
            for key, row in self._tables.states.items()
            if row.deadline and row.deadline <= now and not self._rests(key, row)
            if shapes is None or row.shape <= shapes.get(key[1], -1)
        ]
        found.sort(key=_earliest_first)
        return [due for due in found if after is None or _earliest_first(due) > _earliest_first(after)][:limit]

    @statement
    def park_deadline(self, due: DueStream, reason: str) -> None:
        """Remember the version and shape at which the deadline did not move on."""
        parked = ParkedDeadline(due.version, due.shape, reason)
        self._tables.parked_deadlines[due.tenant, due.kind, due.stream] = parked

    @statement
    def parked_deadlines(self) -> int:
        """Those whose stream and code have not changed since."""
        return sum(self._rests(key, row) for key, row in self._tables.states.items())

    @statement
    def now(self) -> datetime:
        """Business time."""
        return self._business_time()

    @statement
    def position_at(self, instant: datetime) -> int:
        """The last position recorded at or before an instant."""
        if self._database.now() < instant:
            raise Unacceptable("as_of lies in the future; leave it out to see what is known now.")
        return max((each.position for each in self._tables.events if each.recorded_at <= instant), default=0)

    def _business_time(self) -> datetime:
        return self._database.now() + self._tables.ahead

    def _rests(self, key: StreamKey, row: State) -> bool:
        parked = self._tables.parked_deadlines.get(key)
        return parked is not None and (parked.version, parked.shape) == (row.version, row.shape)


def _earliest_first(due: DueStream) -> tuple[datetime, str, str, UUID]:
    return due.deadline, due.tenant, due.kind, due.stream
