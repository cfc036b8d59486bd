"""Folding anew: what is kept of streams is replaced by what follows from their events by today's code.

What was read is folded outside of any transaction and put in place only where version and shape are still those that
were read, so any number of processes may do it side by side, and nobody who reads or appends has to wait for long.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from typing import Any
from uuid import UUID

import structlog

from events.folding import Fold, Folding, WrittenByNewer
from events.kernel import Aggregate
from events.store.folds import Became, Folds, Kept, Result
from events.store.port import StoredEvent, Unstorable

log = structlog.get_logger(__name__)

AT_ONCE = 32
"""Streams in one statement: it holds the lock on `head` for a few milliseconds."""
EVENTS_AT_ONCE = 500


async def fold_anew(folds: Folds, aggregate: Aggregate[Any, Any, Any], streams: Sequence[Kept]) -> list[Result]:
    """Fold streams of one kind by today's code and put the folds in place; what became of each."""
    results: list[Result] = []
    for portion in portions(streams):
        ready: list[tuple[Kept, Fold]] = []
        async for kept, folding in _foldings(folds, aggregate, portion):
            if isinstance(folding, Result):
                results.append(folding)
            else:
                ready.append((kept, folding))
        results += await _put(folds, ready)
    return results


def portions(streams: Iterable[Kept]) -> Iterator[list[Kept]]:
    """As many streams at once as do not take long; a long one stands alone."""
    portion: list[Kept] = []
    events = 0
    for each in streams:
        if portion and (len(portion) == AT_ONCE or events + each.events > EVENTS_AT_ONCE):
            yield portion
            portion, events = [], 0
        portion.append(each)
        events += each.events
    if portion:
        yield portion


async def _foldings(
    folds: Folds, aggregate: Aggregate[Any, Any, Any], portion: Sequence[Kept]
) -> AsyncIterator[tuple[Kept, Fold | Result]]:
    """Each stream with its fold, or with the reason why it has none."""
    told: dict[tuple[str, UUID], list[StoredEvent]] = {}
    for event in await folds.histories(aggregate.kind, portion, 0, EVENTS_AT_ONCE):
        told.setdefault((event.tenant, event.stream), []).append(event)
    for kept in portion:
        folding, events = Folding(aggregate), told.get((kept.tenant, kept.stream), [])
        while (failed := _added(folding, events, kept)) is None and len(events) == EVENTS_AT_ONCE:
            events = await folds.histories(aggregate.kind, [kept], folding.version, EVENTS_AT_ONCE)
        yield kept, failed or folding.fold()
        await asyncio.sleep(0)  # whoever is served by this process comes first


def _added(folding: Folding, events: Iterable[StoredEvent], kept: Kept) -> Result | None:
    """Fold further events; what keeps this code from it."""
    try:
        for event in events:
            folding.add(event)
    except WrittenByNewer as reason:
        return Result(kept, Became.NEWER, str(reason))
    except Exception as bug:
        log.exception("refold_failed", kind=kept.kind, stream=str(kept.stream))
        return Result(kept, Became.FAILED, f"{type(bug).__name__}: {bug}")
    return None


async def _put(folds: Folds, ready: Sequence[tuple[Kept, Fold]]) -> list[Result]:
    """Put folds in place; one that the database refuses stands alone in the end and holds up no other."""
    if not ready:
        return []
    try:
        return await folds.put(ready)
    except Unstorable as refusal:
        if len(ready) == 1:
            return [Result(ready[0][0], Became.FAILED, refusal.detail)]
        middle = len(ready) // 2
        return [*await _put(folds, ready[:middle]), *await _put(folds, ready[middle:])]
