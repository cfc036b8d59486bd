"""A toy aggregate for the tests of the machinery: a jar that things are put into."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID

from events.kernel import (
    Aggregate,
    Decision,
    Due,
    Given,
    News,
    NextNumber,
    Reaction,
    Refused,
    Row,
    RowsOf,
    StateOf,
    Vouched,
    derived_id,
    event,
    public,
    value,
)
from events.words import Instant, Key, Line


@value
class Put:
    things: int
    limit: int | None = None


@value
class Nothing:
    pass


@value
class Label:
    """Claims the label."""

    label: Key


@value
class Wind:
    """Sets a deadline; when it comes, the jar rings (and, if broken, forgets to move the deadline on)."""

    rings: tuple[Instant, ...]
    broken: bool = False


@value
class Weigh:
    """Brings side rows; together the jar's weights must not exceed the limit without being noticed."""

    source: Key
    weights: tuple[tuple[Key, int], ...]
    limit: int = 1000


@value
class Count:
    """Needs a number and the state of another jar."""

    other: UUID


@event("jar-put")
class WasPut:
    things: int


@event("jar-labelled")
class Labelled:
    label: Key


@event("jar-wound")
class Wound:
    rings: tuple[Instant, ...]
    broken: bool


@event("jar-rang")
class Rang:
    due: Instant


@event("jar-weighed")
class Weighed:
    count: int
    total: int


@event("jar-overweight")
class Overweight:
    total: int


@event("jar-counted")
class Counted:
    number: int
    other: int


@public("toy", "jar", "jar-filled")
class Filled:
    """Only even fillings are announced, so that versions and public versions differ."""

    things: int
    label: Line | None


@value
class Jar:
    things: int = 0
    label: Key | None = None
    rings: tuple[Instant, ...] = ()
    broken: bool = False
    rang: tuple[Instant, ...] = ()
    weight: int = 0
    overweight: bool = False
    number: int = 0


WEIGHTS = RowsOf("weight")


def needs(_: Jar, command: Any) -> Sequence[Any]:
    match command:
        case Weigh():
            return [WEIGHTS]
        case Count(other=other):
            return [NextNumber("JAR", first=101), StateOf(Jar, other)]
    return []


def decide(jar: Jar, command: Any, given: Given) -> Sequence[Any] | Decision[Any]:
    match command:
        case Nothing():
            return []
        case Put(things=things, limit=limit):
            if limit is not None and jar.things + things > limit:
                raise Refused("the jar is full", rule="T-01", limit=limit)
            return [WasPut(things=things)]
        case Label(label=label):
            return [] if jar.label == label else [Labelled(label=label)]
        case Wind(rings=rings, broken=broken):
            return [Wound(rings=rings, broken=broken)]
        case Due():
            return [Rang(due=ring) for ring in sorted(jar.rings) if ring <= given.at]
        case Count(other=other):
            return [Counted(number=given[NextNumber("JAR", first=101)], other=given[StateOf(Jar, other)].state.things)]
        case Weigh():
            return _weigh(jar, command, given)
    raise AssertionError(command)


def _weigh(jar: Jar, command: Weigh, given: Given) -> Decision[Any]:
    known = {(row.source, row.id): row.body for row in given[WEIGHTS]}
    rows = [
        Row(table="weight", source=command.source, id=id, body=str(weight))
        for id, weight in command.weights
        if known.get((command.source, id)) != str(weight)
    ]
    if not rows:
        return Decision([])
    total = jar.weight + sum(int(row.body) for row in rows)
    events: list[Any] = [Weighed(count=len(rows), total=total)]
    if total > command.limit and not jar.overweight:
        events.append(Overweight(total=total))
    return Decision(events, rows)


def evolve(jar: Jar, event: Any) -> Jar:
    match event:
        case WasPut(things=things):
            return replace(jar, things=jar.things + things)
        case Labelled(label=label):
            return replace(jar, label=label)
        case Wound(rings=rings, broken=broken):
            return replace(jar, rings=rings, broken=broken)
        case Rang(due=due):
            rings = jar.rings if jar.broken else tuple(ring for ring in jar.rings if ring > due)
            return replace(jar, rang=(*jar.rang, due), rings=rings)
        case Weighed(total=total):
            return replace(jar, weight=total)
        case Overweight():
            return replace(jar, overweight=True)
        case Counted(number=number):
            return replace(jar, number=number)
    raise AssertionError(event)


def deadline(jar: Jar) -> datetime | None:
    return min(jar.rings, default=None)


def claims(jar: Jar) -> Sequence[str]:
    return [f"label:{jar.label}"] if jar.label else []


def announce(jar: Jar, event: Any) -> Filled | None:
    match event:
        case WasPut(things=things) if things % 2 == 0:
            return Filled(things=jar.things, label=jar.label)
    return None


def vouches(event: Any) -> Vouched | None:
    return Vouched(rows=event.count, sha256=None) if isinstance(event, Weighed) else None


jars: Aggregate[Jar, Any, Any] = Aggregate(
    kind="jar",
    initial=Jar(),
    decide=decide,
    evolve=evolve,
    events=(WasPut, Labelled, Wound, Rang, Weighed, Overweight, Counted),
    needs=needs,
    deadline=deadline,
    claims=claims,
    announce=announce,
    vouches=vouches,
)


def react(news: News) -> Sequence[Reaction]:
    """Every filling is mirrored in another jar of the same tenant."""
    mirror = derived_id("mirror", news.tenant, news.stream)
    return [Reaction(rule="mirror", aggregate=jars, stream=mirror, command=Put(things=1))]
