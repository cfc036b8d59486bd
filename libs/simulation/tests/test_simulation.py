"""A seed is a history: the same one whenever and wherever it is played."""

import os
import subprocess
import sys

from simulation.history import play

SEEDS = tuple(range(8))


def test_a_seed_has_one_history() -> None:
    for seed in SEEDS:
        assert play(seed) == play(seed)


def test_a_seed_has_the_same_history_in_another_process() -> None:
    script = f"from simulation.history import play\nfor seed in {SEEDS}: print(play(seed).digest)"
    for hashes in ("0", "4711"):
        environment = {**os.environ, "PYTHONHASHSEED": hashes, "PYTHONPATH": os.pathsep.join(sys.path)}
        said = subprocess.run(
            [sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True
        )
        assert said.stdout.split() == [play(seed).digest for seed in SEEDS]


def test_seeds_differ() -> None:
    assert len({play(seed).digest for seed in range(4)}) == 4
