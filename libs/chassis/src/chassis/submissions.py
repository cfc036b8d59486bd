"""A submission: one body that becomes several commands, appended together with it or not at all.

The same key with another body is refused, although the other body may have led to other streams; and a repetition is
answered from what the commands came to, although the body would lead elsewhere, or be refused, by now.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Any
from uuid import UUID

from chassis.routes import FanOut, Order
from events.handling import Handler, Instruction
from events.kernel import Actor, Aggregate, Given, Refused, derived_id, event, value
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
    """What became of each order. All are carried out or none, and a repetition is told what the first was told."""
    try:
        await handler.handle_together(partial(_to_do, handler, fan_out, submitted))
    except Refused:
        # Its twin may have been carried out in the meantime; the first answer wins over every refusal.
        if not _complete(await _done(handler, submitted)):
            raise
    with never_undone():
        return {key: done for key, done in (await _done(handler, submitted) or {}).items() if done}


async def _to_do(handler: Handler, fan_out: FanOut, submitted: Submitted, at: datetime) -> Sequence[Instruction]:
    """All orders and their submission; or what an older release has left, which made them one by one; or nothing."""
    done = await _done(handler, submitted)
    if _complete(done):
        return []
    facts = await handler.gather_facts(submitted.tenant, fan_out.needs(submitted.body, submitted.tenant))
    given = Given(
        tenant=submitted.tenant, stream=submitted.id, command=submitted.id, at=at, by=submitted.by, facts=facts
    )
    orders = {order.key: submitted.instruction(order) for order in fan_out.orders(submitted.body, given)}
    if done is None:
        return [submitted.submission(tuple(orders)), *orders.values()]
    return [order for key, order in orders.items() if key in done and not done[key]]


async def _done(handler: Handler, submitted: Submitted) -> Mapping[str, Recorded | None] | None:
    """What each order came to so far; None where nothing was submitted yet."""
    if not await handler.known(submitted.submission()):
        return None
    made = await handler.read(submissions, submitted.tenant, submitted.id)
    return {key: await handler.outcome(submitted.tenant, derived_id(submitted.id, key)) for key in made.state.orders}


def _complete(done: Mapping[str, Recorded | None] | None) -> bool:
    return done is not None and all(done.values())


@contextmanager
def never_undone() -> Iterator[None]:
    """Something has been appended: what cannot be done now must not be told as "nothing was done"."""
    try:
        yield
    except Unavailable as reason:
        raise OutcomeUnknown(str(reason)) from reason
