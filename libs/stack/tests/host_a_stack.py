"""Runs a stack until it is ended from outside, after printing the process ids of its children."""

import signal
import sys
import time
from pathlib import Path

from stack.cluster import Stack

STAND_IN = Path(__file__).parent / "stand_in.py"

if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    program = lambda service: [sys.executable, str(STAND_IN), service]  # noqa: E731
    with Stack(Path(sys.argv[1]), durable=False, services=["audit", "sla"], program=program) as stack:
        print(*(child.pid for child in stack.children), flush=True)
        time.sleep(60)
