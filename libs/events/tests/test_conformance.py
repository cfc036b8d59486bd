"""The contract of a store, on PostgreSQL."""

from conformance import StoreConformance


class TestPostgres(StoreConformance):
    """The `store` of conftest is the one in production."""
