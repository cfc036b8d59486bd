"""An event loop whose clock is wound by the simulation: nothing sleeps, and a seed decides which of all that is ready
goes first. Whatever runs in a life ends with it: at whatever await it stands, it takes no further step.
"""

import asyncio
import heapq
from collections.abc import Callable
from contextlib import suppress
from contextvars import Context, ContextVar
from dataclasses import dataclass, field
from itertools import count
from random import Random
from typing import Any, TypeVarTuple

Ts = TypeVarTuple("Ts")


MOST_STEPS = 500_000
"""Of one run; most need less than ten thousand."""


class Stuck(Exception):
    """Everybody waits, and nothing will ever happen."""


class TimeIsUp(Exception):
    """More virtual time has passed, or more was done in it, than the simulation was given."""


@dataclass(eq=False)
class Life:
    """What a simulated process runs in; its tasks, and the tasks of its tasks, belong to it."""

    name: str
    over: bool = False
    frozen: bool = False
    held: list["Step"] = field(default_factory=list)
    """Steps whose turn came while it was frozen."""
    tasks: list["asyncio.Task[Any]"] = field(default_factory=list)

    def end(self) -> None:
        """As a kill -9 does: no further step, no clean-up, no last word."""
        self.over = True


LIFE: ContextVar[Life | None] = ContextVar("life", default=None)


class Step(asyncio.TimerHandle):
    """One callback that waits for its turn, or its time."""

    __slots__ = ("life",)

    def __init__(
        self,
        when: float,
        callback: Callable[..., object],
        args: tuple[Any, ...],
        loop: asyncio.AbstractEventLoop,
        context: Context | None,
    ) -> None:
        super().__init__(when, callback, args, loop, context)
        self.life: Life | None = LIFE.get() if context is None else context.get(LIFE)


class SimulatedLoop(asyncio.AbstractEventLoop):
    """One thread, one seed, one history."""

    def __init__(self, chance: Random, *, until: float = 3600.0) -> None:
        """`chance` orders what is ready; after `until` virtual seconds the run has failed."""
        self._chance = chance
        self._until = until
        self._now = 0.0
        self._ready: list[Step] = []
        self._timers: list[tuple[float, int, Step]] = []
        self._number = count()
        self._running = self._stopping = False
        self.steps = 0
        """How many callbacks have run."""
        self.mishaps: list[dict[str, Any]] = []
        """What nobody else wanted to know of: exceptions in callbacks and in tasks that nobody awaits."""

    # --- time and turns -----------------------------------------------------------------------------------------------

    def time(self) -> float:
        return self._now

    def call_soon(
        self, callback: Callable[[*Ts], object], *args: *Ts, context: Context | None = None
    ) -> asyncio.Handle:
        step = Step(self._now, callback, args, self, context)
        self._ready.append(step)
        return step

    def call_later(
        self,
        delay: float,
        callback: Callable[[*Ts], object],
        *args: *Ts,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        return self.call_at(self._now + delay, callback, *args, context=context)

    def call_at(
        self,
        when: float,
        callback: Callable[[*Ts], object],
        *args: *Ts,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        step = Step(when, callback, args, self, context)
        heapq.heappush(self._timers, (when, next(self._number), step))
        return step

    def run_until_complete(self, future: Any) -> Any:
        main: asyncio.Future[Any] = asyncio.ensure_future(future, loop=self)
        main.add_done_callback(lambda _: self.stop())
        self.run_forever()
        return main.result()

    def run_forever(self) -> None:
        self._running, self._stopping = True, False
        asyncio._set_running_loop(self)  # noqa: SLF001 - what every loop must do
        try:
            while not self._stopping:
                self._turn()
        finally:
            asyncio._set_running_loop(None)  # noqa: SLF001
            self._running = False

    def _turn(self) -> None:
        ready = self._ready
        if not ready:
            self._wind_on()
        last = len(ready) - 1
        chosen = int(self._chance.random() * (last + 1)) if last > 0 else 0
        ready[chosen], ready[last] = ready[last], ready[chosen]
        step = ready.pop()
        if step.life and step.life.frozen:
            step.life.held.append(step)
        elif not step.cancelled() and not (step.life and step.life.over):
            self._count()
            step._run()  # noqa: SLF001

    def _count(self) -> None:
        self.steps += 1
        if self.steps > MOST_STEPS:
            raise TimeIsUp(f"{MOST_STEPS} steps and no end: somebody runs in circles")

    def _wind_on(self) -> None:
        """To the next moment at which something is to happen."""
        while self._timers and self._timers[0][2].cancelled():
            heapq.heappop(self._timers)
        if not self._timers:
            raise Stuck("everybody waits for somebody else")
        self._now = max(self._now, self._timers[0][0])
        if self._now > self._until:
            raise TimeIsUp(f"not at rest after {self._until:.0f} virtual seconds")
        while self._timers and self._timers[0][0] <= self._now:
            self._ready.append(heapq.heappop(self._timers)[2])

    # --- futures, tasks and lives -------------------------------------------------------------------------------------

    def create_future(self) -> "asyncio.Future[Any]":
        return asyncio.Future(loop=self)

    def create_task(
        self, coro: Any, *, name: object = None, context: Context | None = None, **more: Any
    ) -> "asyncio.Task[Any]":
        task: asyncio.Task[Any] = asyncio.Task(
            coro, loop=self, name=str(name or f"task {next(self._number)}"), context=context, **more
        )
        life = LIFE.get() if context is None else context.get(LIFE)
        if life:
            life.tasks.append(task)
        return task

    def thaw(self, life: Life) -> None:
        """As SIGCONT does: it goes on as if nothing had happened, but it is later now."""
        life.frozen = False
        self._ready += life.held
        life.held.clear()

    def bury(self, life: Life) -> None:
        """Let go of what a life has left behind; when the world is no longer looked at, for `finally` clauses run."""
        for task in life.tasks:
            task._log_destroy_pending = False  # type: ignore[attr-defined]  # noqa: SLF001
            _close(task)
        life.tasks.clear()

    # --- what asyncio asks of a loop ----------------------------------------------------------------------------------

    def stop(self) -> None:
        self._stopping = True

    def is_running(self) -> bool:
        return self._running

    def is_closed(self) -> bool:
        return False

    def close(self) -> None:
        self._ready.clear()
        self._timers.clear()

    def get_debug(self) -> bool:
        return False

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        self.mishaps.append(context)

    def _timer_handle_cancelled(self, _: asyncio.TimerHandle) -> None:
        """Left where it is; it is passed over when its time comes."""


def _close(task: "asyncio.Task[Any]") -> None:
    """Through every `finally` that awaits something: left for the garbage collector, it would run in another world."""
    coroutine: Any = task.get_coro()
    for _ in range(20):
        with suppress(Exception):
            coroutine.close()
            return
