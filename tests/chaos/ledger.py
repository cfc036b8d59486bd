"""The ledger: what was asked under which key, and every answer that came."""

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from threading import Lock
from typing import Any

BROKEN = 0
"""The status of an answer that never came: the connection broke, or it took too long."""


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer, as it came."""

    at: float
    status: int
    body: Any
    position: str = ""
    """Where in the log it stands, as the service says: "audit:17"."""

    @property
    def is_success(self) -> bool:
        return 200 <= self.status < 300

    @property
    def is_definite(self) -> bool:
        """Whether it says what has become of the request; all else is asked again."""
        return self.status not in (BROKEN, 503)


@dataclass(eq=False, slots=True)
class Asked:
    """One request under one Idempotency-Key, however often it was sent."""

    key: str
    service: str
    person: str
    path: str
    body: dict[str, Any]
    version: int | None = None
    """If-Match, where the object must have been seen."""
    at: float = field(default_factory=time.time)
    replies: list[Reply] = field(default_factory=list)
    checked: bool = False
    """Whether it was asked again after its answer."""

    @property
    def answer(self) -> Reply | None:
        """The first definite answer; every later one must be the same."""
        return next((each for each in self.replies if each.is_definite), None)

    @property
    def troubled(self) -> bool:
        """Whether some attempt had no definite answer: it may have been carried out, and must not be twice."""
        return not self.replies[0].is_definite

    @property
    def acknowledged(self) -> bool:
        return self.answer is not None and self.answer.is_success

    def __str__(self) -> str:
        return f"POST {self.service} {self.path} ({self.key})"


class Ledger:
    """Every request, in the order in which they were first sent; written by several threads."""

    def __init__(self) -> None:
        """Empty."""
        self._lock = Lock()
        self._asked: list[Asked] = []
        self.by_key: dict[str, Asked] = {}

    def write(self, asked: Asked) -> Asked:
        """Before it is sent for the first time."""
        with self._lock:
            self._asked.append(asked)
            self.by_key[asked.key] = asked
        return asked

    def since(self, number: int = 0) -> list[Asked]:
        """From the one of that number on."""
        with self._lock:
            return self._asked[number:]

    def acknowledged(self, number: int = 0) -> Iterator[Asked]:
        """Those that were answered with a 2xx."""
        return (each for each in self.since(number) if each.acknowledged)

    def __len__(self) -> int:
        return len(self._asked)
