"""A small world in memory: the streams of the service, their side rows, their deadlines, and what they hear themselves.

Every event and state passes through JSON on its way, as it does in the store.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import cache
from typing import Any
from uuid import UUID

import pytest
from pydantic import TypeAdapter

from chassis.routes import Order
from events.kernel import (
    Actor,
    Aggregate,
    AllWhere,
    Decision,
    Due,
    Found,
    Given,
    Need,
    News,
    NextNumber,
    Row,
    RowsOf,
    StateOf,
    derived_id,
)
from events.words import start_of
from sla_service.main import service
from sla_service.measurements import Measurements, needs, orders
from sla_service.periods.aggregate import period_id, periods
from sla_service.periods.state import Period
from sla_service.slas.aggregate import slas
from sla_service.slas.events import Activated, Agreed, Drafted, Signed
from sla_service.slas.terms import Measurement, Party, Side, Terms

TENANT = "meridian"
NEW_YEAR = datetime(2026, 1, 1, tzinfo=UTC)


@cache
def json_of(kind: type[Any]) -> TypeAdapter[Any]:
    return TypeAdapter(kind)


def through_json(thing: Any) -> Any:
    adapter = json_of(type(thing))
    again = adapter.validate_json(adapter.dump_json(thing))
    assert again == thing
    return again


@dataclass
class Stream:
    aggregate: Aggregate[Any, Any, Any]
    state: Any
    version: int = 0
    rows: tuple[Row, ...] = ()
    events: list[Any] = field(default_factory=list)


@dataclass
class World:
    now: datetime = NEW_YEAR
    streams: dict[UUID, Stream] = field(default_factory=dict)
    announced: list[News] = field(default_factory=list)
    numbers: int = 0

    def do(self, aggregate: Aggregate[Any, Any, Any], stream: UUID, command: Any) -> list[Any]:
        """One command; its events, after everything that they set off within the service."""
        events, _ = self.decide(aggregate, stream, command)
        return self._append(aggregate, stream, *self.decide(aggregate, stream, command)) if events else []

    def decide(
        self, aggregate: Aggregate[Any, Any, Any], stream: UUID, command: Any
    ) -> tuple[list[Any], tuple[Row, ...]]:
        state = self._stream(aggregate, stream).state
        facts = {need: self._find(need, stream) for need in aggregate.needs(state, command)}
        decided = aggregate.decide(state, command, self._given(stream, facts))
        return (list(decided.events), tuple(decided.rows)) if isinstance(decided, Decision) else (list(decided), ())

    def post(self, service: str, source: str, *samples: Any) -> list[Order]:
        """Measurements over HTTP: all are decided once before the first is appended."""
        body = through_json(Measurements(service=service, source=source, samples=samples))
        facts = {need: self._find(need, derived_id("none")) for need in needs(body, TENANT)}
        made = list(orders(body, self._given(derived_id("none"), facts)))
        assert len({order.key for order in made}) == len(made)
        for order in made:
            self.decide(order.aggregate, order.stream, order.command)
        for order in made:
            self.do(order.aggregate, order.stream, through_json(order.command))
        return made

    def until(self, at: str) -> None:
        """Business time runs on; everything that becomes due on the way is looked at, late by a moment."""
        end = datetime.fromisoformat(at)
        while due := self._next_due(end):
            moment, id, stream = due
            self.now = max(self.now, moment)
            self.do(stream.aggregate, id, Due())
            left = stream.aggregate.deadline(stream.state)
            assert left is None or left > self.now, "a deadline must not be left behind"
        self.now = end

    def sleep_until(self, at: str) -> None:
        """Business time runs on, and nobody looks."""
        self.now = datetime.fromisoformat(at)

    def period(self, sla: UUID, target: str, month: str) -> Period:
        return self._stream(periods, period_id(TENANT, sla, target, month)).state  # type: ignore[no-any-return]

    def events(self, sla: UUID, target: str, month: str) -> list[Any]:
        return self._stream(periods, period_id(TENANT, sla, target, month)).events

    def heard(self, kind: type[Any]) -> list[Any]:
        return [news.body for news in self.announced if isinstance(news.body, kind)]

    def in_force(self, *events: Any) -> UUID:
        """An agreement with this history."""
        id = derived_id("sla", len(self.streams))
        self._append(slas, id, list(events), ())
        return id

    def _next_due(self, end: datetime) -> tuple[datetime, UUID, Stream] | None:
        due = [(stream.aggregate.deadline(stream.state), id, stream) for id, stream in self.streams.items()]
        waiting = [(at, id, stream) for at, id, stream in due if at is not None and at <= end]
        return min(waiting, key=lambda each: (each[0], each[1]), default=None)

    def _append(
        self, aggregate: Aggregate[Any, Any, Any], id: UUID, events: list[Any], rows: tuple[Row, ...]
    ) -> list[Any]:
        stream = self.streams.setdefault(id, self._stream(aggregate, id))
        stream.rows += rows
        for event in map(through_json, events):
            stream.events.append(event)
            stream.state = through_json(aggregate.evolve(stream.state, event))
            stream.version += 1
            if (body := aggregate.announce(stream.state, event)) is not None:
                self._hear(
                    News(tenant=TENANT, service="sla", stream=id, event=id, at=self.now, body=through_json(body))
                )
        return events

    def _hear(self, news: News) -> None:
        self.announced.append(news)
        for feature in service.features:
            if isinstance(news.body, feature.hears) and feature.react:
                for reaction in feature.react(news):
                    self.do(reaction.aggregate, reaction.stream, through_json(reaction.command))

    def _stream(self, aggregate: Aggregate[Any, Any, Any], id: UUID) -> Stream:
        return self.streams.get(id) or Stream(aggregate, aggregate.initial)

    def _given(self, stream: UUID, facts: dict[Need[Any], Any]) -> Given:
        command = derived_id("command", stream, self.now)
        return Given(tenant=TENANT, stream=stream, command=command, at=self.now, by=Actor(person="p-ruiz"), facts=facts)

    def _find(self, need: Need[Any], stream: UUID) -> Any:
        match need:
            case RowsOf():
                return self.streams[stream].rows if stream in self.streams else ()
            case StateOf():
                found = self.streams.get(need.id)
                return Found(
                    id=need.id, version=found.version if found else 0, state=found.state if found else need.of()
                )
            case AllWhere():
                return tuple(self._all_where(need))
            case NextNumber():
                self.numbers += 1
                return self.numbers
        raise AssertionError(need)

    def _all_where(self, need: AllWhere[Any]) -> Iterable[Found[Any]]:
        for id, stream in self.streams.items():
            if isinstance(stream.state, need.of) and all(
                getattr(stream.state, key) == wanted for key, wanted in need.where
            ):
                yield Found(id=id, version=stream.version, state=stream.state)


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture(scope="session")
def new_world() -> type[World]:
    return World


@pytest.fixture(scope="session")
def agree() -> Callable[..., list[Any]]:
    """The history of an agreement in force since a day, with these targets and whatever else its terms say."""

    def history(*targets: Any, service: str = "SVC-ERP", customer: str = "halden-bank", **said: Any) -> list[Any]:
        since = said.setdefault("effective_from", date(2026, 1, 1))
        zone = said.setdefault("time_zone", "UTC")
        terms = Terms(
            parties=(Party(name="Meridian", role="provider"),),
            targets=targets,
            measurement=Measurement(source="monitor", method="every minute"),
            review_every_days=90,
            audience=("IT steering",),
            **said,
        )
        begin = start_of(since, zone)
        return [
            Drafted(number="SLA-1", service=service, customer=customer, terms=terms),
            Signed(version=1, side=Side.PROVIDER, person="p-ruiz", on=since - timedelta(days=10)),
            Signed(version=1, side=Side.CUSTOMER, person="p-halden", on=since - timedelta(days=9)),
            Agreed(version=1, applies_from=since, activates_at=begin, back_dated=False),
            Activated(version=1, at=begin),
        ]

    return history
