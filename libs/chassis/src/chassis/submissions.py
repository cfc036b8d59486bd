"""A submission: one body that becomes several commands, remembered under its own key before the first is appended.

The same key with another body is refused, although the other body may have led to other streams; and a repetition is
answered from what the commands came to, although the body would lead elsewhere, or be refused, by now.
"""

from collections.abc import Sequence
from dataclasses import replace

from events.kernel import Aggregate, Given, event, value


@value
class Submit:
    """Begin to carry out a body that became these orders, by key."""

    orders: tuple[str, ...]


@event("submission-made")
class Made:
    orders: tuple[str, ...]


@value
class Submission:
    """The keys of the orders that a body became; the outcome of each stands under its own command id."""

    orders: tuple[str, ...] = ()


def _decide(_submission: Submission, command: Submit, _given: Given) -> Sequence[Made]:
    return [Made(orders=command.orders)]


def _evolve(submission: Submission, happened: Made) -> Submission:
    return replace(submission, orders=happened.orders)


submissions: Aggregate[Submission, Submit, Made] = Aggregate(
    kind="submission", initial=Submission(), decide=_decide, evolve=_evolve, events=(Made,)
)
