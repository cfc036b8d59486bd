"""The contract of the broker, on NATS."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from threading import Thread

import nats
import pytest
from broker_conformance import EAR, SOON, TOY, BrokerConformance, spoken, until

from events.bus.nats import NatsBroker
from events.failpoints import Failpoint
from stack.nats import Nats


class OwnServer:
    """A NATS server of this test alone."""

    def __init__(self, folder: Path) -> None:
        self.nats = Nats(folder).start()
        self.brokers: list[NatsBroker] = []

    async def connect(self) -> NatsBroker:
        broker = NatsBroker(self.nats.url, "conformance")
        self.brokers.append(broker)
        broker.start()

        async def connected() -> bool:
            return broker.connected

        await until(connected)
        return broker

    async def restart(self, *, lose: bool = False) -> None:
        await asyncio.to_thread(self.nats.kill)
        if lose:
            shutil.rmtree(self.nats.folder / "jetstream")
        await asyncio.to_thread(self.nats.start)


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[OwnServer]:
    rig = await asyncio.to_thread(OwnServer, tmp_path)
    yield rig
    for broker in rig.brokers:
        await broker.stop()
    await asyncio.to_thread(rig.nats.stop)


class TestNats(BrokerConformance):
    """One server for each fact."""


async def test_an_acknowledgement_has_left_before_its_window_is_passed(
    rig: OwnServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that is killed behind it, at W8, must have sent it; or it would be killed at W7b once more."""
    broker = await rig.connect()
    await spoken(broker, "a")
    await broker.make_durable(slow := replace(EAR, ack_wait=30.0), 1)
    (delivery,) = await (await broker.subscribe(slow)).fetch(1, SOON)
    monkeypatch.setattr("events.bus.nats.armed", lambda: Failpoint("W8", "kill9", 1))
    await delivery.ack()

    async def acked() -> int:
        client = await nats.connect(rig.nats.url)
        try:
            info = await client.jetstream().consumer_info(TOY.name, EAR.name)
            return info.ack_floor.stream_seq if info.ack_floor else 0
        finally:
            await client.close()

    asked = Thread(target=lambda: found.append(asyncio.run(acked())))
    found: list[int] = []
    asked.start()
    asked.join()  # not awaited: nothing more happens in this process, as if it had been killed
    assert found == [1]
