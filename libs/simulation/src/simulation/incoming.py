"""The simulated `Incoming`: the consumers' side of the database."""

from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from uuid import UUID

from events.message import Message
from events.store.bus_port import Early, Gap, Key, Letter, Listener, Mark, Waiting, letter_id
from events.store.port import ANOTHER_DATABASE, Unavailable
from simulation.database import Connection, ForeignStream, Heard, Kept, statement

TURNS = 64
"""With a message whose turn has come those are handed out that follow it within so many versions."""
READY = 256
GAPS = 20
LETTERS = 100
LONGEST_REASON = 2000


class SimulatedIncoming(Connection):
    """Implements `events.store.bus_port.Incoming`."""

    @statement
    def marks(self, source: str, keys: Iterable[Key]) -> dict[Key, Mark]:
        """How far each of these streams was heard."""
        marks = {}
        for tenant, stream in keys:
            place = (tenant, source, stream)
            version = self._tables.inbox.get(place, 0)
            parked = self._is_parked(place, version + 1)
            marks[tenant, stream] = Mark(version, parked, self._database.identity)
        return marks

    @statement
    def keep(self, source: str, early: Sequence[Early], *, in_turn: bool = False) -> list[Early]:
        """Store messages until their turn; those are returned whose turn it is by now."""
        now, turn = self._database.now(), []
        for each in early:
            heard = self._tables.inbox.setdefault((each.tenant, source, each.stream), 0)
            if each.version <= heard + (0 if in_turn else 1):
                turn.append(each)
            else:
                place = (each.tenant, source, each.stream, each.version)
                self._tables.waiting.setdefault(place, Kept(each.message, now))
        return turn

    async def advance(
        self, source: str, heard: Mapping[Key, int], settled: str = "replayed", identity: str = ""
    ) -> None:
        """All up to these versions is done with.

        PostgreSQL looks for what to forget and settle before it waits for the inbox rows: what is stored in between,
        by whoever holds those rows, it does not see.
        """
        await self.passes("advance asked")
        waiting, letters = set(self._tables.waiting), set(self._tables.dead_letters)
        await self.passes("advance locked")
        if heard:
            self._must_be(identity)
        for (tenant, stream), version in heard.items():
            place = (tenant, source, stream)
            reached = max(version, self._tables.inbox.get(place, 0))
            self._tables.inbox[place] = reached
            for number in [number for number in self._behind(place) if number <= reached]:
                if (*place, number) in waiting:
                    del self._tables.waiting[(*place, number)]
            self._settle_up_to(place, reached, settled, letters)
        await self.passes("advance answered")

    @statement
    def ready(
        self, source: str | None = None, keys: Iterable[Key] = (), *, after: Waiting | None = None
    ) -> list[Waiting]:
        """What waits and has its turn now, with what waits behind it."""
        wanted = set(keys)
        found = [
            (place, kept)
            for place, kept in self._tables.waiting.items()
            if (source is None or (place[1] == source and (place[0], place[2]) in wanted))
            and place[3] < self._turn(place[:3]) + TURNS
            and self._may_go_on(place[:3])
        ]
        found.sort(key=lambda row: (row[0][0], row[0][2], row[0][1], row[0][3]))
        ready = [Waiting(place[1], kept.message, (place[0], place[2])) for place, kept in found]
        return [each for each in ready if after is None or (each.key, each.source) > (after.key, after.source)][:READY]

    @statement
    def tidy(self) -> None:
        """Forget what waits, and settle what is parked, although it was handled."""
        for place in list(self._tables.waiting):
            if place[3] <= self._tables.inbox.get(place[:3], 0):
                del self._tables.waiting[place]
        for heard, version in self._tables.inbox.items():
            self._settle_up_to(heard, version, "replayed")

    @statement
    def park(self, source: str, message: Message, place: Early | None, reason: str) -> bool:
        """Set a message aside, unless it was handled meanwhile; True when it was not there before."""
        reason = reason.replace("\x00", " ")[:LONGEST_REASON]
        if place:
            at = (place.tenant, source, place.stream)
            heard = self._tables.inbox.setdefault(at, 0)
            self._tables.waiting.pop((*at, place.version), None)
            if heard >= place.version:
                return False
        id = letter_id(source, message, place)
        if known := self._tables.dead_letters.get(id):
            if known.status == "parked":
                self._tables.dead_letters[id] = replace(known, reason=reason)
            return False
        self._tables.dead_letters[id] = Letter(
            id=id,
            source=source,
            tenant=place.tenant if place else None,
            stream=place.stream if place else None,
            version=place.version if place else None,
            message=message,
            reason=reason,
            status="parked",
            parked_at=self._database.now(),
            settled_at=None,
            held=0,
        )
        return True

    @statement
    def gaps(self, older: float) -> list[Gap]:
        """Messages that others have waited for longer than so many seconds; parked ones are not missing."""
        now, found = self._database.now(), []
        for place in {place[:3] for place in self._tables.waiting}:
            turn, behind = self._turn(place), self._behind(place)
            waited = max((now - self._tables.waiting[(*place, version)].since).total_seconds() for version in behind)
            if min(behind) > turn and waited > older and not self._is_parked(place, turn):
                tenant, source, stream = place
                found.append(Gap(source, tenant, stream, turn, waited))
        return sorted(found, key=lambda gap: (-gap.seconds, gap.source, gap.tenant, gap.stream))[:GAPS]

    @statement
    def listener(self, source: str) -> Listener | None:
        """How far we have heard a service's JetStream stream."""
        row = self._tables.listeners.get(source)
        return Listener(row.created, row.handled, self._database.identity, row.attached) if row else None

    @statement
    def listen(self, source: str, created: str, handled: int, identity: str = "") -> Listener:
        """From now on we hear this stream, from there."""
        self._must_be(identity)
        identity = self._database.identity
        self._tables.listeners[source] = Heard(created, handled, identity)
        return Listener(created, handled, identity, identity)

    @statement
    def heard(self, source: str, seen: Listener, handled: int) -> bool:
        """Move on from where we last were; False if the row is elsewhere, or in another database."""
        known = self._tables.listeners.get(source)
        if known is None or seen.identity != self._database.identity:
            return False
        if (known.created, known.handled) != (seen.created, seen.handled):
            return False
        self._tables.listeners[source] = replace(known, handled=handled)
        return True

    @statement
    def letters(
        self, status: str | None = "parked", *, reasons: Sequence[str] = (), after: Letter | None = None
    ) -> list[Letter]:
        """A page of dead letters, oldest first: of every status where none is given; whose reasons begin so, if any."""
        found = [
            each
            for each in self._tables.dead_letters.values()
            if (status is None or each.status == status)
            and (not reasons or each.reason.startswith(tuple(reasons)))
            and (after is None or (each.parked_at, each.id) > (after.parked_at, after.id))
        ]
        return [self._with_held(each) for each in sorted(found, key=lambda each: (each.parked_at, each.id))[:LETTERS]]

    @statement
    def letter(self, id: UUID) -> Letter | None:
        """One dead letter."""
        letter = self._tables.dead_letters.get(id)
        return self._with_held(letter) if letter else None

    @statement
    def parked(self) -> int:
        """How many messages are parked."""
        return sum(each.status == "parked" for each in self._tables.dead_letters.values())

    @statement
    def settle(self, id: UUID, status: str) -> None:
        """A letter that belongs to no stream is done with."""
        letter = self._tables.dead_letters.get(id)
        if letter and letter.status == "parked":
            self._settle(letter, status)

    def _must_be(self, identity: str) -> None:
        if not self._is(identity):
            raise Unavailable(ANOTHER_DATABASE)

    def _turn(self, place: ForeignStream) -> int:
        """The version whose turn it is."""
        return self._tables.inbox.get(place, 0) + 1

    def _behind(self, place: ForeignStream) -> list[int]:
        """The versions of a stream that wait."""
        return [waiting[3] for waiting in self._tables.waiting if waiting[:3] == place]

    def _may_go_on(self, place: ForeignStream) -> bool:
        turn = self._turn(place)
        return (*place, turn) in self._tables.waiting and not self._is_parked(place, turn)

    def _parked_of(self, place: ForeignStream) -> Iterator[Letter]:
        for letter in list(self._tables.dead_letters.values()):
            if letter.status == "parked" and (letter.tenant, letter.source, letter.stream) == place:
                yield letter

    def _is_parked(self, place: ForeignStream, version: int) -> bool:
        return any(letter.version == version for letter in self._parked_of(place))

    def _settle_up_to(
        self, place: ForeignStream, version: int, status: str, seen: Container[UUID] | None = None
    ) -> None:
        for letter in self._parked_of(place):
            if letter.version is not None and letter.version <= version and (seen is None or letter.id in seen):
                self._settle(letter, status)

    def _settle(self, letter: Letter, status: str) -> None:
        self._tables.dead_letters[letter.id] = replace(letter, status=status, settled_at=self._database.now())

    def _with_held(self, letter: Letter) -> Letter:
        if letter.tenant is None or letter.stream is None:
            return letter
        return replace(letter, held=len(self._behind((letter.tenant, letter.source, letter.stream))))
