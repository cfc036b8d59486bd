"""The simulated `Outgoing`: the relay's side of the database."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import timedelta
from itertools import islice
from uuid import UUID

from events.store.bus_port import Behind, Lost, Noted, Restore, Tail
from events.store.port import ANOTHER_DATABASE, StoredEvent, Unavailable
from events.store.told import told
from simulation.database import NEVER, Connection, GivenUp, Lease, Tables, statement


class SimulatedOutgoing(Connection):
    """Implements `events.store.bus_port.Outgoing`."""

    @statement
    def lease(self, holder: str, seconds: float) -> int | None:
        """Take or renew the lead; the epoch, or None while somebody else leads."""
        now, lease = self._database.now(), self._tables.lease
        until = now + timedelta(seconds=seconds)
        if lease and lease.holder != holder and now <= lease.expires_at <= until:
            return None
        epoch = 1 if lease is None else lease.epoch + (lease.holder != holder)
        self._tables.lease = Lease(holder, epoch, until)
        return epoch

    @statement
    def release(self, holder: str) -> None:
        """Let somebody else lead at once."""
        lease = self._tables.lease
        if lease and lease.holder == holder:
            self._tables.lease = replace(lease, expires_at=NEVER)

    @statement
    def take_over(self, epoch: int) -> int | None:
        """The checkpoint, which from now on only this epoch or a later one moves; None if a later one has it."""
        checkpoint = self._tables.checkpoint
        if checkpoint.epoch > epoch:
            return None
        self._tables.checkpoint = replace(checkpoint, epoch=epoch)
        return checkpoint.position

    @statement
    def move(self, epoch: int, old: int, new: int, identity: str = "") -> bool:
        """Move the checkpoint, if it is where, whose, and in which database we believe."""
        checkpoint = self._tables.checkpoint
        if (checkpoint.epoch, checkpoint.position) != (epoch, old) or not self._is(identity):
            return False
        self._tables.checkpoint = replace(checkpoint, position=new)
        return True

    @statement
    def tail(self, after: int, limit: int) -> Tail:
        """Announcements after a position, in order, as they are told."""
        tables = self._tables
        spoken = (event for event in tables.events_after(after) if event.public_body is not None)
        events = [as_told(tables, event) for event in islice(spoken, limit)]
        return Tail(tables.position, events, tables.checkpoint.position, self._database.identity)

    @statement
    def at(self, positions: Iterable[int]) -> dict[int, StoredEvent]:
        """The announcements at these positions, as they are told."""
        wanted = set(positions)
        found = [event for event in self._tables.events if event.position in wanted and event.public_body is not None]
        return {event.position: as_told(self._tables, event) for event in found}

    @statement
    def behind(self) -> Behind:
        """How far the bus is behind the log."""
        checkpoint, now = self._tables.checkpoint.position, self._database.now()
        waiting = (event for event in self._tables.events_after(checkpoint) if event.public_body is not None)
        oldest = next(((now - event.recorded_at).total_seconds() for event in waiting), 0.0)
        return Behind(self._tables.position, checkpoint, oldest)

    @statement
    def noted(self) -> Noted:
        """How much of the JetStream stream is known to be of our log."""
        checkpoint = self._tables.checkpoint
        return Noted(checkpoint.stream_created, checkpoint.sequence, self._database.identity)

    @statement
    def note(self, epoch: int, noted: Noted) -> bool:
        """So much is known now; False if another epoch leads, or in another database."""
        checkpoint = self._tables.checkpoint
        if checkpoint.epoch != epoch or noted.identity != self._database.identity:
            return False
        self._tables.checkpoint = replace(checkpoint, stream_created=noted.created, sequence=noted.sequence)
        return True

    @statement
    def lost(self, ids: Iterable[UUID]) -> set[UUID]:
        """Which of these were given up after a restore."""
        return set(ids) & {given_up.lost.event for given_up in self._tables.decided()}

    @statement
    def lost_announcements(self, start: int = 0) -> Sequence[Lost]:
        """What was given up, from a position on, in the order of positions."""
        found = [given_up for given_up in self._tables.decided() if given_up.lost.position >= start]
        return [given_up.lost for given_up in sorted(found, key=lambda each: (each.lost.position, each.restore))]

    async def give_up(self, lost: Sequence[Lost], noted: Noted) -> Restore:
        """Written first, decided then: until the last statement nothing counts."""
        await self.passes("give_up asked")
        number = self._tables.restores[-1].number + 1 if self._tables.restores else 1
        kept = {key: given_up for key, given_up in self._tables.given_up.items() if given_up.restore < number}
        if noted.identity == self._database.identity:
            for each in lost:
                kept.setdefault((each.event, each.position), GivenUp(each, number))
        self._tables.given_up = kept
        await self.passes("give_up decides")
        if noted.identity != self._database.identity:
            raise Unavailable(ANOTHER_DATABASE)
        decided = self._decide(noted)
        await self.passes("give_up answered")
        return decided

    def _decide(self, noted: Noted) -> Restore:
        tables = self._tables
        number = tables.restores[-1].number + 1 if tables.restores else 1
        positions = [given_up.lost.position for given_up in tables.given_up.values() if given_up.restore == number]
        decided = Restore(
            number=number,
            decided_at=self._database.now(),
            last_position=tables.position,
            goes_on_after=max([tables.position, *positions]),
            lost=len(positions),
        )
        tables.restores.append(decided)
        tables.position = decided.goes_on_after
        skipped = max(positions) - min(positions) + 1 if positions else 0
        tables.numbers = {series: last + skipped for series, last in tables.numbers.items()}
        tables.checkpoint = replace(tables.checkpoint, stream_created=noted.created, sequence=noted.sequence)
        return decided


def as_told(tables: Tables, event: StoredEvent) -> StoredEvent:
    """An announcement under the id and number by which others hear of it."""
    lost = [given_up.lost for given_up in tables.decided()]
    versions = [each.version for each in lost if (each.tenant, each.stream) == (event.tenant, event.stream)]
    return told(event, versions, id_was_lost=any(each.event == event.id for each in lost))
