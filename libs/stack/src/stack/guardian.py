"""The process that outlives its maker by a moment: when the pipe to it closes, it stops whatever was left running.

One pipe works alike on Linux and macOS, and whichever thread started the child; PR_SET_PDEATHSIG does neither.
Each line is `+ PID SIGNAL` or `- PID`. Standard library only: with `python -I -S` it starts in milliseconds.
"""

import contextlib
import os
import signal
import sys
import time

PATIENCE_SECONDS = 30.0


def read_wards() -> dict[int, int]:
    """Follow the pipe until its other end is gone: the process ids still running, each with the signal it stops by."""
    wards: dict[int, int] = {}
    for line in sys.stdin:
        sign, pid, *how = line.split()
        if sign == "+":
            wards[int(pid)] = int(how[0])
        else:
            wards.pop(int(pid), None)
    return wards


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def stop(wards: dict[int, int]) -> None:
    for pid, how in reversed(wards.items()):
        with contextlib.suppress(OSError):
            os.kill(pid, how)
    give_up_at = time.monotonic() + PATIENCE_SECONDS
    while any(map(is_alive, wards)) and time.monotonic() < give_up_at:
        time.sleep(0.05)
    for pid in filter(is_alive, wards):
        with contextlib.suppress(OSError):
            os.killpg(pid, signal.SIGKILL)


if __name__ == "__main__":
    for ignored in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(ignored, signal.SIG_IGN)
    stop(read_wards())
