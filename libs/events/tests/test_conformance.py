"""The contracts of the store and of what the bus keeps in it, on PostgreSQL."""

import pytest
from conformance import StoreConformance
from incoming_conformance import IncomingConformance
from outgoing_conformance import OutgoingConformance

from events.store.database import Database
from events.store.incoming import PostgresIncoming
from events.store.outgoing import PostgresOutgoing


@pytest.fixture
def incoming(db: Database) -> PostgresIncoming:
    return PostgresIncoming(db)


@pytest.fixture
def outgoing(db: Database) -> PostgresOutgoing:
    return PostgresOutgoing(db)


class TestPostgres(StoreConformance):
    """The `store` of conftest is the one in production."""


class TestIncoming(IncomingConformance):
    """Waiting messages, inbox and dead letters in their tables."""


class TestOutgoing(OutgoingConformance):
    """The lease and the checkpoint in their tables."""
