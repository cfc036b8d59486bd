"""`./closeloop simulate`: many histories, each from its seed, each to be played again by it."""

import argparse
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field

from simulation.history import Outcome, play

CHUNK = 10
SHOWN = 5
"""Complaints of one seed; there are mostly many for one cause."""


@dataclass
class Tally:
    """What all seeds came to so far."""

    played: int = 0
    acknowledged: int = 0
    events: int = 0
    seconds: float = 0.0
    failed: list[Outcome] = field(default_factory=list)

    def take(self, outcome: Outcome) -> None:
        self.played += 1
        self.acknowledged += outcome.acknowledged
        self.events += outcome.events
        self.seconds += outcome.seconds
        if outcome.complaints:
            self.failed.append(outcome)

    def __str__(self) -> str:
        return (
            f"{self.played} histories, {self.seconds / 3600:.1f} virtual hours, {self.acknowledged} commands "
            f"acknowledged, {self.events} events, {len(self.failed)} failed"
        )


def main(arguments: Sequence[str] | None = None) -> int:
    """0 when every history kept every promise."""
    asked = _asked(arguments)
    if asked.seed is not None:
        return _show(play(asked.seed), trace=asked.trace)
    tally, started = Tally(), time.monotonic()
    for outcome in _played(range(asked.first, asked.first + asked.seeds), asked.jobs):
        tally.take(outcome)
        if outcome.complaints:
            _clear_line()
            _show(outcome, trace=False)
            sys.stdout.flush()
        _progress(f"{tally}, {time.monotonic() - started:.0f} s")
    _clear_line()
    print(f"{tally}; in {time.monotonic() - started:.0f} s")
    if tally.failed:
        print("Play one again: ./closeloop simulate --trace --seed", tally.failed[0].seed)
    return 1 if tally.failed else 0


def _played(seeds: Sequence[int], jobs: int) -> Iterator[Outcome]:
    if jobs == 1:
        yield from map(play, seeds)
        return
    with ProcessPoolExecutor(jobs) as pool:
        for chunk in pool.map(_play_all, [seeds[n : n + CHUNK] for n in range(0, len(seeds), CHUNK)]):
            yield from chunk


def _play_all(seeds: Iterable[int]) -> list[Outcome]:
    return [play(seed) for seed in seeds]


def _show(outcome: Outcome, *, trace: bool) -> int:
    if trace:
        print("\n".join(outcome.trace))
    for complaint in outcome.complaints[:SHOWN]:
        print(f"seed {outcome.seed}: {complaint}")
    if len(outcome.complaints) > SHOWN:
        print(f"seed {outcome.seed}: and {len(outcome.complaints) - SHOWN} more")
    if not outcome.complaints:
        print(f"seed {outcome.seed}: every promise kept; digest {outcome.digest[:16]}")
    return 1 if outcome.complaints else 0


def _progress(text: str) -> None:
    if sys.stderr.isatty():
        print(f"\r{text}\x1b[K", end="", file=sys.stderr, flush=True)


def _clear_line() -> None:
    _progress("")


def _asked(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="./closeloop simulate", description=__doc__)
    parser.add_argument("--seeds", type=int, default=1000, help="how many (default 1000; the long set: 10000)")
    parser.add_argument("--first", type=int, default=0, metavar="SEED", help="the first of them (default 0)")
    parser.add_argument("--jobs", type=int, default=2, help="how many processes play (default 2)")
    parser.add_argument("--seed", type=int, help="play this one alone")
    parser.add_argument("--trace", action="store_true", help="with --seed: print all that happened")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
