"""A consumer: pulls what one service announces into the inbox, from where our own database says we are.

The durable is as disposable as the stream. Our database knows which stream we heard and up to where all is safe with
us; a durable that is ahead of that, or was made for another database (ours was restored), or a stream that is another,
begins anew from there.
"""

import asyncio
from contextlib import suppress
from dataclasses import replace

import structlog

from events.bus.envelope import stream_name
from events.bus.inbox import Inbox
from events.bus.port import Broker, BrokerTrouble, DurableInfo, DurableSpec, StreamInfo, Subscription
from events.store.bus_port import Incoming, Listener
from events.store.port import OutcomeUnknown, Unavailable
from events.watch import Pulse, now

log = structlog.get_logger(__name__)

FETCH = 64
FETCH_FOR = 0.9
STALLED_FETCHES = 3
BACKOFF = (0.2, 0.5, 1.0, 2.0)


class Consumer:
    """Listens to one source service on behalf of one service."""

    def __init__(
        self,
        service: str,
        source: str,
        broker: Broker,
        incoming: Incoming,
        inbox: Inbox,
        pulse: Pulse,
        *,
        ack_wait: float,
        note_every: float,
    ) -> None:
        """`ack_wait`: after so many seconds without an ack a message is delivered again."""
        self._note_every = note_every
        self._source = source
        self._broker = broker
        self._incoming = incoming
        self._inbox = inbox
        self._pulse = pulse
        self._spec = DurableSpec(stream_name(source), f"closeloop-{service}", ack_wait)
        self._listener = Listener("", 0)
        self._stop = asyncio.Event()
        self._noted = 0.0
        self._empty_handed = 0
        self.pending = 0
        """How many messages of the source we have not yet dealt with."""

    def stop(self) -> None:
        """Fetch no more; finish and acknowledge what was fetched."""
        self._stop.set()

    async def unheard(self) -> int:
        """How many messages of the source are not dealt with at this moment; asks the broker."""
        stream, durable = await self._broker.stream(self._spec.stream), await self._broker.durable(self._spec)
        if stream is None or durable is None:
            raise BrokerTrouble(f"the stream of {self._source}, or our durable on it, is not there")
        return durable.pending + durable.in_flight

    async def run(self) -> None:
        """Listen until told to stop; whatever happens, begin anew."""
        failures = 0
        while not self._stop.is_set():
            self._pulse.beat()
            subscription = None
            try:
                connections = self._broker.connections
                subscription = await self._attached()
                self._pulse.trouble, failures = "", 0
                await self._listen(subscription, connections)
            except (BrokerTrouble, Unavailable, OutcomeUnknown) as trouble:
                if self._pulse.trouble != str(trouble):
                    log.warning("consumer_held_up", source=self._source, why=str(trouble))
                self._pulse.trouble = str(trouble)
                await self._rest(BACKOFF[min(failures, len(BACKOFF) - 1)])
                failures += 1
            finally:
                if subscription:
                    await subscription.close()
        with suppress(BrokerTrouble, Unavailable, OutcomeUnknown):
            await self._note()

    async def _listen(self, subscription: Subscription, connections: int) -> None:
        while not self._stop.is_set() and self._broker.connections == connections:
            self._pulse.beat()
            deliveries = await subscription.fetch(FETCH, FETCH_FOR)
            if deliveries:
                await self._inbox.take(deliveries)
                self._pulse.moved()
                self._empty_handed = 0
            else:
                self._empty_handed += 1
            if now() - self._noted > self._note_every:
                await self._note()

    async def _attached(self) -> Subscription:
        """A subscription that goes on exactly where our database says."""
        stream = await self._broker.stream(self._spec.stream)
        if stream is None:
            raise BrokerTrouble(f"{self._source} has no JetStream stream yet")
        known, durable = await self._incoming.listener(self._source), await self._broker.durable(self._spec)
        if known and durable and _fits(known, stream, durable):
            await self._broker.mend_durable(self._spec)
            self._listener = known
        else:
            handled = known.handled if known and known.created == stream.created else 0
            handled = min(handled, stream.last_sequence)
            log.info("durable_made", source=self._source, start=handled + 1, had=durable and durable.acked)
            # Only then is it written down: a crash in between must not leave an old durable believed new.
            await self._broker.make_durable(self._spec, handled + 1)
            identity = known.identity if known else ""
            self._listener = await self._incoming.listen(self._source, stream.created, handled, identity)
        self._noted, self._empty_handed = now(), 0
        return await self._broker.subscribe(self._spec)

    async def _note(self) -> None:
        """Write down up to where all is acknowledged, hence safe in our database; notice what has changed."""
        stream, durable = await self._broker.stream(self._spec.stream), await self._broker.durable(self._spec)
        self._noted = now()
        if stream is None or durable is None or stream.created != self._listener.created:
            raise BrokerTrouble(f"the stream of {self._source}, or our durable on it, is gone or another")
        self.pending = durable.pending + durable.in_flight
        if not self.pending:
            self._pulse.trouble = ""  # what hindered us is handled: by now, or by somebody else
        if self._empty_handed >= STALLED_FETCHES and durable.pending:
            raise BrokerTrouble(f"{durable.pending} messages of {self._source} are there, but none is delivered")
        seen = self._listener
        if durable.acked > seen.handled and await self._incoming.heard(self._source, seen, durable.acked):
            self._listener = replace(seen, handled=durable.acked)
        else:
            await self._look_at_our_database(seen)

    async def _look_at_our_database(self, seen: Listener) -> None:
        """It may have been restored while nothing came: then what it has forgotten must come again."""
        found = await self._incoming.listener(self._source)
        if found is None or found.handled < seen.handled or not _alike(found, seen):
            raise BrokerTrouble("our database was restarted, or is an older one")
        self._listener = found  # a consumer beside us may have written it down

    async def _rest(self, seconds: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._stop.wait()


def _fits(known: Listener, stream: StreamInfo, durable: DurableInfo) -> bool:
    """Whether a durable goes on where our database says.

    That it has not acknowledged more is not enough: what it has acknowledged out of turn does not show.
    """
    same = known.created == stream.created and known.attached == known.identity
    return same and durable.acked <= known.handled


def _alike(one: Listener, other: Listener) -> bool:
    """The same stream, heard by the same database."""
    return (one.created, one.identity, one.attached) == (other.created, other.identity, other.attached)
