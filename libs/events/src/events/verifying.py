"""Verification: what is derived is compared with what follows from the events, and nothing is changed.

It works stream by stream and page by page, beside a running service, and holds one page at a time.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256
from typing import Any
from uuid import UUID

from events.folding import Fold, Folding, WrittenByNewer
from events.kernel import Aggregate, Vouched
from events.rebuilding import kinds_in, streams_of
from events.refolding import portions
from events.store.database import Database
from events.store.folds import FIRST, Folds, Kept
from events.store.port import StoredEvent
from events.store.snapshot import Derived, Outcome, Snapshot, snapshot

POSITIONS_AT_ONCE = 10_000
COMMANDS_AT_ONCE = 2_000
NAMED_POSITIONS = 100


@dataclass(frozen=True, slots=True)
class Difference:
    """Something that is not as it follows from the events."""

    where: str
    what: str

    def __str__(self) -> str:
        return f"{self.where}: {self.what}"


@dataclass
class Findings:
    """What was compared, and what could not be."""

    streams: int = 0
    events: int = 0
    commands: int = 0
    older: int = 0
    """Rows of an older shape: they are folded anew before anybody reads them."""
    newer: int = 0
    """Streams that newer code has written: this code cannot tell what they mean."""
    unknown: set[str] = field(default_factory=set)
    """Kinds that this code does not know."""
    differences: int = 0


class Verification:
    """Of one service's database. Every difference is told as soon as it is found."""

    def __init__(
        self,
        database: Database,
        aggregates: Mapping[str, Aggregate[Any, Any, Any]],
        tell: Callable[[Difference], None],
        progress: Callable[[Findings], None] = lambda findings: None,
    ) -> None:
        """`aggregates` by kind."""
        self._database = database
        self._folds = Folds(database)
        self._aggregates = aggregates
        self._tell = tell
        self._progress = progress
        self._findings = Findings()

    async def run(self) -> Findings:
        """Compare everything."""
        await self._positions()
        async for tenant, kind in kinds_in(self._folds):
            if kind not in self._aggregates:
                self._findings.unknown.add(kind)
                continue
            async for page in streams_of(self._folds, tenant, kind):
                for portion in portions(page):
                    await self._portion(self._aggregates[kind], portion)
                    self._progress(self._findings)
        await self._commands()
        return self._findings

    def _differs(self, where: str, what: str) -> None:
        self._findings.differences += 1
        self._tell(Difference(where, what))

    async def _positions(self) -> None:
        """Positions are dense from 1 to the head, and recorded time never goes back."""
        after, head = 0, 1
        while after < head:
            async with snapshot(self._database) as moment:
                until = after + POSITIONS_AT_ONCE
                part = await moment.log(after, until)
                head, self._findings.events = part.head, self._findings.events + part.events
                if part.events < min(until, head) - after:
                    for position in await moment.missing(after, min(until, head), NAMED_POSITIONS):
                        self._differs("the log", f"there is no event at position {position}")
                if part.turned_back:
                    self._differs("the log", f"recorded time goes back between positions {after + 1} and {until}")
                if part.last > part.head:
                    self._differs("the log", f"the head says {part.head}, but there is an event at {part.last}")
            after = until

    async def _portion(self, aggregate: Aggregate[Any, Any, Any], portion: Sequence[Kept]) -> None:
        tenant, streams = portion[0].tenant, [each.stream for each in portion]
        async with snapshot(self._database) as moment:
            kept = await moment.derived(tenant, aggregate.kind, streams)
            histories = {stream: History(aggregate) for stream in streams}
            async for event in moment.events(tenant, aggregate.kind, streams):
                histories[event.stream].add(event)
            folds = await _as_kept(moment, histories)
            evidence = {stream: Evidence(history.vouched) for stream, history in histories.items()}
            async for stream, position, body in moment.side_rows(tenant, aggregate.kind, streams):
                evidence[stream].add(position, body)
        for stream, history in histories.items():
            self._count(kept[stream], history)
            found = [*history.faults, *differing(kept[stream], history, folds[stream])]
            if history.foldable:
                found += evidence[stream].faults()
            for what in found:
                self._differs(f"{tenant} {aggregate.kind} {stream}", what)

    def _count(self, kept: Derived, history: "History") -> None:
        shape = history.aggregate.shape
        self._findings.streams += 1
        self._findings.newer += history.newer or kept.shape > shape
        self._findings.older += kept.version > 0 and kept.shape < shape

    async def _commands(self) -> None:
        """Every record of a command names a version that is there."""
        tenant, after = "", FIRST
        while True:
            async with snapshot(self._database) as moment:
                page = await moment.outcomes(tenant, after, COMMANDS_AT_ONCE)
            for each in page:
                if what := _misdirected(each):
                    self._differs(f"{each.tenant} command {each.id}", what)
            self._findings.commands += len(page)
            if len(page) < COMMANDS_AT_ONCE:
                return
            tenant, after = page[-1].tenant, page[-1].id


class History:
    """The events of one stream: folded, and checked for being one history."""

    def __init__(self, aggregate: Aggregate[Any, Any, Any]) -> None:
        """Of a stream of this kind."""
        self.aggregate = aggregate
        self.faults: list[str] = []
        self.newer = False
        """Newer code has written it."""
        self.vouched: list[tuple[int, Vouched]] = []
        """At which position how many side rows were vouched for."""
        self.version = self.public_version = self.position = 0
        self._folding = Folding(aggregate)

    @property
    def foldable(self) -> bool:
        """Whether a fold follows from it."""
        return not self.faults and not self.newer

    def add(self, event: StoredEvent) -> None:
        """The next one."""
        if event.version != self.version + 1:
            self.faults.append(f"event {event.version} follows event {self.version}")
        if event.position <= self.position:
            self.faults.append(f"event {event.version} was recorded before event {self.version}")
        announced = None if event.public_body is None else self.public_version + 1
        if event.public_version != announced:
            self.faults.append(f"event {event.version} has public version {event.public_version}, not {announced}")
        self.version, self.position = event.version, event.position
        self.public_version = event.public_version or self.public_version
        if self.foldable:
            self._fold(event)

    def fold(self) -> Fold | None:
        """What follows; None where nothing can."""
        if not self.foldable:
            return None
        try:
            return self._folding.fold()
        except Exception as bug:
            self.faults.append(f"its fold cannot be kept: {type(bug).__name__}: {bug}")
            return None

    def _fold(self, event: StoredEvent) -> None:
        try:
            happened = self._folding.add(event)
        except WrittenByNewer:
            self.newer = True
        except Exception as bug:
            self.faults.append(f"event {event.version} cannot be folded: {type(bug).__name__}: {bug}")
        else:
            if vouched := self.aggregate.vouches(happened):
                self.vouched.append((event.position, vouched))


class Evidence:
    """The side rows of one stream, beside what its events vouch for."""

    def __init__(self, vouched: Sequence[tuple[int, Vouched]]) -> None:
        """Each event vouches for the rows that came with it: those after the event before, up to its own position."""
        self._vouched = vouched
        self._rows = [0] * (len(vouched) + 1)
        self._hashes = [sha256() for _ in vouched]
        self._at = 0

    def add(self, position: int, body: str) -> None:
        """The next row."""
        while self._at < len(self._vouched) and position > self._vouched[self._at][0]:
            self._at += 1
        if self._at < len(self._vouched):
            self._hashes[self._at].update((("\n" if self._rows[self._at] else "") + body).encode())
        self._rows[self._at] += 1

    def faults(self) -> list[str]:
        """Where rows and events do not agree."""
        found = [f"{self._rows[-1]} side rows are vouched for by no event"] if self._rows[-1] else []
        for (position, vouched), rows, hashed in zip(self._vouched, self._rows, self._hashes, strict=False):
            if rows != vouched.rows:
                found.append(f"the event at position {position} vouches for {vouched.rows} side rows, there are {rows}")
            elif vouched.sha256 not in (None, hashed.hexdigest()):
                found.append(f"the side rows of the event at position {position} are not those that it vouches for")
        return found


def differing(kept: Derived, history: History, fold: Fold | None) -> list[str]:
    """What of that which is kept does not follow from the history."""
    if history.version == 0:
        what = [name for name, there in (("a row", kept.version), ("claims", kept.claims)) if there]
        return [f"there is {' and '.join(what)}, but no event"] if what else []
    if kept.version == 0:
        return ["there are events, but no row"]
    found = []
    if kept.version != history.version:
        found.append(f"the row is at version {kept.version}, the events at {history.version}")
    if kept.public_version != history.public_version:
        found.append(f"the row is at public version {kept.public_version}, the events at {history.public_version}")
    if fold is None or kept.shape != history.aggregate.shape:
        return found  # folded anew before it is read, or left to newer code
    if kept.state != fold.state:
        found.append(f"the state differs in {', '.join(_fields(kept.state, fold.state))}")
    if kept.deadline != fold.deadline:
        found.append(f"the deadline is {kept.deadline}, and should be {fold.deadline}")
    if kept.claims != fold.claims:
        found.append(f"it claims {list(kept.claims)}, and should claim {list(fold.claims)}")
    return found


def _fields(one: str, other: str) -> list[str]:
    """The fields in which two states differ; all, where only the way of writing does."""
    left, right = json.loads(one), json.loads(other)
    if not isinstance(left, dict) or left == right:
        return ["its bytes"]
    return sorted(name for name in {*left, *right} if left.get(name, ...) != right.get(name, ...))


async def _as_kept(moment: Snapshot, histories: Mapping[UUID, History]) -> dict[UUID, Fold | None]:
    """The folds, with their states in the database's own writing."""
    folds = {stream: history.fold() for stream, history in histories.items()}
    there = {stream: fold for stream, fold in folds.items() if fold}
    texts = await moment.as_kept([fold.state for fold in there.values()])
    written = {s: replace(fold, state=text) for (s, fold), text in zip(there.items(), texts, strict=True)}
    return {**folds, **written}


def _misdirected(outcome: Outcome) -> str | None:
    if outcome.version and outcome.at is None:
        return f"it names version {outcome.version} of {outcome.kind} {outcome.stream}, which is not there"
    if (outcome.at or 0) > outcome.position or outcome.position > outcome.head:
        return f"it names position {outcome.position}, its version is at {outcome.at} and the head at {outcome.head}"
    return None
