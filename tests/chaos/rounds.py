"""The rounds of a kind: strike, heal, wait for quiet, check; and their sum."""

import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from random import Random
from typing import Any

from arena import Arena
from checker import Checker
from kinds import Impossible, Kind, Missed, Needs
from verdict import Verdict

from stack.processes import StackError

READY_WITHIN = 10.0
QUIET_WITHIN = 30.0
GIVE_UP_AFTER = 90.0
MOST_ATTEMPTS = 3
"""Times the rounds that are wanted: a kind that meets no work so often is not what it says."""
MOST_FAILURES = 3
SET_UP_AGAIN = 2
SHOWN = 20


@dataclass
class Round:
    """One strike, and what came of it."""

    kind: str
    number: int
    hit: bool = False
    missed: str = ""
    acknowledged: int = 0
    ready_s: float = 0.0
    quiet_s: float = 0.0
    seconds: float = 0.0
    verdict: Verdict = field(default_factory=Verdict)

    @property
    def failed(self) -> bool:
        return self.verdict.broken


@dataclass
class Sum:
    """All rounds of a kind, as `--json` says it."""

    kind: str
    wanted: int
    rounds: int = 0
    hits: int = 0
    acknowledged: int = 0
    lost: int = 0
    duplicated: int = 0
    phantom: int = 0
    recovery_s: float = 0.0
    ready_s: float = 0.0
    seconds: float = 0.0
    broken: list[str] = field(default_factory=list)
    impossible: str = ""

    def add(self, of: Round) -> None:
        """One round more."""
        self.rounds += 1
        self.hits += of.hit
        self.acknowledged += of.acknowledged
        self.lost += len(of.verdict.lost)
        self.duplicated += len(of.verdict.duplicated)
        self.phantom += len(of.verdict.phantom)
        self.seconds += of.seconds
        if of.hit:
            self.recovery_s, self.ready_s = max(self.recovery_s, of.quiet_s), max(self.ready_s, of.ready_s)
        self.broken += [f"round {of.number}: {each}" for each in of.verdict.sentences()]

    @property
    def passed(self) -> bool:
        return not self.broken and not self.impossible and self.hits >= self.wanted

    def as_json(self) -> dict[str, Any]:
        """The members that were asked for, and why it failed."""
        figures = {name: value for name, value in vars(self).items() if name not in ("broken", "impossible")}
        more: dict[str, Any] = {"broken": self.broken[:SHOWN]} if self.broken else {}
        if self.impossible:
            more["impossible"] = self.impossible
        return {**figures, **{name: round(figures[name], 1) for name in ("recovery_s", "ready_s", "seconds")}, **more}


class Ring:
    """Where kinds are fought out: an arena is kept as long as it is of use, and kinds with the same needs share it."""

    def __init__(self, seed: str, environment: dict[str, str] | None = None, *, patience: float = 1.0) -> None:
        """`environment`: further variables of all services. `patience`: how many times as long they may recover."""
        self._seed = seed
        self._environment = environment
        self._patience = patience
        self._arena: Arena | None = None
        self._checker: Checker | None = None
        self._needs: Needs | None = None
        self._looks = 0
        """Of this checker."""
        self._cleanup = ExitStack()

    def rounds_of(self, kind: Kind, hits: int, say: Callable[[Round], None]) -> Sum:
        """Until there were so many hits, or it is clear that there will not be."""
        total, failures, number = Sum(kind.name, hits), 0, 0
        try:
            while total.hits < hits and number < hits * MOST_ATTEMPTS and failures < MOST_FAILURES:
                number += 1
                came = self._round(kind, number)
                total.add(came)
                say(came)
                failures += came.failed
                if came.failed or kind.needs.fresh:
                    self.leave()
            if self._arena and self._looks > 1:
                self._everything(kind, number, total, say)
        except Impossible as why:
            total.impossible = str(why)
            self.leave()
        return total

    def leave(self) -> None:
        """Take the arena down; the next round makes a new one."""
        self._arena = self._checker = self._needs = None
        self._looks = 0
        self._cleanup.close()

    def _round(self, kind: Kind, number: int) -> Round:
        came, started = Round(kind.name, number), time.monotonic()
        chance = Random(f"{self._seed} {kind.name} {number}")
        try:
            arena, checker = self._furnished(kind.needs)
            self._looks += 1
            fight(arena, checker, kind, chance, came)
            came.verdict.wrong += _too_slow(came, self._patience)
        except Impossible:
            raise
        except Exception:  # whatever it is, it is no pass, and the next kind has its turn
            came.verdict.wrong.append(traceback.format_exc(limit=-5))
        came.seconds = time.monotonic() - started
        return came

    def _everything(self, kind: Kind, number: int, total: Sum, say: Callable[[Round], None]) -> None:
        """Once more from the first event on: what was altered later is found only so."""
        came = Round(kind.name, number)
        try:
            came.verdict = self._looked_at_everything()
        except Exception:  # as in a round: no pass, and the next kind has its turn
            came.verdict.wrong.append(traceback.format_exc(limit=-5))
        total.broken += [f"at the end: {each}" for each in came.verdict.sentences()]
        for name in ("lost", "duplicated", "phantom"):
            setattr(total, name, getattr(total, name) + len(getattr(came.verdict, name)))
        if came.failed:
            say(came)
            self.leave()

    def _looked_at_everything(self) -> Verdict:
        assert self._arena
        assert self._checker
        self._arena.load.pause()
        self._arena.until_quiet("at the end", GIVE_UP_AFTER)
        found = self._checker.check(everything=True)
        self._arena.load.resume()
        return found

    def _furnished(self, needs: Needs) -> tuple[Arena, Checker]:
        if self._arena is None or self._needs != needs:
            self.leave()
            self._arena = self._set_up(needs)
            self._needs, self._checker = needs, Checker(self._arena)
        assert self._checker
        return self._arena, self._checker

    def _set_up(self, needs: Needs) -> Arena:
        for _ in range(SET_UP_AGAIN):
            # Somebody else on this machine may be faster to take a port that was free a moment ago.
            with suppress(StackError):
                return self._cleanup.enter_context(Arena(needs, seed=self._seed, environment=self._environment))
        return self._cleanup.enter_context(Arena(needs, seed=self._seed, environment=self._environment))


def fight(arena: Arena, checker: Checker, kind: Kind, chance: Random, came: Round) -> None:
    """One round, on a stack under load."""
    before = len(arena.load.ledger)
    time.sleep(chance.uniform(0.1, 0.4))
    try:
        kind.strike(arena, chance)
        came.hit = True
    except Missed as why:
        came.missed = str(why)
    healed = time.monotonic()
    arena.until(arena.ready, "every process ready", GIVE_UP_AFTER)
    came.ready_s = time.monotonic() - healed
    arena.load.pause()
    arena.until_quiet("after healing", GIVE_UP_AFTER)
    came.quiet_s = time.monotonic() - healed
    came.verdict = checker.check()
    if arena.forgiven.keys and not kind.forgives:
        came.verdict.wrong.append("something was given up without an operator's decision")
    came.acknowledged = sum(1 for _ in arena.load.ledger.acknowledged(before))
    arena.load.resume()


def _too_slow(came: Round, patience: float) -> Iterator[str]:
    if came.ready_s > READY_WITHIN * patience:
        yield f"ready after {came.ready_s:.1f} s, not {READY_WITHIN * patience:g}"
    if came.quiet_s > QUIET_WITHIN * patience:
        yield f"quiet after {came.quiet_s:.1f} s, not {QUIET_WITHIN * patience:g}"


def batches(kinds: Sequence[Kind], hits: Callable[[Kind], int], most: int = 20) -> list[list[Kind]]:
    """Kinds with the same needs together, in parts of so many rounds."""
    found: list[list[Kind]] = []
    for kind in sorted(kinds, key=lambda each: str(each.needs)):
        last = found[-1] if found else []
        if last and last[0].needs == kind.needs and sum(map(hits, last)) + hits(kind) <= most:
            last.append(kind)
        else:
            found.append([kind])
    return sorted(found, key=lambda batch: -sum(map(hits, batch)))
