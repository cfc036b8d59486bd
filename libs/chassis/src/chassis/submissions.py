"""A submission: one body that becomes several commands, remembered under its own key before the first is appended.

The same key with another body is refused, although the other body may have led to other streams; and a repetition is
answered from what the commands came to, although the body would lead elsewhere, or be refused, by now.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC
from typing import Any
from uuid import UUID

from chassis.routes import FanOut, Order
from events.handling import Handler, Instruction
from events.kernel import Actor, Aggregate, Given, derived_id, event, value
from events.store.port import Origin, OutcomeUnknown, Recorded, Unavailable


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


# --- carrying it out --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Submitted:
    """A body as somebody sent it, under the id that its repetition will have, too."""

    tenant: str
    id: UUID
    body: Any
    by: Actor
    fingerprint: str
    correlation: str

    def instruction(self, order: Order) -> Instruction:
        return Instruction(
            aggregate=order.aggregate,
            tenant=self.tenant,
            stream=order.stream,
            command=order.command,
            id=derived_id(self.id, order.key),
            origin=Origin.HTTP,
            by=self.by,
            fingerprint=self.fingerprint,
            correlation=self.correlation,
        )

    def submission(self, orders: tuple[str, ...] = ()) -> Instruction:
        command = Submit(orders=orders)
        return self.instruction(Order(aggregate=submissions, stream=self.id, command=command, key="submission"))


async def carry_out(handler: Handler, fan_out: FanOut, submitted: Submitted) -> Mapping[str, Recorded]:
    """What became of each order: all are decided before the first is appended, and a repetition finishes the rest."""
    await handler.rehearse(submitted.submission())
    if answered := await _answered(handler, submitted):
        return answered
    facts = await handler.gather_facts(submitted.tenant, fan_out.needs(submitted.body, submitted.tenant))
    now = (await handler.now()).astimezone(UTC)
    given = Given(
        tenant=submitted.tenant, stream=submitted.id, command=submitted.id, at=now, by=submitted.by, facts=facts
    )
    orders = fan_out.orders(submitted.body, given)
    for order in orders:
        await handler.rehearse(submitted.instruction(order))
    await handler.handle(submitted.submission(tuple(order.key for order in orders)))
    with never_undone():
        return {order.key: await handler.handle(submitted.instruction(order)) for order in orders}


async def _answered(handler: Handler, submitted: Submitted) -> Mapping[str, Recorded] | None:
    """The first answer, when every order of this submission was carried out already."""
    made = await handler.read(submissions, submitted.tenant, submitted.id)
    keys = made.state.orders
    outcomes = [await handler.outcome(submitted.tenant, derived_id(submitted.id, key)) for key in keys]
    recorded = {key: each for key, each in zip(keys, outcomes, strict=True) if each}
    return recorded if made.version and len(recorded) == len(keys) else None


@contextmanager
def never_undone() -> Iterator[None]:
    """Something has been appended: what cannot be done now must not be told as "nothing was done"."""
    try:
        yield
    except Unavailable as reason:
        raise OutcomeUnknown(str(reason)) from reason
