"""Stories are played on a whole stack: four processes, real PostgreSQL, real NATS, a clock that can be moved.

After every story all that is derived is compared with the events, in each of the four databases.
"""

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path

import pytest
from furnished import Furnished, furnished_stack
from world import Begin, World

from chassis import upkeep
from chassis.service import load
from chassis.settings import Settings
from stack.cluster import Stack
from stack.postgres import ensure_database
from stack.processes import run_now


def all_follows_from_the_events(stack: Stack) -> None:
    """Whatever has happened: states, deadlines, claims, side rows and command records are what the events say."""
    for name in stack.services:
        said: list[str] = []
        settings = Settings(service=name, database_url=ensure_database(stack.postgres_url, f"closeloop_{name}"))
        assert run_now(upkeep.verify(load(name), settings, said.append)) == upkeep.EQUAL, "\n".join(said)


@pytest.fixture
def begin() -> Iterator[Begin]:
    """Start a stack; it is stopped and its folder removed when the story is over."""
    with ExitStack() as cleanup:

        def start(at: str) -> World:
            folder = Path(cleanup.enter_context(tempfile.TemporaryDirectory(prefix="closeloop-story-")))
            folder.chmod(0o711)
            stack = Stack(folder, durable=False, clock_start=datetime.fromisoformat(at))
            running = cleanup.enter_context(stack)
            cleanup.callback(all_follows_from_the_events, running)
            return World(running)

        yield start


@pytest.fixture(scope="module")
def furnished() -> Iterator[Furnished]:
    """One stack for all tests of a module that try every door; they leave it as it was, or say so."""
    with furnished_stack() as it:
        yield it
