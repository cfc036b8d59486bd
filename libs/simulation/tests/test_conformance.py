"""The simulated database keeps the same contracts as PostgreSQL."""

from conformance import StoreConformance
from incoming_conformance import IncomingConformance
from outgoing_conformance import OutgoingConformance


class TestStore(StoreConformance):
    """The `store` of conftest is the simulated one."""


class TestIncoming(IncomingConformance):
    """The `incoming` of conftest is the simulated one."""


class TestOutgoing(OutgoingConformance):
    """The `outgoing` of conftest is the simulated one."""
