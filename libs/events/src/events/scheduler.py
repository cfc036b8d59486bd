"""The scheduler: tells streams that their deadline has come, by business time, and never twice for one version."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from typing import TypeAlias
from uuid import UUID

import structlog

from events.handling import Handler
from events.refolder import Refolder
from events.store.port import DueStream, OutcomeUnknown, Store, Unavailable

log = structlog.get_logger(__name__)

AT_ONCE = 16
BATCH = 200
PATIENCE = 30.0
"""Seconds after which a deadline that cannot be told for now is said to be held up."""

StreamKey: TypeAlias = tuple[str, str, UUID]
"""(tenant, kind, stream)"""


class Scheduler:
    """One per process. Several replicas may run at once: a deadline's command id is the same for all of them."""

    def __init__(
        self,
        store: Store,
        handler: Handler,
        refolder: Refolder | None = None,
        *,
        every: float = 0.5,
        patience: float = PATIENCE,
    ) -> None:
        """`refolder`: folds a due row of an older shape anew before it is told; `every`: seconds between two looks."""
        self._store = store
        self._handler = handler
        self._refolder = refolder
        self._every = every
        self._patience = patience
        self._waits: dict[StreamKey, float] = {}
        """What could not be told for now at the last look, and since when."""
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

    @property
    def held_up(self) -> int:
        """How many deadlines could not be told for longer than is to be expected."""
        now = asyncio.get_running_loop().time()
        return sum(now - since >= self._patience for since in self._waits.values())

    async def look(self) -> int:
        """Handle everything that is due now; how many streams were due."""
        due, waits, now = 0, dict[StreamKey, float](), asyncio.get_running_loop().time()
        async for found in self._pages():
            for each in await self._tell_all(found):
                key = (each.tenant, each.kind, each.stream)
                waits[key] = self._waits.get(key, now)
            due += len(found)
            self._last_look = asyncio.get_running_loop().time()
        self._waits = waits
        self.parked = await self._store.parked_deadlines()
        self._last_look = asyncio.get_running_loop().time()
        return due

    async def _pages(self) -> AsyncIterator[list[DueStream]]:
        """Everything that is due, to the end: what cannot be told for now must not hold up what is due after it."""
        shapes = {kind: aggregate.shape for kind, aggregate in self._handler.aggregates.items()}
        last: DueStream | None = None
        while found := await self._store.due(BATCH, shapes, after=last):
            yield found
            last = found[-1]

    async def _tell_all(self, found: Sequence[DueStream]) -> list[DueStream]:
        """Those that cannot be told for now."""
        gate = asyncio.Semaphore(AT_ONCE)

        async def one(due: DueStream) -> bool:
            async with gate:
                return await self._tell(due)

        told = await asyncio.gather(*(one(due) for due in found))
        return [due for due, done in zip(found, told, strict=True) if not done]

    async def _run(self) -> None:
        while True:
            try:
                await self.look()
            except (Unavailable, OutcomeUnknown) as reason:
                log.warning("deadlines wait", reason=str(reason))
            except Exception:
                log.exception("scheduler failed")
            await asyncio.sleep(self._every)

    async def _tell(self, due: DueStream) -> bool:
        """Whether it is dealt with; False is looked at again in a moment."""
        try:
            if self._refolder and await self._refolder.renewed(due):
                return True  # by today's code it may be due at another time: the next look tells
            await self._handler.due(due)
        except (Unavailable, OutcomeUnknown):
            return False
        except Exception as bug:  # a refusal, too: nobody asked, so nobody would hear it
            log.error("deadline parked", kind=due.kind, stream=str(due.stream), reason=str(bug))
            await self._store.park_deadline(due, f"{type(bug).__name__}: {bug}")
        return True
