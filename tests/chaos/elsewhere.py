"""What only the code that wrote it can judge: books and reactions, checked by a process that runs on that code.

python elsewhere.py < {"urls": {...}, "positions": {...}, "forgiven": [...]}     prints the verdict, as JSON
"""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))

from books import check_books
from reactions import check_reactions
from rows import read
from verdict import Verdict

PATIENCE = 120


def check_elsewhere(
    python_path: str, urls: Mapping[str, str], positions: Mapping[str, int], forgiven: Collection[str]
) -> Verdict:
    """As `check_books` and `check_reactions` do, but by the sources in this path."""
    asked = json.dumps({"urls": dict(urls), "positions": dict(positions), "forgiven": sorted(forgiven)})
    done = subprocess.run(
        [sys.executable, "-P", __file__],
        input=asked,
        env={**os.environ, "PYTHONPATH": python_path},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(done.stderr)
    return Verdict(**json.loads(done.stdout))


async def _check(asked: Mapping[str, Any]) -> Verdict:
    verdict = Verdict()
    rows = {name: await read(name, url, asked["positions"][name]) for name, url in asked["urls"].items()}
    for each in rows.values():
        check_books(each, verdict)
    check_reactions(rows, verdict, asked["forgiven"])
    return verdict


if __name__ == "__main__":
    print(json.dumps(vars(asyncio.run(_check(json.load(sys.stdin))))))
