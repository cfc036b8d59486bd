"""Three words to test a domain with: given(events).when(command).then(events).

given = scenarios(findings, by="p-weiss", at="2026-02-12T09:00:00Z")
given(raised).when(Issue()).then(Issued(...))
given(raised, issued).when(Issue()).then_refused("already issued", rule="A-12")
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Generic, TypeVar
from uuid import UUID

from events.kernel import Actor, Aggregate, Decision, Given, Need, Refused, derived_id

S = TypeVar("S")
STREAM = derived_id("the stream under test")


@dataclass(frozen=True)
class Outcome(Generic[S]):
    """What came of a command; each `then` word asserts one thing and returns itself, so that they can be joined."""

    aggregate: Aggregate[S, Any, Any]
    before: S
    events: Sequence[Any]
    rows: Sequence[Any]
    refusal: Refused | None

    @property
    def state(self) -> S:
        """The state afterwards."""
        assert self.refusal is None, f"refused: {self.refusal}"
        return self.aggregate.fold(self.events, self.before)

    def then(self, *events: Any) -> "Outcome[S]":
        """Exactly these events, in this order; none means that nothing was left to do."""
        assert self.refusal is None, f"refused: {self.refusal}"
        assert list(self.events) == list(events)
        return self

    def then_refused(self, saying: str, *, rule: str | None = None, status: int | None = None) -> "Outcome[S]":
        """Refused with these words in its detail (and this rule, this HTTP status)."""
        assert self.refusal is not None, f"not refused, but: {list(self.events)}"
        assert saying in self.refusal.detail, self.refusal.detail
        assert rule is None or self.refusal.members.get("rule") == rule, self.refusal.members
        assert status is None or self.refusal.status == status, self.refusal.status
        return self

    def then_announced(self, *messages: Any) -> "Outcome[S]":
        """Exactly these public events are heard by others."""
        heard, state = [], self.before
        for each in self.events:
            state = self.aggregate.evolve(state, each)
            heard.append(self.aggregate.announce(state, each))
        assert [message for message in heard if message is not None] == list(messages)
        return self


@dataclass(frozen=True)
class Scenario(Generic[S]):
    """A history, and the circumstances of the command to come."""

    aggregate: Aggregate[S, Any, Any]
    by: Actor
    time: datetime
    history: Sequence[Any] = ()
    facts: Mapping[Need[Any], Any] = field(default_factory=dict)
    stream: UUID = STREAM

    def __call__(self, *history: Any) -> "Scenario[S]":
        return replace(self, history=history)

    def knowing(self, facts: Mapping[Need[Any], Any]) -> "Scenario[S]":
        """With these facts, which the command needs."""
        return replace(self, facts={**self.facts, **facts})

    def acting(self, person: str, *roles: str) -> "Scenario[S]":
        """The command comes from this person."""
        return replace(self, by=Actor(person=person, roles=roles))

    def at(self, time: str) -> "Scenario[S]":
        """The command comes at this business time (ISO 8601 with offset)."""
        return replace(self, time=datetime.fromisoformat(time))

    @property
    def state(self) -> S:
        """The state after the history."""
        return self.aggregate.fold(self.history)

    def when(self, command: Any) -> Outcome[S]:
        """Decide the command; a fact that it needs and nobody gave fails the test."""
        before = self.state
        wanted = {need: self.facts[need] for need in self.aggregate.needs(before, command)}
        given = Given(
            tenant="meridian",
            stream=self.stream,
            command=derived_id("command", repr(command)),
            at=self.time,
            by=self.by,
            facts=wanted,
        )
        try:
            decided = self.aggregate.decide(before, command, given)
        except Refused as refusal:
            return Outcome(self.aggregate, before, (), (), refusal)
        if isinstance(decided, Decision):
            return Outcome(self.aggregate, before, decided.events, decided.rows, None)
        return Outcome(self.aggregate, before, decided, (), None)


def scenarios(aggregate: Aggregate[S, Any, Any], *, by: str = "p-tester", at: str) -> Scenario[S]:
    """The first word: `given`, for one aggregate."""
    return Scenario(aggregate, Actor(person=by), datetime.fromisoformat(at))
