"""Rebuilding: everything that is derived, folded anew from the events, while others read and append.

What is right stays untouched. What was wrong may meanwhile have been the ground of a decision that is appended a moment
later; so once something was mended, everything is gone through again after the longest time that a command may take.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from events.kernel import Aggregate
from events.refolding import fold_anew, portions
from events.store.folds import FIRST, Became, Folds, Kept, Result

PAGE = 200
RETRIES = 20
PASSES = 5
LONGEST_COMMAND = 15.0
MOST_WAITING = 10_000
STUCK = (Became.CLAIMED, Became.NEWER, Became.FAILED, Became.MOVED)


@dataclass
class Tally:
    """What came of going over all streams."""

    streams: int = 0
    right: int = 0
    renewed: int = 0
    """Of an older shape before."""
    mended: int = 0
    """Missing, extra or wrong before."""
    left: list[Result] = field(default_factory=list)
    """Those that stay as they were, and why."""
    unsettled: int = 0
    """Wrong again at every pass: whoever appends to them works with another fold than this one."""
    unknown: set[str] = field(default_factory=set)
    """Kinds that this code does not know."""

    def note(self, aggregate: Aggregate[Any, Any, Any], result: Result) -> None:
        """Count one stream."""
        self.streams += 1
        if result.became in STUCK:
            self.left.append(result)
        elif result.became is Became.SAME:
            self.right += 1
        elif 0 < result.kept.shape < aggregate.shape:
            self.renewed += 1
        else:
            self.mended += 1


Progress = Callable[[str, int], None]
"""(kind, streams so far)"""


class Rebuild:
    """Of one service's database."""

    def __init__(
        self,
        folds: Folds,
        aggregates: Mapping[str, Aggregate[Any, Any, Any]],
        progress: Progress = lambda kind, streams: None,
        *,
        longest_command: float = LONGEST_COMMAND,
    ) -> None:
        """`aggregates` by kind; `longest_command`: seconds from a command's look at a row to its append."""
        self._folds = folds
        self._aggregates = aggregates
        self._progress = progress
        self._longest_command = longest_command

    async def run(self, kind: str | None = None) -> Tally:
        """Until a whole pass found nothing wrong; what all passes came to."""
        total = await self._pass(kind)
        passed = total
        passes = 1
        while passed.mended and passes < PASSES:
            await asyncio.sleep(self._longest_command)
            passed = await self._pass(kind)
            total.mended += passed.mended
            total.renewed += passed.renewed
            total.left = passed.left
            passes += 1
        total.unsettled = passed.mended
        return total

    async def _pass(self, only: str | None) -> Tally:
        tally, waiting = Tally(), list[Kept]()
        async for tenant, kind in kinds_in(self._folds):
            aggregate = self._aggregates.get(kind)
            if only not in (None, kind):
                continue
            if aggregate is None:
                tally.unknown.add(kind)
                continue
            async for page in streams_of(self._folds, tenant, kind):
                for portion in portions(page):
                    waiting += await self._portion(aggregate, portion, tally)
                    self._progress(kind, tally.streams + len(waiting))
        await self._once_more(waiting, tally)
        return tally

    async def _portion(self, aggregate: Aggregate[Any, Any, Any], portion: Sequence[Kept], tally: Tally) -> list[Kept]:
        """Those that wait for another stream to let go of what they claim."""
        waiting: list[Kept] = []
        for result in await self._moved_again(aggregate, await fold_anew(self._folds, aggregate, portion)):
            if result.became is Became.CLAIMED and len(waiting) < MOST_WAITING:
                waiting.append(result.kept)
            else:
                tally.note(aggregate, result)
        return waiting

    async def _moved_again(self, aggregate: Aggregate[Any, Any, Any], results: Sequence[Result]) -> list[Result]:
        """Where somebody was faster, look at what is there now, and fold that."""
        settled = []
        for result in results:
            tries = 0
            while result.became is Became.MOVED and tries < RETRIES:
                await asyncio.sleep(0.002 * tries)
                kept = await self._folds.one(result.kept.tenant, result.kept.kind, result.kept.stream)
                (result,) = await fold_anew(self._folds, aggregate, [kept])  # noqa: PLW2901
                tries += 1
            settled.append(result)
        return settled

    async def _once_more(self, waiting: list[Kept], tally: Tally) -> None:
        """Try those that waited as long as that gets some of them on; what is left then holds up itself."""
        while waiting:
            results = []
            for each in waiting:
                kept, aggregate = (
                    await self._folds.one(each.tenant, each.kind, each.stream),
                    self._aggregates[each.kind],
                )
                results += await self._moved_again(aggregate, await fold_anew(self._folds, aggregate, [kept]))
            held = [result for result in results if result.became is Became.CLAIMED]
            stuck = len(held) == len(waiting)
            for result in results:
                if stuck or result.became is not Became.CLAIMED:
                    tally.note(self._aggregates[result.kept.kind], result)
            waiting = [] if stuck else [result.kept for result in held]


async def kinds_in(folds: Folds) -> AsyncIterator[tuple[str, str]]:
    """(tenant, kind) of all that the database holds."""
    found = await folds.next_kind("", "")
    while found:
        yield found
        found = await folds.next_kind(*found)


async def streams_of(folds: Folds, tenant: str, kind: str) -> AsyncIterator[list[Kept]]:
    """The streams of a tenant and kind, page by page."""
    after = FIRST
    while page := await folds.all(tenant, kind, after, PAGE):
        yield page
        after = page[-1].stream
