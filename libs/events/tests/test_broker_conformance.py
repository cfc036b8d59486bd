"""The contract of the broker, on NATS."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from broker_conformance import BrokerConformance, until

from events.bus.nats import NatsBroker
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
