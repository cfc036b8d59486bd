"""A thousand seeds, in four files, so that several workers share them."""

import pytest

from simulation.history import play

PORTION = 25


def a_quarter(number: int) -> pytest.MarkDecorator:
    """The first seeds of the portions of this quarter."""
    return pytest.mark.parametrize("first", range(250 * number, 250 * (number + 1), PORTION))


def every_promise_is_kept(first: int) -> None:
    outcomes = [play(seed) for seed in range(first, first + PORTION)]
    broken = [f"seed {each.seed}: {complaint}" for each in outcomes for complaint in each.complaints]
    assert not broken, "\n".join([*broken, "Play it again: ./closeloop simulate --trace --seed N"])
    assert sum(each.acknowledged for each in outcomes) > 10 * PORTION, "clients got hardly anything done"
