"""A simulated database at real time: `store`, `incoming` and `outgoing` work on it, and nothing disturbs them."""

from datetime import UTC, datetime

import pytest

from simulation.database import Database
from simulation.incoming import SimulatedIncoming
from simulation.outgoing import SimulatedOutgoing
from simulation.store import SimulatedStore

SHARED = ("conformance", "incoming_conformance", "outgoing_conformance", "broker_conformance")
pytest.register_assert_rewrite(*SHARED, "histories", "making", "seeds")


@pytest.fixture
def simulated() -> Database:
    return Database("toy", lambda: datetime.now(UTC))


@pytest.fixture
def store(simulated: Database) -> SimulatedStore:
    return SimulatedStore(simulated)


@pytest.fixture
def incoming(simulated: Database) -> SimulatedIncoming:
    return SimulatedIncoming(simulated)


@pytest.fixture
def outgoing(simulated: Database) -> SimulatedOutgoing:
    return SimulatedOutgoing(simulated)
