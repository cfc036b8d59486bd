"""Child processes that are started, waited for and stopped in good order, and that never outlive us."""

import asyncio
import contextlib
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Coroutine, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cache
from itertools import chain, cycle, islice
from pathlib import Path
from signal import SIGKILL, SIGTERM, Signals
from typing import Any, TypeVar

from stack import guardian

Answer = TypeVar("Answer")
LOOPBACK = "127.0.0.1"
# Which signal, and how many seconds it may take before the next one; a service finishes what it began within 25.
StopSignals = tuple[tuple[Signals, float], ...]
POLITELY: StopSignals = ((SIGTERM, 30.0), (SIGKILL, 5.0))

FIRST_DELAY, LONGEST_DELAY, FORGIVEN_AFTER_SECONDS = 0.5, 2.0, 60.0
"""The longest wait is short: a server that could not start on a full disk is back soon after there is room again."""

# Below the ports that systems lend to outgoing connections: one of those could take a port between choice and use.
LOWEST_PORT, SLICES, SLICE = 20000, 120, 100


class StackError(Exception):
    """Something on this machine is not as it must be; the message names the cure."""


@dataclass(frozen=True)
class Account:
    """The user that a child runs as: another than ours, only when we are root and the child refuses to be."""

    user: int
    group: int


@dataclass
class Child:
    """One process, with its log in a file; it may be started again after it has ended."""

    name: str
    command: Sequence[str]
    log: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    account: Account | None = None
    stop_by: StopSignals = POLITELY
    keep_open: tuple[int, ...] = ()
    complaint: Callable[[], str] = lambda: ""
    """What is wrong with it that only a new start mends; empty while nothing is."""
    process: subprocess.Popen[bytes] | None = None
    wanted: bool = field(default=False, init=False)
    started_at: float = field(default=0.0, init=False)
    _guarded: bool = field(default=False, init=False)

    @property
    def pid(self) -> int:
        if self.process is None:
            raise StackError(f"{self.name} was never started")
        return self.process.pid

    @property
    def running(self) -> bool:
        return self.process is not None and self.exit_code is None

    @property
    def exit_code(self) -> int | None:
        code = None if self.process is None else self.process.poll()
        if code is not None and self._guarded:
            # From here on the system may give the number to a stranger, whom nobody may kill for us.
            self._guarded = False
            _tell_guardian(f"- {self.pid}")
        return code

    @property
    def seconds_up(self) -> float:
        return time.monotonic() - self.started_at

    def start(self) -> None:
        self.wanted = True
        if self.running:
            return
        self.log.parent.mkdir(parents=True, exist_ok=True)
        # A session of its own, so that Ctrl-C in the terminal reaches us alone and we stop the children in order.
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**inherited_environment(), **self.environment},
                start_new_session=True,
                pass_fds=self.keep_open,
                **as_account(self.account),
            )
        self.started_at = time.monotonic()
        self._guarded = True
        _tell_guardian(f"+ {self.pid} {self.stop_by[0][0].value}")

    def wait_until(self, ready: Callable[[], bool], seconds: float) -> None:
        """Return as soon as `ready()`; a child that ends before, or takes too long, is an error that quotes its log."""
        give_up_at = time.monotonic() + seconds
        while True:
            running = self.running  # before looking: it may end, and well, in between
            if ready():
                return
            if not running:
                raise StackError(f"{self.name} ended with code {self.exit_code}.\n{self.last_words()}")
            if time.monotonic() > give_up_at:
                raise StackError(f"{self.name} was not ready after {seconds:.0f} s.\n{self.last_words()}")
            time.sleep(0.02)

    def wait_for_success(self, seconds: float) -> None:
        self.wait_until(lambda: self.exit_code == 0, seconds)

    def stop(self) -> None:
        """Ask in turn with each signal of `stop_by` until the process has ended."""
        self.wanted = False
        for how, seconds in self.stop_by:
            if not self.running:
                break
            self.signal(how)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._require_process().wait(seconds)
        self._require_ended()

    def kill(self) -> None:
        """End it as a power cut would: no time to say goodbye."""
        self.wanted = False
        self.signal(SIGKILL)
        self._require_process().wait(10)
        self._require_ended()

    def signal(self, how: Signals) -> None:
        if not self.running:
            return
        with contextlib.suppress(ProcessLookupError):
            if how == SIGKILL:
                os.killpg(self.pid, how)
            else:
                os.kill(self.pid, how)

    def last_words(self, lines: int = 15) -> str:
        tail = self.log.read_text(errors="replace").splitlines()[-lines:] if self.log.exists() else []
        return "\n".join([f"Last lines of {self.log}:", *(f"  {line}" for line in tail)])

    def _require_ended(self) -> None:
        if self.running:
            raise StackError(f"{self.name} (process {self.pid}) does not end, not even when it is killed.")

    def _require_process(self) -> subprocess.Popen[bytes]:
        assert self.process is not None, f"{self.name} was never started"
        return self.process


def stop_together(children: Iterable[Child]) -> None:
    with ThreadPoolExecutor(max_workers=8) as threads:
        list(threads.map(Child.stop, children))


class Supervisor:
    """Starts again, each time more patiently, whatever ended without being told to, or cannot mend itself."""

    def __init__(self, children: Sequence[Child], say: Callable[[str], None]) -> None:
        self._children = children
        self._tell = say
        self._delays: dict[str, float] = {}
        self._due: dict[str, float] = {}

    def watch(self) -> None:
        """Until interrupted."""
        while True:
            self.look()
            time.sleep(0.25)

    def look(self) -> None:
        """Once around."""
        for child in self._children:
            if child.wanted and not child.running:
                self._revive(child)
            elif child.wanted and (complaint := child.complaint()):
                self._say(f"{child.name}: {complaint}; starting it again")
                child.stop()
                self._start(child)

    def _revive(self, child: Child) -> None:
        if child.name not in self._due:
            # One that ran well for a minute is forgiven its earlier deaths.
            fresh = child.seconds_up > FORGIVEN_AFTER_SECONDS
            delay = FIRST_DELAY if fresh else self._delays.get(child.name, FIRST_DELAY)
            self._delays[child.name] = min(delay * 2, LONGEST_DELAY)
            self._due[child.name] = time.monotonic() + delay
            ending = f"{child.name} ended with code {child.exit_code}"
            self._say(f"{ending}; starting it again in {delay:g} s. Log: {child.log}")
        elif time.monotonic() >= self._due[child.name]:
            del self._due[child.name]
            self._start(child)

    def _start(self, child: Child) -> None:
        try:
            child.start()
        except OSError as error:  # no memory, no space: it is tried again like one that has ended
            self._say(f"{child.name} cannot be started: {error}")

    def _say(self, what: str) -> None:
        with contextlib.suppress(OSError):  # nobody reads it, or there is no space for it
            self._tell(what)


def inherited_environment() -> dict[str, str]:
    """Our environment without the variables by which somebody's own PostgreSQL would be found instead of ours."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PG")}


def free_port(preferred: int = 0) -> int:
    """The preferred port if nobody has it, else one that is free, and that no other process of ours hands out now."""
    for port in chain([preferred] if preferred else [], islice(_our_ports(), SLICE)):
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((LOOPBACK, port))
            return port
    raise StackError("No free port on 127.0.0.1: is the loopback interface up?")


@cache
def _our_ports() -> Iterator[int]:
    """Round and round through a slice of this process's own: two test runs side by side never choose the same.

    Neither one that nobody listens on: that may be a server's which is just being started again.
    """
    guard, first = _slice()
    with guard:  # held until the iterator is thrown away: with this process
        yield from cycle(range(first + 1, first + SLICE))


def _slice() -> tuple[socket.socket, int]:
    """The first slice that no other process has. It belongs to whoever holds its first port, the guard."""
    for number in range(os.getpid(), os.getpid() + SLICES):
        first = LOWEST_PORT + number % SLICES * SLICE
        guard = socket.socket()
        try:
            guard.bind((LOOPBACK, first))
        except OSError:
            guard.close()
        else:
            return guard, first
    raise StackError("No free port on 127.0.0.1: is the loopback interface up?")


def run_now(work: Coroutine[Any, Any, Answer]) -> Answer:
    """Run a coroutine to its end, also when the caller already runs inside an event loop."""
    with ThreadPoolExecutor(max_workers=1) as thread:
        return thread.submit(asyncio.run, work).result()


def as_account(account: Account | None) -> dict[str, Any]:
    """The arguments by which `subprocess` starts a child as that user."""
    return {} if account is None else {"user": account.user, "group": account.group, "extra_groups": []}


@cache
def _guardian() -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-I", "-S", guardian.__file__], stdin=subprocess.PIPE, bufsize=0, start_new_session=True
    )


def _tell_guardian(line: str) -> None:
    pipe = _guardian().stdin
    assert pipe is not None
    pipe.write(f"{line}\n".encode())
