"""NATS JetStream behind the port: raw nats-py, with the settings that its defaults get wrong for us."""

import asyncio
from collections.abc import Awaitable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import count, repeat
from typing import Any, TypeVar

import nats
import structlog
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.js import JetStreamContext
from nats.js.api import (
    AckPolicy,
    ConsumerConfig,
    DeliverPolicy,
    DiscardPolicy,
    RetentionPolicy,
    StorageType,
    StreamConfig,
)
from nats.js.errors import APIError, NoStreamResponseError, NotFoundError

from events.bus.envelope import BEHIND
from events.bus.port import (
    BrokerRefused,
    BrokerTrouble,
    Delivery,
    DurableInfo,
    DurableSpec,
    Fate,
    StreamInfo,
    StreamSpec,
    Subscription,
)
from events.failpoints import armed, failpoint
from events.message import Message

log = structlog.get_logger(__name__)
T = TypeVar("T")

ANSWER_WITHIN = 3.0
DUPLICATE_WINDOW = 120.0
MAX_IN_FLIGHT = 1024
FATES = {
    10077: Fate.NO_ROOM,
    10047: Fate.NO_ROOM,
    10023: Fate.NO_ROOM,
    10054: Fate.TOO_LARGE,
    10060: Fate.NO_STREAM,
    10071: Fate.MOVED,
    10164: Fate.MOVED,
}
"""JetStream's own error codes: over the stream's or the server's limits, message too large, not the stream we meant,
not behind the message we meant.
"""
OPTIONS: dict[str, Any] = {
    "max_reconnect_attempts": -1,  # by default the client gives up for good after two minutes
    "reconnect_time_wait": 0.5,
    "connect_timeout": 2,
    "ping_interval": 2,  # a dead link is noticed after six seconds, by default after four minutes
    "max_outstanding_pings": 2,
    "pending_size": -1,  # a publish while away fails at once; otherwise it is sent later, behind our back
}


class _Client(Client):
    """nats-py reads nothing more, and does not say so, after a subject that is no UTF-8: anybody may publish one."""

    def _build_message(self, sid: int, subject: bytes, reply: bytes, data: bytes, headers: Any) -> Any:
        readable = subject.decode(errors="backslashreplace").encode()
        return super()._build_message(sid, readable, reply, data, headers)


class NotThere(BrokerRefused):
    """There is no such stream, durable or message."""


class NatsBroker:
    """Implements `events.bus.port.Broker`. One connection per process."""

    def __init__(self, url: str, name: str) -> None:
        """`name` is how the connection appears at the server; nothing is connected yet."""
        self._url = url
        self._client_name = name
        self._client = _Client()
        self._connecting: asyncio.Task[None] | None = None
        self._connections = 0
        self._gone = asyncio.Event()

    @property
    def name(self) -> str:
        return f"NATS at {self._url.rpartition('@')[2]}"

    def start(self) -> None:
        """Connect in the background, for as long as it takes."""
        self._connecting = asyncio.create_task(self._stay_connected(), name="nats connection")

    async def stop(self) -> None:
        """Send what is under way, and close."""
        if self._connecting:
            self._connecting.cancel()
            with suppress(asyncio.CancelledError):
                await self._connecting
        with suppress(Exception):
            async with asyncio.timeout(2):
                if self._client.is_connected:
                    await self._client.flush(1)
        with suppress(Exception):
            async with asyncio.timeout(2):
                await self._client.close()

    @property
    def connected(self) -> bool:
        return bool(self._client.is_connected)

    @property
    def connections(self) -> int:
        return self._connections

    async def publish(
        self,
        stream: str,
        messages: Sequence[Message],
        within: float,
        *,
        connection: int | None = None,
        behind: int | None = None,
    ) -> Sequence[Fate]:
        if not self.connected or connection not in (None, self._connections):
            raise BrokerTrouble("NATS is not connected, or anew")
        places = count(behind) if behind is not None else repeat(None)
        sent = [
            asyncio.create_task(self._publish(stream, each, within, place))
            for each, place in zip(messages, places, strict=False)
        ]
        try:
            if armed():
                await asyncio.sleep(0)
                await self._client.flush(1)
                await failpoint("W4")
            if sent:
                await asyncio.wait(sent, timeout=within + 1)
            return [each.result() if each.done() else Fate.UNKNOWN for each in sent]
        finally:
            for each in sent:
                each.cancel()

    async def stream(self, name: str) -> StreamInfo | None:
        with suppress(NotThere):
            info = await self._asked(self._js.stream_info(name))
            return StreamInfo(
                created=info.created.isoformat() if info.created else "",
                messages=info.state.messages,
                last_sequence=info.state.last_seq,
                bytes=info.state.bytes,
                max_bytes=info.config.max_bytes or -1,
            )
        return None

    async def make_stream(self, spec: StreamSpec) -> None:
        await self._asked(self._js.add_stream(StreamConfig(name=spec.name, **_stream_settings(spec))))

    async def mend_stream(self, spec: StreamSpec) -> Sequence[str]:
        info = await self._asked(self._js.stream_info(spec.name))
        wanted = _stream_settings(spec)
        differing = [key for key, value in wanted.items() if getattr(info.config, key) != value]
        if not differing:
            return []
        try:
            await self._asked(self._js.update_stream(info.config.evolve(**wanted)))
        except BrokerRefused as refusal:
            return [f"JetStream stream {spec.name} differs in {', '.join(differing)}: {refusal}"]
        log.warning("stream_mended", stream=spec.name, settings=differing)
        return []

    async def message_at(self, stream: str, sequence: int) -> Message | None:
        with suppress(NotThere):
            raw = await self._asked(self._js.get_msg(stream, seq=sequence))
            headers = {name: str(text) for name, text in (raw.headers or {}).items()}  # not text, where not ASCII
            return Message(raw.subject or "", headers, raw.data or b"")
        return None

    async def durable(self, spec: DurableSpec) -> DurableInfo | None:
        with suppress(NotThere):
            info = await self._asked(self._js.consumer_info(spec.stream, spec.name))
            acked = info.ack_floor.stream_seq if info.ack_floor else 0
            return DurableInfo(acked, info.num_ack_pending or 0, info.num_pending or 0)
        return None

    async def make_durable(self, spec: DurableSpec, start: int) -> None:
        with suppress(NotThere):
            await self._asked(self._js.delete_consumer(spec.stream, spec.name))
        config = ConsumerConfig(
            durable_name=spec.name,
            deliver_policy=DeliverPolicy.BY_START_SEQUENCE,
            opt_start_seq=start,
            **_durable_settings(spec),
        )
        await self._asked(self._js.add_consumer(spec.stream, config))

    async def mend_durable(self, spec: DurableSpec) -> None:
        info = await self._asked(self._js.consumer_info(spec.stream, spec.name))
        wanted = _durable_settings(spec)
        differing = [key for key, value in wanted.items() if getattr(info.config, key) != value]
        if differing:
            await self._asked(self._js.add_consumer(spec.stream, info.config.evolve(**wanted)))
            log.warning("durable_mended", stream=spec.stream, durable=spec.name, settings=differing)

    async def subscribe(self, spec: DurableSpec) -> Subscription:
        return NatsSubscription(await self._asked(self._js.pull_subscribe_bind(spec.name, spec.stream)))

    async def _stay_connected(self) -> None:
        """Nats-py reconnects by itself, except where a server has sent it away (-ERR): then it closes for good."""
        while True:
            await self._connect()
            await self._gone.wait()
            log.warning("nats_sent_us_away", url=self._url)
            await asyncio.sleep(0.5)

    async def _connect(self) -> None:
        """Until it has worked once."""
        while True:
            client = _Client()
            try:
                await client.connect(
                    self._url,
                    name=self._client_name,
                    error_cb=self._error,
                    disconnected_cb=self._disconnected,
                    reconnected_cb=self._reconnected,
                    closed_cb=self._closed,
                    **OPTIONS | {"allow_reconnect": True, "max_reconnect_attempts": 1},
                )
            except Exception as error:  # whatever it is: without a connection there is nothing to go on with
                log.warning("nats_away", url=self._url, error=repr(error))
                with suppress(Exception):
                    await client.close()
                await asyncio.sleep(0.5)
                continue
            client.options["max_reconnect_attempts"] = -1
            self._gone.clear()
            self._client = client
            self._connections += 1
            return

    async def _error(self, error: Exception) -> None:
        log.warning("nats_error", error=repr(error))

    async def _disconnected(self) -> None:
        self._connections += 1
        # What was not sent yet would go to whichever server comes next, whatever has become of its data.
        self._client._pending.clear()  # noqa: SLF001
        self._client._pending_data_size = 0  # noqa: SLF001
        if not self._client.is_closed:  # as we wish; or we were sent away, which is said elsewhere
            log.warning("nats_disconnected")

    async def _closed(self) -> None:
        self._gone.set()

    async def _reconnected(self) -> None:
        self._connections += 1
        log.info("nats_reconnected", connections=self._connections)

    @property
    def _js(self) -> JetStreamContext:
        if not self.connected:
            raise BrokerTrouble("NATS is not connected")
        return self._client.jetstream(timeout=ANSWER_WITHIN)

    async def _publish(self, stream: str, message: Message, within: float, behind: int | None) -> Fate:
        headers = dict(message.headers) | ({} if behind is None else {BEHIND: str(behind)})
        try:
            ack = await self._client.jetstream().publish(
                message.subject, message.body, timeout=within, stream=stream, headers=headers
            )
        except NoStreamResponseError:
            return Fate.NO_STREAM
        except nats.errors.MaxPayloadError:
            return Fate.TOO_LARGE
        except APIError as error:
            fate = FATES.get(error.err_code or 0, Fate.UNKNOWN)
            if fate is not Fate.MOVED:
                log.warning("publish_refused", subject=message.subject, error=error.description)
            return fate
        except (nats.errors.Error, OSError):
            return Fate.UNKNOWN
        if not ack.duplicate:
            return Fate.ACKED
        # Servers before 2.12 know an id before they look where the message is to lie.
        return Fate.KNOWN if behind is None or ack.seq <= behind else Fate.MOVED

    async def _asked(self, question: Awaitable[T]) -> T:
        """The answer; NotThere and what else was refused are answers, too."""
        try:
            async with asyncio.timeout(ANSWER_WITHIN + 1):
                return await question
        except NotFoundError as error:
            raise NotThere(f"JetStream: {error.description}") from error
        except APIError as error:
            raise BrokerRefused(f"JetStream: {error.description}") from error
        except (nats.errors.Error, OSError) as error:
            raise BrokerTrouble(f"NATS: {error!r}") from error


@dataclass(eq=False)
class NatsDelivery:
    """Implements `events.bus.port.Delivery`."""

    raw: Msg

    @property
    def message(self) -> Message:
        return Message(self.raw.subject, dict(self.raw.headers or {}), self.raw.data)

    @property
    def attempts(self) -> int:
        return int(self.raw.metadata.num_delivered or 1)

    async def ack(self) -> None:
        with suppress(nats.errors.Error, OSError):
            await self.raw.ack()
            if armed():
                await self.raw._client.flush(1)  # noqa: SLF001 - W8: until then it may not even have been sent

    async def later(self, delay: float) -> None:
        with suppress(nats.errors.Error, OSError):
            await self.raw.nak(delay=delay)


class NatsSubscription:
    """Implements `events.bus.port.Subscription`."""

    def __init__(self, subscription: JetStreamContext.PullSubscription) -> None:
        self._subscription = subscription

    async def fetch(self, limit: int, within: float) -> Sequence[Delivery]:
        try:
            async with asyncio.timeout(within + 1):
                return [NatsDelivery(raw) for raw in await self._subscription.fetch(limit, timeout=within)]
        except TimeoutError:
            return []
        except (nats.errors.Error, OSError) as error:
            raise BrokerTrouble(f"NATS: {error!r}") from error

    async def close(self) -> None:
        with suppress(nats.errors.Error, OSError):
            await self._subscription.unsubscribe()


def _stream_settings(spec: StreamSpec) -> dict[str, Any]:
    return {
        "subjects": [spec.subject],
        "storage": StorageType.FILE,
        "retention": RetentionPolicy.LIMITS,
        "discard": DiscardPolicy.NEW,
        "deny_delete": True,
        "deny_purge": True,
        "duplicate_window": DUPLICATE_WINDOW,
        "max_bytes": spec.max_bytes,
        "num_replicas": spec.replicas,
    }


def _durable_settings(spec: DurableSpec) -> dict[str, Any]:
    return {
        "ack_policy": AckPolicy.EXPLICIT,
        "ack_wait": spec.ack_wait,
        "max_deliver": -1,
        "max_ack_pending": MAX_IN_FLIGHT,
    }
