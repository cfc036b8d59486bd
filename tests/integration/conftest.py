"""Stories are played on a whole stack: four processes, real PostgreSQL, real NATS, a clock that can be moved."""

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path

import pytest
from furnished import Furnished, furnished_stack
from world import Begin, World

from stack.cluster import Stack


@pytest.fixture
def begin() -> Iterator[Begin]:
    """Start a stack; it is stopped and its folder removed when the story is over."""
    with ExitStack() as cleanup:

        def start(at: str) -> World:
            folder = Path(cleanup.enter_context(tempfile.TemporaryDirectory(prefix="closeloop-story-")))
            folder.chmod(0o711)
            stack = Stack(folder, durable=False, clock_start=datetime.fromisoformat(at))
            return World(cleanup.enter_context(stack))

        yield start


@pytest.fixture(scope="module")
def furnished() -> Iterator[Furnished]:
    """One stack for all tests of a module that try every door; they leave it as it was, or say so."""
    with furnished_stack() as it:
        yield it
