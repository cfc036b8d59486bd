"""Folding: what follows from stored events by today's code, as a value and as the row that is kept of it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from events.codec import UnknownEvent, codec_of, to_json
from events.kernel import Aggregate
from events.store.port import StoredEvent, Unavailable

NEWER = "this object was written by a newer version of the service"


class WrittenByNewer(Unavailable):
    """Only newer code knows what this means; this code neither guesses nor writes it."""


@dataclass(frozen=True, slots=True)
class Fold:
    """All that is derived from a stream: its row in `states`, and its claims."""

    version: int
    public_version: int
    shape: int
    state: str
    deadline: datetime | None
    claims: tuple[str, ...]


@dataclass
class Folding:
    """The fold of one stream, event by event in their order, so that a long stream need not be held at once."""

    aggregate: Aggregate[Any, Any, Any]
    state: Any = field(init=False)
    version: int = 0
    public_version: int = 0

    def __post_init__(self) -> None:
        self.state = self.aggregate.initial

    def add(self, event: StoredEvent) -> Any:
        """Fold the next event; the event as today's class. Raises WrittenByNewer."""
        try:
            happened = codec_of(self.aggregate).decode(event.type, event.schema, event.data)
        except UnknownEvent as newer:
            raise WrittenByNewer(f"{NEWER}: {newer}") from newer
        self.state = self.aggregate.evolve(self.state, happened)
        self.version += 1
        self.public_version = event.public_version or self.public_version
        return happened

    def fold(self) -> Fold:
        """What has been folded so far, as it is kept."""
        return Fold(self.version, self.public_version, self.aggregate.shape, **derived(self.aggregate, self.state))


def refold(aggregate: Aggregate[Any, Any, Any], events: Iterable[StoredEvent]) -> Any:
    """The state that follows from stored events."""
    folding = Folding(aggregate)
    for each in events:
        folding.add(each)
    return folding.state


def derived(aggregate: Aggregate[Any, Any, Any], state: Any) -> Mapping[str, Any]:
    """What is kept of a state: the state, its deadline, its claims."""
    return {
        "state": to_json(state),
        "deadline": aggregate.deadline(state),
        "claims": tuple(sorted(set(aggregate.claims(state)))),
    }
