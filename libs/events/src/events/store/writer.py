"""Group commit: one task gathers every command that waits and appends them in one call, one flush.

A waiter that goes away withdraws nothing; every waiter that stays gets an answer by its deadline.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import structlog

from events.failpoints import failpoint
from events.store.port import Answer, Append, OutcomeUnknown, Store, Together, Unavailable, Unstorable

log = structlog.get_logger(__name__)

ROWS_AT_ONCE = 4000
"""A batch takes up no more commands once it has so many side rows: it must be done well within `statement_timeout`."""
TROUBLE_LASTS = 5.0
"""Seconds for which a failure is remembered: whoever still has something to write has tried again by then."""


@dataclass
class Waiting:
    """A command in the queue, or several that belong together, and the one who waits for the answer."""

    append: Append | Together
    until: float
    answer: "asyncio.Future[Answer]" = field(default_factory=lambda: asyncio.get_running_loop().create_future())
    sent: bool = False
    """Once sent, only an answer can say that it was not done."""

    @property
    def commands(self) -> int:
        return len(self.append.appends) if isinstance(self.append, Together) else 1


class Writer:
    """The one writer of a process."""

    def __init__(self, store: Store, *, patience: float = 5.0, queue: int = 1024, batch: int = 128) -> None:
        """`patience` in seconds per command; more than `queue` waiting commands are turned away."""
        self._store = store
        self._patience = patience
        self._limit = queue
        self._batch = batch
        self._queue: deque[Waiting] = deque()
        self._filled = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self.stopped = False
        self._trouble, self._trouble_until = "", 0.0
        self.after: Callable[[], None] = lambda: None
        """Called when a batch is on disk: whoever waits for new facts need not poll for them."""

    def start(self) -> None:
        """Begin to write."""
        self._task = asyncio.create_task(self._run(), name="writer")
        self._task.add_done_callback(self._revive)

    async def stop(self) -> None:
        """Write what waits, then end."""
        self.stopped = True
        self._filled.set()
        if self._task:
            with suppress(asyncio.CancelledError):
                await self._task

    @property
    def alive(self) -> bool:
        """Whether commands can be written."""
        return self._task is not None and not self._task.done()

    @property
    def waiting(self) -> int:
        """How many commands wait."""
        return len(self._queue)

    @property
    def trouble(self) -> str:
        """Why commands could not be written a moment ago; empty as soon as one was."""
        return self._trouble if asyncio.get_running_loop().time() < self._trouble_until else ""

    async def append(self, append: Append | Together) -> Answer:
        """The answer of the store. Raises Unavailable (not done) or OutcomeUnknown (may be done)."""
        if self.stopped or not self.alive:
            raise Unavailable("this process is shutting down")
        if len(self._queue) >= self._limit:
            raise Unavailable("too many commands wait; try again shortly")
        waiting = Waiting(append, asyncio.get_running_loop().time() + self._patience)
        self._queue.append(waiting)
        self._filled.set()
        try:
            return await asyncio.wait_for(asyncio.shield(waiting.answer), self._patience)
        except TimeoutError:
            raise OutcomeUnknown("the database did not answer in time") from None

    async def _run(self) -> None:
        while self._queue or not self.stopped:
            await self._filled.wait()
            self._filled.clear()
            while batch := self._gather():
                await self._write(batch)

    def _revive(self, ended: "asyncio.Task[None]") -> None:
        """A writer that dies of a bug begins again; the commands that it had in hand are answered by their deadline."""
        if self.stopped or ended.cancelled():
            return
        log.error("writer died and begins again", exc_info=ended.exception())
        self._note(f"the writer died and begins again: {ended.exception()!r}")
        self._filled.set()
        self.start()

    def _gather(self) -> list[Waiting]:
        batch: list[Waiting] = []
        commands = rows = 0
        while self._queue and commands < self._batch and rows < ROWS_AT_ONCE:
            batch.append(self._queue.popleft())
            commands += batch[-1].commands
            rows += len(batch[-1].append.rows)
        return batch

    async def _write(self, batch: list[Waiting]) -> None:
        """Write a batch until each of its commands has an answer. Never raises."""
        pause = 0.02
        while batch := self._still_in_time(batch):
            try:
                await self._send(batch)
                return
            except Unstorable as culprit:
                await self._halve(batch, culprit)
                return
            except Unavailable as reason:
                self._note(str(reason))
                # The statement was undone as a whole, unless an earlier try of it was lost on the way.
                self._fail(batch, lambda each, why=reason: OutcomeUnknown(str(why)) if each.sent else why)
                return
            except OutcomeUnknown as reason:
                self._note(str(reason))
                for each in batch:
                    each.sent = True
                await asyncio.sleep(pause)
                pause = min(pause * 2, 0.5)
            except Exception as bug:
                log.exception("writer failed", commands=len(batch))
                self._note(f"the writer failed: {bug!r}")
                self._fail(batch, lambda _: OutcomeUnknown("the writer failed"))
                return

    async def _send(self, batch: Sequence[Waiting]) -> None:
        await failpoint("W1")
        answers = await self._store.append([each.append for each in batch])
        self._trouble = ""
        self.after()
        await failpoint("W2")
        for each, answer in zip(batch, answers, strict=True):
            _settle(each, answer)

    async def _halve(self, batch: list[Waiting], culprit: Unstorable) -> None:
        if len(batch) == 1:
            _settle(batch[0], culprit)
            return
        middle = len(batch) // 2
        await self._write(batch[:middle])
        await self._write(batch[middle:])

    def _note(self, trouble: str) -> None:
        self._trouble, self._trouble_until = trouble, asyncio.get_running_loop().time() + TROUBLE_LASTS

    def _still_in_time(self, batch: list[Waiting]) -> list[Waiting]:
        now = asyncio.get_running_loop().time()
        late = [each for each in batch if each.until <= now]
        self._fail(late, lambda each: (OutcomeUnknown if each.sent else Unavailable)("the database did not answer"))
        return [each for each in batch if each.until > now]

    def _fail(self, batch: Sequence[Waiting], why: Any) -> None:
        for each in batch:
            _settle(each, why(each))


def _settle(waiting: Waiting, answer: Answer | Exception) -> None:
    if waiting.answer.done():
        return
    if isinstance(answer, Exception):
        waiting.answer.set_exception(answer)
        waiting.answer.exception()  # a waiter that hung up must not leave "never retrieved" in the log
    else:
        waiting.answer.set_result(answer)
