"""The refolder: folds rows of an older shape anew in the background, and says which lists are not complete before that.

One per process. A row that an older replica writes later is taken up, too. A row that cannot be folded anew, because
another stream holds what it now claims, say, stays as it is, is served as before, tried again from time to time, and
named to whoever watches.
"""

import asyncio
import os
import secrets
import socket
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import structlog

from events.kernel import Aggregate
from events.refolding import fold_anew, portions
from events.store.folds import Became, Folds, Kept, Result
from events.store.port import DueStream, OutcomeUnknown, Unavailable
from events.watch import Pulse, Watched, now

log = structlog.get_logger(__name__)

PAGE = 200
LEASE_SECONDS = 3.0
TRIED_AGAIN_AFTER = 30.0
NAMED = 3


@dataclass(frozen=True)
class Stuck:
    """Rows of a kind that could not be folded anew, when they were tried last; the first few in words."""

    rows: int
    tried_at: float
    why: tuple[str, ...]


@dataclass(frozen=True)
class Progress:
    """Of the rows that had an older shape when this process began, so many are left."""

    left: int
    of: int


@dataclass
class Pass:
    """What came of going over the rows of a kind, up to and with one of them."""

    after: Kept | None = None
    moved_on: int = 0
    stuck: int = 0
    why: tuple[str, ...] = ()

    def note(self, result: Result) -> None:
        """Count one row."""
        if result.became not in (Became.CLAIMED, Became.NEWER, Became.FAILED):
            self.moved_on += 1
            return
        self.stuck += 1
        if len(self.why) < NAMED:
            self.why = (*self.why, f"{result.kept.stream}: {result.why}")


class Refolder:
    """Any number of processes may have one; while one is at a kind, the others leave it alone to save work."""

    def __init__(
        self,
        folds: Folds,
        aggregates: Iterable[Aggregate[Any, Any, Any]],
        declarations: Mapping[str, str] | None = None,
        *,
        every: float = 1.0,
    ) -> None:
        """`declarations`: by which fields each kind can be listed; `every`: seconds between two looks."""
        self._folds = folds
        self._aggregates = {aggregate.kind: aggregate for aggregate in aggregates}
        self._declarations = dict(declarations or {})
        self._holder = f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}"
        self._every = every
        self._pulse = Pulse("refold")
        self._watched = Watched(self._pulse, self._run)
        self._stopping = asyncio.Event()
        self._passes: dict[str, Pass] = {}
        self._stuck: dict[str, Stuck] = {}
        self._incomplete: dict[str, Progress] | None = None
        self.older: Mapping[str, int] = {}
        """How many rows of each kind are of an older shape, as of the last look."""

    async def start(self) -> None:
        """Find out which lists are complete, and begin; also while the database is down."""
        with suppress(Unavailable, OutcomeUnknown):
            await self._compare()
        self._watched.start()

    async def stop(self) -> None:
        """Finish what is in hand."""
        self._stopping.set()
        await self._watched.stop(within=5.0)

    def incomplete(self, kind: str) -> str | None:
        """Why streams of this kind cannot all be found by their fields yet, if so."""
        if kind not in self._declarations:
            return None
        if self._incomplete is None:
            return f"it is not known yet whether all {kind} rows can be listed"
        progress = self._incomplete.get(kind)
        if progress is None:
            return None
        return f"{kind} rows are being folded anew for their lists: {progress.left} of {progress.of} are left"

    def unready(self) -> list[str]:
        """What keeps this process from serving complete lists."""
        if self._incomplete is None:
            return ["it is not known yet whether the lists are complete"]
        return [reason for kind in self._incomplete if (reason := self.incomplete(kind))]

    @property
    def stuck(self) -> int:
        """How many rows cannot be folded anew."""
        return sum(stuck.rows for stuck in self._stuck.values())

    def complaints(self) -> list[str]:
        """What somebody must see to, in words."""
        return [
            *self._watched.complaints(),
            *(
                f"{stuck.rows} {kind} rows of an older shape cannot be folded anew: {'; '.join(stuck.why)}"
                for kind, stuck in self._stuck.items()
            ),
        ]

    async def renewed(self, due: DueStream) -> bool:
        """Whether the row whose deadline has come was of an older shape, and is folded anew or gone now."""
        aggregate = self._aggregates[due.kind]
        if due.shape >= aggregate.shape:
            return False
        kept = await self._folds.one(due.tenant, due.kind, due.stream)
        if kept.shape >= aggregate.shape:
            return True
        (result,) = await fold_anew(self._folds, aggregate, [kept])
        return result.became in (Became.FOLDED, Became.SAME, Became.MOVED, Became.REMOVED)

    async def look(self) -> bool:
        """Fold anew a page of each kind that has rows of an older shape now; whether there is more to do at once.

        A kind goes to the end of the queue before its turn: one that is never done, or always fails, holds up no other.
        """
        if self._incomplete is None:
            await self._compare()
        self.older = await self._folds.count_older(
            {kind: aggregate.shape for kind, aggregate in self._aggregates.items()}
        )
        more = False
        for kind in list(self._aggregates):
            self._aggregates[kind] = aggregate = self._aggregates.pop(kind)
            self._count_down(kind, self.older[kind])
            if self._worth_trying(kind, self.older[kind]):
                more |= await self._kind(aggregate)
            elif self.older[kind] == 0:
                await self._done(kind, None)
        return more

    async def _compare(self) -> None:
        """Which kinds are listed by other fields than their rows were folded for?"""
        folded_for = await self._folds.declarations()
        changed = {kind for kind, fields in self._declarations.items() if folded_for.get(kind) != fields}
        older = await self._folds.count_older({kind: self._aggregates[kind].shape for kind in changed})
        self._incomplete = {kind: Progress(older[kind], older[kind]) for kind in sorted(changed)}
        for kind in changed:
            if older[kind] == 0:
                await self._done(kind, None)

    def _count_down(self, kind: str, left: int) -> None:
        if self._incomplete and kind in self._incomplete:
            self._incomplete[kind] = Progress(left, max(left, self._incomplete[kind].of))

    async def _done(self, kind: str, stuck: Stuck | None) -> None:
        """Every row of this kind is folded anew, or stuck."""
        self._stuck.pop(kind, None)
        if stuck:
            self._stuck[kind] = stuck
        if self._incomplete and kind in self._incomplete:
            await self._folds.declare(kind, self._aggregates[kind].shape, self._declarations[kind])
            del self._incomplete[kind]

    def _worth_trying(self, kind: str, rows: int) -> bool:
        if rows == 0 or kind in self._passes:
            return kind in self._passes
        stuck = self._stuck.get(kind)
        return stuck is None or rows > stuck.rows or now() - stuck.tried_at > TRIED_AGAIN_AFTER

    async def _kind(self, aggregate: Aggregate[Any, Any, Any]) -> bool:
        """Go on with the pass over the rows of a kind; whether there is more to do for it at once."""
        kind, passed = aggregate.kind, self._passes.pop(aggregate.kind, None) or Pass()
        if not await self._folds.lease(self._lease(kind), self._holder, LEASE_SECONDS):
            return False
        if await self._page(aggregate, passed):
            self._passes[kind] = passed
            return True
        await self._release(kind)
        if passed.moved_on:
            log.info("folded_anew", kind=kind, shape=aggregate.shape, rows=passed.moved_on)
        if passed.stuck and passed.moved_on:
            return True  # those that moved on may have let go of what the stuck ones claim
        await self._done(kind, Stuck(passed.stuck, now(), passed.why) if passed.stuck else None)
        return False

    async def _page(self, aggregate: Aggregate[Any, Any, Any], passed: Pass) -> bool:
        """Fold the next rows anew; whether others may come behind them."""
        page = await self._folds.older(aggregate.kind, aggregate.shape, passed.after, PAGE)
        for portion in portions(page):
            began = now()
            for result in await fold_anew(self._folds, aggregate, portion):
                passed.note(result)
            self._pulse.moved()
            await self._rest(max(0.01, now() - began))  # half of the time belongs to those who are served
        passed.after = page[-1] if page else None
        return len(page) == PAGE

    def _lease(self, kind: str) -> str:
        return f"refold {kind} {self._aggregates[kind].shape}"

    async def _release(self, kind: str) -> None:
        with suppress(Unavailable, OutcomeUnknown):
            await self._folds.release(self._lease(kind), self._holder)

    async def _run(self) -> None:
        more = False
        while not self._stopping.is_set():
            self._pulse.beat()
            try:
                more = await self.look()
                self._pulse.trouble = ""
            except (Unavailable, OutcomeUnknown) as trouble:
                self._pulse.trouble, more = str(trouble), False
            await self._rest(0 if more else self._every)
        for kind in self._passes:
            await self._release(kind)

    async def _rest(self, seconds: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._stopping.wait()
