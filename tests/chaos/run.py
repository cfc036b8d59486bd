"""Breaks everything that can break, under load, and checks from outside that every promise is kept.

    ./closeloop chaos                 the long set
    ./closeloop chaos --short         the set for a build
    ./closeloop chaos --kind WORD     kinds with this word in their name (may be repeated)
    ./closeloop chaos --list          what there is
    ./closeloop chaos --planted       plants defects in copies of the sources, and expects each to be caught

Exit code 0: every kind had its number of hits, and every promise was kept. 1: not so. 3: what ran kept its promises,
but something cannot be tried on this machine.
"""

import argparse
import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from random import SystemRandom
from typing import Any, NoReturn

sys.path.insert(0, str(Path(__file__).resolve().parent))

import planted
from kinds import Kind, all_kinds
from results import results_alone
from rounds import Ring, Round, Sum, batches

COLUMNS = ("rounds", "hits", "acknowledged", "lost", "duplicated", "phantom", "recovery_s", "ready_s", "seconds")
BATCH = 40
SHORT_BATCH = 6
"""Rounds on one stack: it fills, and what is checked in the end is all that is in it."""
SHORT_PATIENCE = 3.0
"""A machine that builds does other things at the same time: there, that it recovers is what counts."""
ELSEWHERE: list[subprocess.Popen[str]] = []
"""Processes that fight for us."""


def main() -> int:
    parser = _parser()
    asked = parser.parse_args()
    if asked.planted:
        return planted.run(asked.kind, short=asked.short, seed=asked.seed, jobs=asked.jobs)
    for word in asked.kind:
        if not any(word in kind.name for kind in all_kinds()):
            parser.error(f"no kind has {word} in its name; --list shows them")
    kinds = [kind for kind in all_kinds() if _is_meant(kind, asked) and _hits(kind, asked)]
    if asked.list:
        return _list(kinds)
    if not kinds:
        wanted = ", ".join(asked.kind) or "all kinds"
        parser.error(f"nothing is left to try of {wanted}; --list shows how many rounds each has, and with --short")
    for each in (signal.SIGTERM, signal.SIGINT):
        signal.signal(each, _interrupt)
    if not asked.exactly:
        _say(f"seed {asked.seed}, {len(kinds)} kinds, {sum(_hits(kind, asked) for kind in kinds)} rounds")
    started = time.monotonic()
    asked.results = results_alone() if asked.json else None
    sums = list(_all(kinds, asked))
    if not asked.exactly:
        _conclude(sums, asked, time.monotonic() - started)
    return _exit_code(sums)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="./closeloop chaos", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--short", action="store_true", help="the set for a build")
    parser.add_argument("--json", action="store_true", help="one object per kind and line")
    parser.add_argument("--seed", default=str(SystemRandom().randrange(1, 10**6)), help="plays a run again")
    parser.add_argument("--kind", action="append", default=[], metavar="WORD", help="kinds with this word in the name")
    parser.add_argument("--without", action="append", default=[], metavar="WORD", help="but not kinds with this word")
    parser.add_argument("--rounds", type=int, metavar="N", help="hits of each kind, instead of its own number")
    parser.add_argument("--jobs", type=int, default=1, metavar="N", help="stacks side by side")
    parser.add_argument("--list", action="store_true", help="show the kinds, and do nothing")
    parser.add_argument("--exactly", action="append", default=[], help=argparse.SUPPRESS)
    parser.add_argument("--planted", action="store_true", help="see whether planted defects are caught")
    return parser


def _interrupt(*_: object) -> NoReturn:
    for each in ELSEWHERE:
        each.terminate()
    raise KeyboardInterrupt


def _is_meant(kind: Kind, asked: argparse.Namespace) -> bool:
    if asked.exactly:
        return kind.name in asked.exactly
    if any(word in kind.name for word in asked.without):
        _say(f"{kind.name} is left out, as asked")
        return False
    return not asked.kind or any(word in kind.name for word in asked.kind)


def _hits(kind: Kind, asked: argparse.Namespace) -> int:
    usual = kind.short if asked.short else kind.rounds
    return usual if asked.rounds is None else min(usual, 1) * asked.rounds


def _list(kinds: Iterable[Kind]) -> int:
    for kind in kinds:
        print(f"{kind.name:30} {kind.rounds:3} {kind.short:2}  {kind.says}")
    return 0


# --- running ----------------------------------------------------------------------------------------------------------


def _all(kinds: Sequence[Kind], asked: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """The sum of each kind as soon as there is one."""
    parts = batches(kinds, lambda kind: _hits(kind, asked), SHORT_BATCH if asked.short else BATCH)
    if asked.jobs == 1:
        yield from (found for part in parts for found in _here(part, asked))
        return
    with ThreadPoolExecutor(asked.jobs) as threads:
        try:
            for found in threads.map(lambda part: list(_elsewhere(part, asked)), parts):
                yield from found
        except BaseException:  # told to end: no further part begins
            threads.shutdown(cancel_futures=True)
            raise


def _here(kinds: Sequence[Kind], asked: argparse.Namespace) -> Iterator[dict[str, Any]]:
    ring = Ring(asked.seed, patience=SHORT_PATIENCE if asked.short else 1.0)
    try:
        for kind in kinds:
            found = _verdict(ring.rounds_of(kind, _hits(kind, asked), _tell))
            _tell_sum(found, asked)
            yield found
    finally:
        ring.leave()


def _elsewhere(kinds: Sequence[Kind], asked: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """In a process of its own: two loads and two checkers in one would wait for each other."""
    command = [sys.executable, __file__, "--json", "--seed", asked.seed, *(["--short"] if asked.short else [])]
    command += [] if asked.rounds is None else ["--rounds", str(asked.rounds)]
    command += [word for kind in kinds for word in ("--exactly", kind.name)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        ELSEWHERE.append(process)
        missing = {kind.name: kind for kind in kinds}
        for line in process.stdout:
            found = json.loads(line)
            del missing[found["kind"]]
            _tell_sum(found, asked)
            yield found
    ELSEWHERE.remove(process)
    for kind in missing.values():
        died = Sum(kind.name, _hits(kind, asked), broken=[f"the process of its rounds ended with {process.returncode}"])
        yield _verdict(died)


def _verdict(total: Sum) -> dict[str, Any]:
    return {**total.as_json(), "passed": total.passed}


# --- telling ----------------------------------------------------------------------------------------------------------


def _say(line: str) -> None:
    """Beside what is printed for programs."""
    print(line, file=sys.stderr, flush=True)


def _tell(came: Round) -> None:
    what = "BROKEN" if came.failed else f"missed: {came.missed}" if came.missed else "kept"
    took = f"ready {came.ready_s:4.1f} s  quiet {came.quiet_s:4.1f} s  in {came.seconds:4.1f} s"
    _say(f"{came.kind:30} {came.number:3}  {took}  {what}")
    for sentence in list(came.verdict.sentences())[:10]:
        _say(f"    {sentence[:1500]}")


def _tell_sum(found: dict[str, Any], asked: argparse.Namespace) -> None:
    if asked.results:
        asked.results.write(json.dumps(found) + "\n")  # at once: stacks side by side tell at the same time
        asked.results.flush()


def _conclude(sums: Sequence[dict[str, Any]], asked: argparse.Namespace, seconds: float) -> None:
    lines = [("kind", *COLUMNS, "")]
    for each in sums:
        how = (
            "kept"
            if each["passed"]
            else f"cannot be tried here: {each['impossible']}"
            if "impossible" in each
            else "BROKEN"
        )
        lines.append((each["kind"], *(str(each[name]) for name in COLUMNS), how))
    widths = [max(len(line[number]) for line in lines) for number in range(len(COLUMNS) + 1)]
    for name, *figures, how in lines:
        row = [name.ljust(widths[0]), *(figure.rjust(width) for figure, width in zip(figures, widths[1:], strict=True))]
        (_say if asked.json else print)("  ".join([*row, how]).rstrip())
    kept = sum(each["passed"] for each in sums)
    _say(f"{kept} of {len(sums)} kinds kept every promise, in {seconds / 60:.1f} minutes; seed {asked.seed}")


def _exit_code(sums: Sequence[dict[str, Any]]) -> int:
    failed = [each for each in sums if not each["passed"]]
    if any("impossible" not in each or each.get("broken") for each in failed):
        return 1
    return 3 if failed else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
