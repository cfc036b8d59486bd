"""What a proxy does to what passes through it: nothing, or it loses, holds back, slows or breaks it off."""

import asyncio
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from math import inf

SLICES_PER_SECOND = 20
WHOLE = 64 * 1024


class Way(StrEnum):
    """A direction through the proxy."""

    REQUESTS = "requests"
    ANSWERS = "answers"


BOTH = frozenset(Way)


@dataclass(frozen=True, kw_only=True, eq=False)
class Weather:
    """What becomes of everything that passes, until it is over; what it has delayed goes on at once then."""

    lost: frozenset[Way] = frozenset()
    held: frozenset[Way] = frozenset()
    slow: frozenset[Way] = frozenset()
    delay: float = 0.0
    jitter: float = 0.0
    rate: float | None = None
    over: asyncio.Event = field(default_factory=asyncio.Event)

    def slices(self, way: Way, data: bytes) -> Iterator[bytes]:
        """On a narrow link a message arrives bit by bit."""
        size = max(1, int(self.rate / SLICES_PER_SECOND)) if self.rate and way in self.slow else WHOLE
        return (data[at : at + size] for at in range(0, len(data), size))

    def due(self, way: Way, size: int, before: float) -> float:
        """When it may leave: never before what came before it."""
        now = asyncio.get_running_loop().time()
        if way in self.held:
            return inf
        if way not in self.slow:
            return now
        transfer = size / self.rate if self.rate else 0.0
        return max(now + self.delay + random.uniform(0.0, self.jitter), before) + transfer


@dataclass
class Dropping:
    """The connection over which the last of so many bytes passes is cut there; so many times."""

    way: Way
    every: int
    times: int
    passed: int = 0

    def rest(self, way: Way, size: int) -> int | None:
        """How much of it still passes before the cut; None: all, and no cut."""
        if way is not self.way or self.times == 0:
            return None
        self.passed += size
        if self.passed <= self.every:
            return None
        rest = size - (self.passed - self.every)
        self.times, self.passed = self.times - 1, 0
        return rest
