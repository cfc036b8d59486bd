"""The third quarter of the seeds that every build plays."""

from seeds import a_quarter, every_promise_is_kept


@a_quarter(2)
def test_every_promise_is_kept(first: int) -> None:
    every_promise_is_kept(first)
