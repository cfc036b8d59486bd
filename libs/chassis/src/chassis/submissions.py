"""A submission: one body that becomes several commands, remembered under its own key before the first is appended.

It has no events. What counts is the record of its command: the same key with another body finds it and is refused,
although the other body may have led to other streams.
"""

from collections.abc import Sequence
from typing import Any, NoReturn

from events.kernel import Aggregate, Given, value


@value
class Submit:
    """Begin to carry out a body."""


@value
class Submission:
    """Nothing is known of a submission but that it was made."""


def _decide(_state: Submission, _command: Submit, _given: Given) -> Sequence[Any]:
    return ()


def _evolve(_state: Submission, _event: Any) -> NoReturn:
    raise AssertionError("a submission has no events")


submissions: Aggregate[Submission, Submit, Any] = Aggregate(
    kind="submission", initial=Submission(), decide=_decide, evolve=_evolve, events=()
)
