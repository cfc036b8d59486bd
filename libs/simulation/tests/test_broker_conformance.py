"""The contract of the broker, on the simulated one."""

import pytest
from broker_conformance import BrokerConformance

from simulation.broker import SimulatedBroker
from simulation.jetstream import Server


class InMemory:
    """A server in this process."""

    def __init__(self) -> None:
        self.server = Server()
        self.brokers: list[SimulatedBroker] = []

    async def connect(self) -> SimulatedBroker:
        broker = SimulatedBroker(self.server)
        self.brokers.append(broker)
        broker.start()
        return broker

    async def restart(self, *, lose: bool = False) -> None:
        for broker in self.brokers:
            broker.cut()
        if lose:
            self.server.lose()
        for broker in self.brokers:
            broker.connect()


@pytest.fixture
def rig() -> InMemory:
    return InMemory()


class TestSimulated(BrokerConformance):
    """One server for each fact."""
