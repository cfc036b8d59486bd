"""Pytest fixtures: a real PostgreSQL and a real NATS for each test process, an empty database for each test."""

import itertools
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from stack.nats import Nats
from stack.postgres import Postgres

_numbers = itertools.count(1)


def pytest_configure() -> None:
    """Variables such as PGPORT would lead clients away from the server that the tests start."""
    for name in [name for name in os.environ if name.startswith("PG")]:
        del os.environ[name]


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """The PostgreSQL server of this test process; it forgets everything."""
    with (
        tempfile.TemporaryDirectory(prefix="closeloop-test-") as folder,
        Postgres(_entered_by_all(folder), durable=False, settings={"max_connections": "200"}) as server,
    ):
        yield server


@pytest.fixture(scope="session")
def nats_server() -> Iterator[Nats]:
    """The NATS server of this test process, with JetStream; its address is `nats_server.url`."""
    with tempfile.TemporaryDirectory(prefix="closeloop-test-") as folder, Nats(Path(folder)) as server:
        yield server


@pytest.fixture
def database(postgres: Postgres) -> Iterator[str]:
    """The URL (`postgresql+asyncpg://...`) of a fresh, empty database for this test alone."""
    name = f"test_{next(_numbers)}"
    yield postgres.create_database(name)
    postgres.drop_database(name)


def _entered_by_all(folder: str) -> Path:
    """As root the server runs as nobody, who must be able to pass through."""
    path = Path(folder)
    path.chmod(0o711)
    return path
