"""Dead letters: messages that could not be handled, for an operator to look at, to try again, or to drop."""

from collections.abc import Sequence
from contextlib import suppress
from uuid import UUID

from events.bus.envelope import BrokenMessage, UnknownMessage, understood
from events.bus.inbox import Inbox
from events.bus.reacting import Listening, Permanent, Reactor, Transient
from events.handling import Handler
from events.kernel import NotFound, Refused
from events.store.bus_port import Early, Incoming, Letter
from events.watch import Pulse

NOT_UNDERSTOOD = (BrokenMessage.__name__, UnknownMessage.__name__)


class DeadLetters:
    """Works on the database alone, beside running services; the bus is not needed."""

    def __init__(
        self,
        service: str,
        incoming: Incoming,
        handler: Handler,
        features: Sequence[Listening],
        reactor: Reactor | None = None,
    ) -> None:
        """As the service's own bus is made, or with its reactor."""
        self._incoming = incoming
        self._reactor = reactor or Reactor(service, handler, features)
        self._last_tried: Letter | None = None

    async def list(self, status: str | None = "parked") -> Sequence[Letter]:
        """Dead letters, oldest first; None: those that were settled too."""
        found: list[Letter] = []
        while page := await self._incoming.letters(status, after=found[-1] if found else None):
            found += page
        return found

    async def show(self, id: UUID) -> Letter:
        """One dead letter."""
        letter = await self._incoming.letter(id)
        if letter is None:
            raise NotFound(f"There is no dead letter {id}.")
        return letter

    async def replay(self, id: UUID) -> str | None:
        """Handle it now, and then what waits behind it. What still hinders it, or None. Raises Transient."""
        letter = await self._parked(id)
        try:
            await self._reactor.handle(letter.source, letter.message)
        except Permanent as reason:
            await self._incoming.park(letter.source, letter.message, _place(letter), str(reason))
            return str(reason)
        await self._release(letter, "replayed")
        return None

    async def replay_understood(self) -> None:
        """Handle what another release has parked because it did not understand it, and this one does: a page each time.

        So contracts may change while old and new replicas hear side by side. What is wrong stays parked. Raises
        Transient when the whole page was tried, and some could not be handled for now.
        """
        page = await self._not_understood(self._last_tried) or await self._not_understood(None)
        self._last_tried = page[-1] if page else None
        trouble: Transient | None = None
        for letter in filter(_is_understood, page):
            try:
                with suppress(Refused):  # somebody else was faster
                    await self.replay(letter.id)
            except Transient as not_now:
                trouble = not_now
        if trouble:
            raise trouble

    async def drop(self, id: UUID) -> None:
        """Never handle it; handle what waits behind it."""
        await self._release(await self._parked(id), "dropped")

    async def _not_understood(self, after: Letter | None) -> Sequence[Letter]:
        return await self._incoming.letters(reasons=NOT_UNDERSTOOD, after=after)

    async def _parked(self, id: UUID) -> Letter:
        letter = await self.show(id)
        if letter.status != "parked":
            raise Refused(f"The dead letter was {letter.status} already.")
        return letter

    async def _release(self, letter: Letter, settled: str) -> None:
        place = _place(letter)
        if place is None:
            await self._incoming.settle(letter.id, settled)
            return
        key = (place.tenant, place.stream)
        await self._incoming.advance(letter.source, {key: place.version}, settled)
        waiting = await self._incoming.ready(letter.source, [key])
        inbox = Inbox(letter.source, self._incoming, self._reactor, Pulse("dead letters"))
        await inbox.take_up(waiting)


def _is_understood(letter: Letter) -> bool:
    try:
        understood(letter.source, letter.message)
    except (BrokenMessage, UnknownMessage):
        return False
    return True


def _place(letter: Letter) -> Early | None:
    if letter.tenant is None or letter.stream is None or letter.version is None:
        return None
    return Early(letter.tenant, letter.stream, letter.version, letter.message)
