"""The scheduler: tells streams that their deadline has come, by business time, and never twice for one version."""

import asyncio
from contextlib import suppress

import structlog

from events.handling import DeadlineStuck, Handler
from events.kernel import Refused
from events.store.port import DueStream, OutcomeUnknown, Store, Unavailable

log = structlog.get_logger(__name__)

AT_ONCE = 16
BATCH = 200


class Scheduler:
    """One per process. Several replicas may run at once: a deadline's command id is the same for all of them."""

    def __init__(self, store: Store, handler: Handler, *, every: float = 0.5) -> None:
        """`every`: seconds between two looks."""
        self._store = store
        self._handler = handler
        self._every = every
        self._task: asyncio.Task[None] | None = None
        self._last_look = 0.0
        self.parked = 0
        """Deadlines parked by this process since it started."""

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
        found = [due for due in await self._store.due(BATCH) if due.kind in self._handler.aggregates]
        gate = asyncio.Semaphore(AT_ONCE)

        async def one(due: DueStream) -> None:
            async with gate:
                await self._tell(due)

        await asyncio.gather(*(one(due) for due in found))
        return len(found)

    async def _run(self) -> None:
        while True:
            try:
                found = await self.look()
                self._last_look = asyncio.get_running_loop().time()
            except (Unavailable, OutcomeUnknown) as reason:
                log.warning("deadlines wait", reason=str(reason))
                found = 0
            except Exception:
                log.exception("scheduler failed")
                found = 0
            await asyncio.sleep(0 if found == BATCH else self._every)

    async def _tell(self, due: DueStream) -> None:
        try:
            await self._handler.due(due)
        except (Unavailable, OutcomeUnknown):
            return  # looked at again in a moment
        except (DeadlineStuck, Refused, Exception) as bug:
            log.error("deadline parked", kind=due.kind, stream=str(due.stream), reason=str(bug))
            await self._store.park_deadline(due, f"{type(bug).__name__}: {bug}")
            self.parked += 1
