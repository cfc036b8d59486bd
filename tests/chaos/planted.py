"""Proves the checker: each defect (`defects.py`) is planted in a copy of the sources, and must be caught and named.

    python tests/chaos/planted.py                 all of them
    python tests/chaos/planted.py --short         those that every build runs
    python tests/chaos/planted.py WORD            those with this word in their name, or in that of their kind

Exit code 0: each was caught. 1: one was not. 3: those that could be planted were caught, but something cannot be tried
on this machine.
"""

import argparse
import json
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from random import SystemRandom

sys.path.insert(0, str(Path(__file__).resolve().parent))

from defects import PLANTED, Planted
from kinds import Kind, all_kinds
from results import results_alone
from rounds import Ring, Round

from stack.copies import copy_to

PATIENCE = 900


class Caught(Exception):
    """The sentence that names it."""


# --- the hunt ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Hunted:
    """What came of the hunt for one of them."""

    said: str = ""
    """By the checker, of the defect."""
    impossible: str = ""
    """Why it cannot be tried on this machine."""

    def __str__(self) -> str:
        if self.said:
            return f"caught: {self.said.strip().splitlines()[-1][:160]}"
        return f"cannot be tried here: {self.impossible}" if self.impossible else "NOT CAUGHT"


def hunt(planted: Planted, seed: str) -> Hunted:
    """Rounds of its kind on a copy of the sources, until the checker names it."""
    with tempfile.TemporaryDirectory(prefix="closeloop-planted-") as folder:
        copied = copy_to(Path(folder) / "sources", planted.changes)
        ring = Ring(seed, environment=dict(copied.environment))
        try:
            total = ring.rounds_of(_kind(planted), planted.rounds, lambda came: _look(planted, came))
        except Caught as caught:
            return Hunted(str(caught))
        finally:
            ring.leave()
    return Hunted(_among(planted, total.broken), total.impossible)


def _kind(planted: Planted) -> Kind:
    (kind,) = [each for each in all_kinds() if each.name == planted.kind]
    return kind if planted.flushes else replace(kind, needs=replace(kind.needs, durable=False))


def _look(planted: Planted, came: Round) -> None:
    """At each round as it ends: one that names it is enough."""
    sentences = list(came.verdict.sentences())
    if sentence := _among(planted, sentences):
        raise Caught(sentence)
    for each in sentences[:5]:
        print(f"    also: {each[:1500]}", file=sys.stderr, flush=True)


def _among(planted: Planted, sentences: Sequence[str]) -> str:
    return next((each for each in sentences if re.search(planted.named, each)), "")


# --- the command ------------------------------------------------------------------------------------------------------


def run(words: Sequence[str], *, short: bool, seed: str, jobs: int) -> int:
    """Each in a process of its own; what came of it as soon as it is known, and k of k."""
    chosen = [each for each in PLANTED if (each.short or not short) and _is_meant(each, words)]
    if not chosen:
        sys.exit("no planted defect has such a word in its name")
    started, found = time.monotonic(), []
    print(f"seed {seed}, {len(chosen)} planted defects", flush=True)
    with ThreadPoolExecutor(jobs) as threads:
        for planted, hunted in zip(chosen, threads.map(lambda each: _elsewhere(each, seed), chosen), strict=True):
            found.append(hunted)
            print(f"{planted.name} ({planted.kind})\n    {hunted}", flush=True)
    caught, minutes = sum(bool(each.said) for each in found), (time.monotonic() - started) / 60
    print(f"{caught} of {len(chosen)} planted defects caught, in {minutes:.1f} minutes", flush=True)
    if any(not each.said and not each.impossible for each in found):
        return 1
    return 0 if caught == len(chosen) else 3


def _is_meant(planted: Planted, words: Sequence[str]) -> bool:
    return not words or any(word in planted.name or word in planted.kind for word in words)


def _elsewhere(planted: Planted, seed: str) -> Hunted:
    command = [sys.executable, "-P", __file__, "--seed", seed, "--hunt", planted.name]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, timeout=PATIENCE, check=False)
    return Hunted(**json.loads(done.stdout)) if done.returncode == 0 else Hunted()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("words", nargs="*", metavar="WORD")
    parser.add_argument("--short", action="store_true", help="those that every build runs")
    parser.add_argument("--seed", default=str(SystemRandom().randrange(1, 10**6)), help="plays a run again")
    parser.add_argument("--jobs", type=int, default=2, metavar="N", help="stacks side by side")
    parser.add_argument("--hunt", metavar="NAME", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.hunt:
        (planted,) = [each for each in PLANTED if each.name == asked.hunt]
        results = results_alone()
        print(json.dumps(vars(hunt(planted, asked.seed))), file=results, flush=True)
        return 0
    return run(asked.words, short=asked.short, seed=asked.seed, jobs=asked.jobs)


if __name__ == "__main__":
    sys.exit(main())
