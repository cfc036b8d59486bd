"""What a service's JetStream stream holds, read back and held against the service's log.

An announcement of ours that our log does not have, or has differently, was made by a log that is no more: an older
database was restored. Others have heard it, so nothing may be announced before an operator has decided.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from events.bus.envelope import POSITION, VERSION, place_of, position_of, stream_name, to_message
from events.bus.port import Broker, StreamInfo
from events.message import Message
from events.store.bus_port import Lost, Noted, Outgoing
from events.store.port import StoredEvent, Unavailable

PAGE = 256
AT_ONCE = 32
COMPARED = ("ce-id", "ce-time", POSITION, VERSION)
"""What of the headers makes an announcement the one that it is; later releases may add others."""


def agreed_up_to(noted: Noted, info: StreamInfo) -> int:
    """The sequence behind which the stream must be read back; its last page is read in any case."""
    known = noted.sequence if noted.created == info.created else 0
    return min(known, max(0, info.last_sequence - PAGE))


class Whose(StrEnum):
    """What becomes of a message when it is held against our log."""

    OURS = "ours"
    GIVEN_UP = "given up"
    """Our log does not have it, and an operator has decided to go on without."""
    STRANGE = "strange"
    """Our log does not have it, and nobody has decided yet."""
    NOT_TO_TELL = "not to tell"
    """It does not name a place in our log: no relay of ours has sent it."""


@dataclass(frozen=True, slots=True)
class Judged:
    """A message of the stream, and whose it is."""

    sequence: int
    message: Message
    whose: Whose

    @property
    def position(self) -> int:
        """Where it belongs in our log; 0 where it does not say."""
        return position_of(self.message) or 0


class ReadBack:
    """Reads one service's stream, the newest messages first."""

    def __init__(self, service: str, broker: Broker, outgoing: Outgoing) -> None:
        """`service` is the one whose log this is."""
        self._service = service
        self._broker = broker
        self._outgoing = outgoing

    async def pages(self, after: int, upto: int) -> AsyncIterator[tuple[int, Sequence[Judged]]]:
        """The messages behind a sequence, up to another, newest first: (all behind this sequence was read, some)."""
        while upto > after:
            low = max(after, upto - PAGE)
            yield low, await self.judged(await self._read(low, upto))
            upto = low

    async def judged(self, messages: Sequence[tuple[int, Message]]) -> list[Judged]:
        """Whose each of these is."""
        places = [(sequence, message, self._place(message)) for sequence, message in messages]
        positions = {place.position for _, _, place in places if place}
        ours = await self._outgoing.at(positions) if positions else {}
        unknown = {p.event for _, message, p in places if p and not self._same(ours.get(p.position), message)}
        given_up = await self._outgoing.lost(unknown) if unknown else set()

        def whose(place: Lost | None) -> Whose:
            if place is None:
                return Whose.NOT_TO_TELL
            if self._same(ours.get(place.position), place.message):
                return Whose.OURS
            return Whose.GIVEN_UP if place.event in given_up else Whose.STRANGE

        return [Judged(sequence, message, whose(place)) for sequence, message, place in places]

    async def strangers(self, after: int, upto: int) -> list[Lost]:
        """What our log does not have and nobody has decided about, in the order of positions."""
        found = {}
        async for _, page in self.pages(after, upto):
            for each in page:
                if each.whose is Whose.STRANGE and (place := self._place(each.message)):
                    found[place.event, place.position] = place
        return sorted(found.values(), key=lambda each: each.position)

    async def knows(self, message: Message) -> bool:
        """Whether our log has what we have said; False where it was given up. Raises Unavailable while undecided."""
        (judged,) = await self.judged([(0, message)])
        if judged.whose is Whose.STRANGE:
            raise Unavailable(await self.why(judged))
        return judged.whose is not Whose.GIVEN_UP

    async def why(self, stranger: Judged) -> str:
        """What is wrong with a message that is strange."""
        head = (await self._outgoing.behind()).head
        ours = f"ends at {head}" if stranger.position > head else "has another event there"
        return (
            f"{stream_name(self._service)} holds position {stranger.position} "
            f"(event {stranger.message.headers.get('ce-id')}), our log {ours}: an older database was restored; "
            "an operator decides (accept-restore)"
        )

    async def _read(self, after: int, upto: int) -> list[tuple[int, Message]]:
        found: list[tuple[int, Message]] = []
        stream, sequences = stream_name(self._service), list(range(upto, after, -1))
        for start in range(0, len(sequences), AT_ONCE):
            asked = sequences[start : start + AT_ONCE]
            answers = await asyncio.gather(*(self._broker.message_at(stream, sequence) for sequence in asked))
            found += [(sequence, message) for sequence, message in zip(asked, answers, strict=True) if message]
        return found

    def _place(self, message: Message) -> Lost | None:
        place, position = place_of(self._service, message), position_of(message)
        try:
            event = UUID(message.headers.get("ce-id", ""))
        except ValueError:
            return None
        if place is None or position is None:
            return None
        return Lost(event, position, place.tenant, place.stream, place.version, message)

    def _same(self, event: StoredEvent | None, message: Message) -> bool:
        if event is None:
            return False
        ours = to_message(self._service, event)
        alike = all(ours.headers.get(name) == message.headers.get(name) for name in COMPARED)
        return alike and (ours.subject, ours.body) == (message.subject, message.body)
