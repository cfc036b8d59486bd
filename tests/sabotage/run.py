"""Breaks each promise on purpose, one line at a time, and expects the test of that promise to notice.

`promises.toml` holds the rows. Each row is applied to a copy of the sources, never to this folder. Every named test
must pass on the untouched copy and fail on the broken one.

    python tests/sabotage/run.py            all rows
    python tests/sabotage/run.py --short    the rows that every build runs
    python tests/sabotage/run.py WORD       the rows with this word in sentence or test
    python tests/sabotage/run.py --render   docs/promises.md, to stdout
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from queue import Queue

from stack.copies import Change, Copy

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
PATIENCE = 120.0
PATIENCE_FOR_ALL = 900.0
AT_ONCE = 2


@dataclass(frozen=True, kw_only=True)
class Promise(Change):
    """A sentence of the design, the test that shows it, and one line that breaks it."""

    sentence: str
    section: str
    test: str
    short: bool = False


class Workshop(Copy):
    """A copy with its tests, in which one line is broken after the other."""

    def test(self, *tests: str, seconds: float = PATIENCE) -> tuple[bool, str]:
        """(passed, what pytest said). A run in which nothing failed and nothing passed is an error."""
        environment = {**os.environ, **self.environment, "PYTHONDONTWRITEBYTECODE": "1"}
        command = [sys.executable, "-m", "pytest", "-qx", "-p", "no:cacheprovider", "-p", "no:schemathesis", *tests]
        ran = subprocess.run(
            command, cwd=self.folder, env=environment, capture_output=True, text=True, timeout=seconds, check=False
        )
        if ran.returncode not in (0, 1) or (ran.returncode == 1 and not re.search(r"\d+ failed", ran.stdout)):
            raise RuntimeError((ran.stdout + ran.stderr)[-2000:])
        return ran.returncode == 0, ran.stdout

    @contextmanager
    def with_sabotage(self, promise: Promise) -> Iterator[None]:
        """The sources with one line broken."""
        path = self.folder / promise.file
        whole = path.read_text()
        path.write_text(promise.made_in(whole))
        try:
            yield
        finally:
            path.write_text(whole)


def read() -> tuple[dict[str, str], list[Promise]]:
    """The texts around the table, and its rows."""
    told = tomllib.loads((HERE / "promises.toml").read_text())
    return told["page"], [Promise(**row) for row in told["promise"]]


def sources() -> list[str]:
    """What git knows, or would take in."""
    listed = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    return subprocess.run(listed, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()


def workshop(folder: Path) -> Workshop:
    """A copy of everything as it is now."""
    for name in sources():
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    return Workshop(folder)


def render(page: dict[str, str], promises: Sequence[Promise]) -> str:
    """docs/promises.md."""
    rows = [
        f"| {p.section} | {p.sentence} | {_linked(p.test)} | `{Path(p.file).name}`: {_code(p.old)} → {_code(p.new)} |"
        for p in promises
    ]
    table = ["| Design | Promise | Test | One line that breaks it |", "|---|---|---|---|", *rows]
    return "\n".join([page["before"].strip(), "", *table, "", page["after"].strip(), ""])


def _linked(test: str) -> str:
    file, *names = test.split("::")
    return f"[{names[-1].removeprefix('test_').replace('_', ' ')}](../{file})"


def _code(text: str) -> str:
    """Only the words that matter would be nicer, but a table that is rendered cannot lie."""
    line = " ".join(text.split()).replace("|", "\\|")
    return f"`` {line} ``" if line else "nothing"


def run(promises: Sequence[Promise]) -> int:
    """Break each promise in turn; the number of those that nobody noticed."""
    started, unnoticed = time.monotonic(), 0
    with tempfile.TemporaryDirectory(prefix="closeloop-sabotage-") as folder:
        copies: Queue[Workshop] = Queue()
        for number in range(AT_ONCE):
            copies.put(workshop(Path(folder) / str(number)))
        if not _all_hold(copies.queue[0], promises):
            return len(promises)

        def check(promise: Promise) -> str:
            copy = copies.get()
            try:
                with copy.with_sabotage(promise):
                    passed, _ = copy.test(promise.test)
                return "NOT NOTICED" if passed else "noticed"
            except (RuntimeError, ValueError, subprocess.TimeoutExpired) as error:
                return f"ERROR {error}"
            finally:
                copies.put(copy)

        with ThreadPoolExecutor(AT_ONCE) as pool:
            for number, (promise, verdict) in enumerate(zip(promises, pool.map(check, promises), strict=True), 1):
                unnoticed += verdict != "noticed"
                print(f"{number:3} of {len(promises)}  {verdict:8}  {promise.sentence}", flush=True)
    noticed = len(promises) - unnoticed
    print(f"{noticed} of {len(promises)} sabotages noticed, in {time.monotonic() - started:.0f} s")
    return unnoticed


def _all_hold(copy: Workshop, promises: Sequence[Promise]) -> bool:
    tests = sorted({promise.test for promise in promises})
    print(f"{len(tests)} tests on the untouched sources ...", flush=True)
    passed, said = copy.test("-n", str(AT_ONCE), *tests, seconds=PATIENCE_FOR_ALL)
    if not passed:
        print(said)
    return passed


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("word", nargs="?", default="")
    parser.add_argument("--short", action="store_true")
    parser.add_argument("--render", action="store_true")
    asked = parser.parse_args()
    page, promises = read()
    if asked.render:
        print(render(page, promises), end="")
        return 0
    chosen = [p for p in promises if asked.word in p.sentence + p.test and (p.short or not asked.short)]
    return 1 if run(chosen) else 0


if __name__ == "__main__":
    sys.exit(main())
