"""Places in the real code where a test may kill, stop or break the process on purpose.

`CLOSELOOP_FAILPOINT=<window>:<action>:<hit>` (action kill9, stop or raise; hit: on which passing, from 1) is refused
unless `CLOSELOOP_ENV=test`. The windows are named in docs/architecture.md; `W9` is each of `W9-lease`, `W9-waiting` and
`W9-refold`.
"""

import os
import signal
from dataclasses import dataclass
from functools import cache

SIGNALS = {"kill9": signal.SIGKILL, "stop": signal.SIGSTOP}
"""That the process sends to itself; stopped, it hangs until somebody sends SIGCONT."""


class FailpointHit(Exception):
    """A test asked this place to fail."""


@dataclass
class Failpoint:
    """One armed place; counts how often it is passed."""

    window: str
    action: str
    hit: int
    passed: int = 0


@cache
def armed() -> Failpoint | None:
    """The failpoint of this process, read once from the environment."""
    setting = os.environ.get("CLOSELOOP_FAILPOINT", "")
    if not setting:
        return None
    if os.environ.get("CLOSELOOP_ENV") != "test":
        raise SystemExit("CLOSELOOP_FAILPOINT is for tests only: set CLOSELOOP_ENV=test, or unset it.")
    window, action, hit = setting.split(":")
    if action not in (*SIGNALS, "raise"):
        raise SystemExit(f"CLOSELOOP_FAILPOINT: {action} is neither kill9, nor stop, nor raise.")
    return Failpoint(window, action, int(hit))


async def failpoint(window: str) -> None:
    """Pass this place; the armed one fails at its hit."""
    point = armed()
    if point is None or point.window not in (window, window.partition("-")[0]):
        return
    point.passed += 1
    if point.passed != point.hit:
        return
    if point.action not in SIGNALS:
        raise FailpointHit(window)
    os.kill(os.getpid(), SIGNALS[point.action])
