"""No silent stop: every task has a pulse, and what has stopped, hangs or struggles says so."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import structlog

log = structlog.get_logger(__name__)

STUCK_AFTER = 12.0
RESTART_AFTER = 1.0


def now() -> float:
    """Seconds by the clock of the event loop, which a simulation may wind."""
    return asyncio.get_running_loop().time()


@dataclass
class Pulse:
    """The life of one task. It beats at every step and at every wait; no wait may be longer than `STUCK_AFTER`."""

    name: str
    last: float = 0.0
    progress: float = 0.0
    trouble: str = ""
    """What hinders it now; empty while all is well."""

    def beat(self) -> None:
        """Still here."""
        self.last = now()

    def moved(self) -> None:
        """Something was done."""
        self.last = self.progress = now()

    def complaints(self) -> list[str]:
        """What is wrong with this task, in words."""
        found = [f"{self.name}: {self.trouble}"] if self.trouble else []
        silent = now() - self.last
        return [*found, f"{self.name} has made no step for {silent:.0f} s"] if silent > STUCK_AFTER else found


@dataclass
class Watched:
    """A task that is begun again when it fails."""

    pulse: Pulse
    run: Callable[[], Awaitable[None]]
    task: "asyncio.Task[None] | None" = None
    stopping: bool = False

    def start(self) -> None:
        """Begin."""
        self.pulse.moved()
        self.task = asyncio.create_task(self._keep_running(), name=self.pulse.name)

    async def stop(self, within: float) -> None:
        """Wait until it has ended by itself, and no longer than this."""
        self.stopping = True
        if self.task and not self.task.done():
            await asyncio.wait([self.task], timeout=within)
            self.task.cancel()
            await asyncio.wait([self.task], timeout=1)

    def complaints(self) -> list[str]:
        """What is wrong, in words."""
        if self.task and self.task.done() and not self.stopping:
            return [f"{self.pulse.name} has stopped"]
        return self.pulse.complaints()

    async def _keep_running(self) -> None:
        while not self.stopping:
            self.pulse.beat()
            try:
                await self.run()
                return
            except asyncio.CancelledError as error:
                if self.task and self.task.cancelling():
                    raise
                await self._begin_again(error)  # not ours: a client that closes cancels what waits for its answers
            except Exception as error:
                await self._begin_again(error)

    async def _begin_again(self, error: BaseException) -> None:
        log.error("task_failed", task=self.pulse.name, exc_info=error)
        self.pulse.trouble = f"failed, beginning again: {error!r}"
        await asyncio.sleep(RESTART_AFTER)
