"""The scheduler: tells streams that their deadline has come, by business time, and never twice for one version."""

import asyncio
from contextlib import suppress

import structlog

from events.handling import DeadlineStuck, Handler
from events.kernel import Refused
from events.refolder import Refolder
from events.store.port import DueStream, OutcomeUnknown, Store, Unavailable

log = structlog.get_logger(__name__)

AT_ONCE = 16
BATCH = 200


class Scheduler:
    """One per process. Several replicas may run at once: a deadline's command id is the same for all of them."""

    def __init__(self, store: Store, handler: Handler, refolder: Refolder | None = None, *, every: float = 0.5) -> None:
        """`refolder`: folds a due row of an older shape anew before it is told; `every`: seconds between two looks."""
        self._store = store
        self._handler = handler
        self._refolder = refolder
        self._every = every
        self._task: asyncio.Task[None] | None = None
        self._last_look = 0.0
        self.parked = 0
        """Deadlines that do not move on, as of the last look."""

    def start(self) -> None:
        """Begin to look."""
        self._last_look = asyncio.get_running_loop().time()
        self._task = asyncio.create_task(self._run(), name="scheduler")

    async def stop(self) -> None:
        """End; what is due stays due."""
        if self._task:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    @property
    def silent_for(self) -> float:
        """Seconds since the last look that worked."""
        return asyncio.get_running_loop().time() - self._last_look

    async def look(self) -> int:
        """Handle everything that is due now; how many streams were due."""
        return len(await self._round())

    async def _round(self) -> list[bool]:
        """Whether each stream that was due is done with."""
        shapes = {kind: aggregate.shape for kind, aggregate in self._handler.aggregates.items()}
        found = await self._store.due(BATCH, shapes)
        gate = asyncio.Semaphore(AT_ONCE)

        async def one(due: DueStream) -> bool:
            async with gate:
                return await self._tell(due)

        told = await asyncio.gather(*(one(due) for due in found))
        self.parked = await self._store.parked_deadlines()
        return told

    async def _run(self) -> None:
        while True:
            try:
                told = await self._round()
                self._last_look = asyncio.get_running_loop().time()
            except (Unavailable, OutcomeUnknown) as reason:
                log.warning("deadlines wait", reason=str(reason))
                told = []
            except Exception:
                log.exception("scheduler failed")
                told = []
            await asyncio.sleep(0 if len(told) == BATCH and any(told) else self._every)

    async def _tell(self, due: DueStream) -> bool:
        try:
            if self._refolder and await self._refolder.renewed(due):
                return True  # by today's code it may be due at another time: the next look tells
            await self._handler.due(due)
        except (Unavailable, OutcomeUnknown):
            return False  # looked at again in a moment
        except (DeadlineStuck, Refused, Exception) as bug:
            log.error("deadline parked", kind=due.kind, stream=str(due.stream), reason=str(bug))
            await self._store.park_deadline(due, f"{type(bug).__name__}: {bug}")
        return True
