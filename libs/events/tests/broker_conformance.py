"""What the relay and the consumers rely on in a broker: the same facts, for NATS and for whatever stands in for it."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from itertools import count
from typing import Protocol

import pytest

from events.bus.envelope import MESSAGE_ID
from events.bus.port import Broker, BrokerTrouble, Delivery, DurableSpec, Fate, StreamSpec
from events.message import Message

TOY = StreamSpec("CLOSELOOP_TOY", "closeloop.*.toy.>", max_bytes=1 << 20, replicas=1)
EAR = DurableSpec(TOY.name, "closeloop-ear", ack_wait=0.6)
SOON = 2.0
IDS = count(1)


class Rig(Protocol):
    """A server of our own, and connections to it."""

    async def connect(self) -> Broker:
        """One more connection, made and working."""

    async def restart(self, *, lose: bool = False) -> None:
        """End the server and start it again, with what it held or without."""


def message(body: str = "{}", *, id: str = "", subject: str = "closeloop.meridian.toy.jar.filled.v1") -> Message:
    return Message(subject, {MESSAGE_ID: id or f"message {next(IDS)}", "ce-id": "an event"}, body.encode())


async def until(true: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(15):
        while not await true():  # noqa: ASYNC110 - a server makes it true
            await asyncio.sleep(0.02)


async def connected_again(broker: Broker, before: int) -> None:
    async def anew() -> bool:
        return broker.connected and broker.connections > before

    await until(anew)


async def spoken(broker: Broker, *bodies: str) -> None:
    await broker.make_stream(TOY)
    assert set(await broker.publish(TOY.name, [message(body) for body in bodies], SOON)) <= {Fate.ACKED}


def bodies(deliveries: Sequence[Delivery]) -> list[str]:
    return [each.message.body.decode() for each in deliveries]


class BrokerConformance:
    """Mixed into a test class beside a fixture `rig`."""

    @pytest.fixture
    async def broker(self, rig: Rig) -> Broker:
        return await rig.connect()

    # --- streams ------------------------------------------------------------------------------------------------------

    async def test_what_is_not_there_is_none(self, broker: Broker) -> None:
        assert await broker.stream(TOY.name) is None
        assert await broker.durable(EAR) is None
        assert await broker.message_at(TOY.name, 1) is None

    async def test_messages_are_kept_in_order_and_byte_for_byte(self, broker: Broker) -> None:
        await broker.make_stream(TOY)
        sent = [message(f'{{"text": "Grüße {n}"}}') for n in range(3)]
        assert await broker.publish(TOY.name, sent, SOON) == [Fate.ACKED] * 3
        kept = [await broker.message_at(TOY.name, n) for n in (1, 2, 3)]
        assert [(each.subject, each.body) for each in kept if each] == [(each.subject, each.body) for each in sent]
        assert all(k and s.headers.items() <= k.headers.items() for k, s in zip(kept, sent, strict=True))
        assert await broker.message_at(TOY.name, 4) is None
        info = await broker.stream(TOY.name)
        assert info
        assert (info.messages, info.last_sequence) == (3, 3)
        assert 0 < info.bytes < info.max_bytes == TOY.max_bytes

    async def test_a_message_id_is_kept_once_and_acknowledged_each_time(self, broker: Broker) -> None:
        await broker.make_stream(TOY)
        twice = message("first", id="the same")
        assert await broker.publish(TOY.name, [twice, replace(twice, body=b"second")], SOON) == [Fate.ACKED, Fate.KNOWN]
        info = await broker.stream(TOY.name)
        assert info
        assert info.last_sequence == 1
        kept = await broker.message_at(TOY.name, 1)
        assert kept
        assert kept.body == b"first"

    async def test_to_make_a_stream_that_is_there_changes_nothing(self, broker: Broker) -> None:
        await spoken(broker, "a")
        before = await broker.stream(TOY.name)
        await broker.make_stream(TOY)
        assert await broker.mend_stream(TOY) == []
        assert await broker.stream(TOY.name) == before

    async def test_without_a_stream_nothing_is_acknowledged(self, broker: Broker) -> None:
        assert await broker.publish(TOY.name, [message()], 0.5) in ([Fate.NO_STREAM], [Fate.UNKNOWN])
        await broker.make_stream(TOY)
        elsewhere = message(subject="closeloop.meridian.other.jar.filled.v1")
        assert await broker.publish(TOY.name, [elsewhere], 0.5) in ([Fate.NO_STREAM], [Fate.UNKNOWN])

    async def test_a_full_stream_takes_nothing_more_and_forgets_nothing(self, broker: Broker) -> None:
        await broker.make_stream(replace(TOY, max_bytes=4096))
        fates = await broker.publish(TOY.name, [message("x" * 1000) for _ in range(6)], SOON)
        kept = fates.count(Fate.ACKED)
        assert fates == [Fate.ACKED] * kept + [Fate.NO_ROOM] * (6 - kept)
        assert 2 <= kept <= 4
        assert await broker.message_at(TOY.name, 1)
        assert await broker.mend_stream(TOY) == []
        assert await broker.publish(TOY.name, [message("x" * 1000)], SOON) == [Fate.ACKED]

    async def test_a_message_that_is_too_large_is_refused_alone(self, broker: Broker) -> None:
        await broker.make_stream(replace(TOY, max_bytes=1 << 24))
        fates = await broker.publish(TOY.name, [message(), message("x" * 1_100_000), message()], SOON)
        assert fates == [Fate.ACKED, Fate.TOO_LARGE, Fate.ACKED]

    async def test_what_is_to_lie_behind_a_message_lies_there_or_nowhere(self, broker: Broker, rig: Rig) -> None:
        """So what arrives late, from whomever, never gets between or behind what was sent since."""
        await spoken(broker, "a")
        late = [message("b"), message("c")]
        now = [message("d"), message("e"), message("f")]
        other = await rig.connect()
        assert await broker.publish(TOY.name, now, SOON, behind=1) == [Fate.ACKED] * 3
        assert await other.publish(TOY.name, late, SOON, behind=1) == [Fate.MOVED] * 2
        assert await other.publish(TOY.name, late, SOON, behind=9) == [Fate.MOVED] * 2
        kept = [await broker.message_at(TOY.name, n) for n in range(1, 6)]
        assert [each and each.body for each in kept] == [b"a", b"d", b"e", b"f", None]

    async def test_what_is_known_takes_no_place(self, broker: Broker) -> None:
        await broker.make_stream(TOY)
        twice = message("a")
        assert await broker.publish(TOY.name, [twice], SOON, behind=0) == [Fate.ACKED]
        assert await broker.publish(TOY.name, [twice, message("b")], SOON, behind=1) == [Fate.KNOWN, Fate.MOVED]
        assert await broker.publish(TOY.name, [message("b")], SOON, behind=1) == [Fate.ACKED]
        assert await broker.publish(TOY.name, [twice], SOON, behind=0) == [Fate.MOVED], "something came since"

    # --- durables -----------------------------------------------------------------------------------------------------

    async def test_a_durable_begins_where_it_was_told_to(self, broker: Broker) -> None:
        await spoken(broker, "a", "b", "c")
        await broker.make_durable(EAR, 2)
        durable = await broker.durable(EAR)
        assert durable
        assert (durable.acked, durable.in_flight, durable.pending) == (1, 0, 2)
        ear = await broker.subscribe(EAR)
        assert bodies(await ear.fetch(10, 0.5)) == ["b", "c"]

    async def test_all_up_to_the_first_gap_counts_as_acknowledged(self, broker: Broker) -> None:
        await spoken(broker, "a", "b", "c", "d")
        await broker.make_durable(EAR, 1)
        ear = await broker.subscribe(EAR)
        a, b, c = await ear.fetch(3, 0.5)
        assert await self.progress(broker) == (0, 3, 1)
        await c.ack()
        await a.ack()
        await self.until_progress(broker, (1, 1, 1))
        await b.ack()
        await self.until_progress(broker, (3, 0, 1))

    async def test_what_is_not_acknowledged_in_time_comes_again(self, broker: Broker) -> None:
        await spoken(broker, "a", "b")
        await broker.make_durable(EAR, 1)
        ear = await broker.subscribe(EAR)
        first, second = await ear.fetch(10, 0.5)
        assert (first.attempts, second.attempts) == (1, 1)
        await second.ack()
        assert await ear.fetch(10, 0.1) == []
        (again,) = await ear.fetch(10, SOON)
        assert (again.message.body, again.attempts) == (b"a", 2)

    async def test_a_late_acknowledgement_counts(self, broker: Broker) -> None:
        await spoken(broker, "a")
        await broker.make_durable(EAR, 1)
        ear = await broker.subscribe(EAR)
        (early,) = await ear.fetch(10, 0.5)
        await ear.fetch(10, SOON)
        await early.ack()
        await self.until_progress(broker, (1, 0, 0))

    async def test_what_is_handed_back_comes_again_after_its_delay(self, broker: Broker) -> None:
        await spoken(broker, "a")
        await broker.make_durable(replace(EAR, ack_wait=20), 1)
        ear = await broker.subscribe(EAR)
        (handed_back,) = await ear.fetch(10, 0.5)
        await handed_back.later(0.3)
        assert await ear.fetch(10, 0.1) == []
        (again,) = await ear.fetch(10, SOON)
        assert again.attempts == 2

    async def test_two_that_share_a_durable_share_its_messages(self, broker: Broker, rig: Rig) -> None:
        await spoken(broker, *"abcd")
        await broker.make_durable(EAR, 1)
        one, other = await broker.subscribe(EAR), await (await rig.connect()).subscribe(EAR)
        first, then = await one.fetch(2, 0.5), await other.fetch(10, 0.4)
        assert sorted(bodies(first) + bodies(then)) == [*"abcd"]

    async def test_a_fetch_waits_for_the_next_message(self, broker: Broker) -> None:
        await spoken(broker)
        await broker.make_durable(EAR, 1)
        ear = await broker.subscribe(EAR)
        waits = asyncio.create_task(ear.fetch(10, SOON))
        await asyncio.sleep(0.1)
        await spoken(broker, "a")
        assert bodies(await waits) == ["a"]

    async def test_a_durable_that_is_made_anew_has_forgotten(self, broker: Broker) -> None:
        await spoken(broker, "a", "b")
        await broker.make_durable(EAR, 1)
        ear = await broker.subscribe(EAR)
        for each in await ear.fetch(10, 0.5):
            await each.ack()
        await self.until_progress(broker, (2, 0, 0))
        await broker.make_durable(EAR, 2)
        assert await self.progress(broker) == (1, 0, 1)
        again = await broker.subscribe(EAR)
        assert bodies(await again.fetch(10, 0.5)) == ["b"]

    async def test_what_is_asked_of_what_is_not_there_is_trouble(self, broker: Broker) -> None:
        with pytest.raises(BrokerTrouble):
            await broker.mend_stream(TOY)
        with pytest.raises(BrokerTrouble):
            await broker.make_durable(EAR, 1)
        await broker.make_stream(TOY)
        with pytest.raises(BrokerTrouble):
            await broker.mend_durable(EAR)

    async def progress(self, broker: Broker) -> tuple[int, int, int]:
        durable = await broker.durable(EAR)
        assert durable
        return durable.acked, durable.in_flight, durable.pending

    async def until_progress(self, broker: Broker, wanted: tuple[int, int, int]) -> None:
        async def there() -> bool:
            return await self.progress(broker) == wanted

        await until(there)

    # --- a server that goes away --------------------------------------------------------------------------------------

    async def test_after_a_restart_all_is_as_it_was(self, broker: Broker, rig: Rig) -> None:
        await spoken(broker, "a", "b")
        await broker.make_durable(EAR, 1)
        (a, _) = await (await broker.subscribe(EAR)).fetch(10, 0.5)
        await a.ack()
        await self.until_progress(broker, (1, 1, 0))
        before, connections = await broker.stream(TOY.name), broker.connections
        await rig.restart()
        await connected_again(broker, connections)
        after = await broker.stream(TOY.name)
        assert before
        assert after
        assert (after.created, after.last_sequence) == (before.created, 2)
        # What was acknowledged just before a kill may come again.
        assert bodies(await (await broker.subscribe(EAR)).fetch(10, 3.0))[-1] == "b"

    async def test_what_is_meant_for_one_connection_does_not_go_over_the_next(self, broker: Broker, rig: Rig) -> None:
        await spoken(broker, "a")
        before = broker.connections
        await rig.restart()
        await connected_again(broker, before)
        with pytest.raises(BrokerTrouble):
            await broker.publish(TOY.name, [message("b")], SOON, connection=before)
        assert await broker.publish(TOY.name, [message("c")], SOON, connection=broker.connections) == [Fate.ACKED]
        last = await broker.message_at(TOY.name, 2)
        assert last
        assert last.body == b"c"

    async def test_a_message_id_is_known_after_a_restart(self, broker: Broker, rig: Rig) -> None:
        await broker.make_stream(TOY)
        sent, connections = message("a"), broker.connections
        await broker.publish(TOY.name, [sent], SOON)
        await rig.restart()
        await connected_again(broker, connections)
        assert await broker.publish(TOY.name, [sent], SOON) == [Fate.KNOWN]
        info = await broker.stream(TOY.name)
        assert info
        assert info.last_sequence == 1

    async def test_a_server_that_lost_its_data_has_neither_streams_nor_durables(self, broker: Broker, rig: Rig) -> None:
        await spoken(broker, "a")
        await broker.make_durable(EAR, 1)
        before, connections = await broker.stream(TOY.name), broker.connections
        await rig.restart(lose=True)
        await connected_again(broker, connections)
        assert await broker.stream(TOY.name) is None
        assert await broker.durable(EAR) is None
        await broker.make_stream(TOY)
        after = await broker.stream(TOY.name)
        assert before
        assert after
        assert (after.created != before.created, after.last_sequence) == (True, 0)
        assert await broker.durable(EAR) is None
