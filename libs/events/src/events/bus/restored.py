"""An older database was restored under what others have heard: what was lost, and the decision to go on without it."""

from collections.abc import Sequence

from events.bus.envelope import stream_name
from events.bus.port import Broker, StreamInfo
from events.bus.read_back import ReadBack, agreed_up_to
from events.kernel import NotFound, Refused
from events.store.bus_port import Lost, Noted, Outgoing, Restore


class Restored:
    """An operator's desk, beside running services. The other way, to restore a newer backup, needs no word."""

    def __init__(self, service: str, broker: Broker, outgoing: Outgoing) -> None:
        """The broker is connected."""
        self._stream = stream_name(service)
        self._broker = broker
        self._outgoing = outgoing
        self._read_back = ReadBack(service, broker, outgoing)

    async def lost(self) -> list[Lost]:
        """What others have heard and our log does not have, and nobody has decided about."""
        lost, _ = await self._looked()
        return lost

    async def given_up(self) -> Sequence[Lost]:
        """What was lost by earlier decisions; it is kept, so that people can enter it again."""
        return await self._outgoing.lost_announcements()

    async def accept(self) -> Restore:
        """Go on without what was lost: its ids and numbers are never used again, positions go on behind it.

        Raises Refused where nothing was lost.
        """
        lost, noted = await self._looked()
        if not lost:
            raise Refused(f"Our log has all that {self._stream} holds; there is nothing to decide.")
        return await self._outgoing.give_up(lost, noted)

    async def _looked(self) -> tuple[list[Lost], Noted]:
        noted, info = await self._outgoing.noted(), await self._found()
        lost = await self._read_back.strangers(agreed_up_to(noted, info), info.last_sequence)
        return lost, Noted(info.created, info.last_sequence, noted.identity)

    async def _found(self) -> StreamInfo:
        info = await self._broker.stream(self._stream)
        if info is None:
            raise NotFound(f"There is no JetStream stream {self._stream}, so nobody can say what others have heard.")
        return info
