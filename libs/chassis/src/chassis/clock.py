"""Business time over HTTP: everybody may read it; it can be moved, only forward, where it was set at the start."""

from datetime import datetime

from sqlalchemy import bindparam, text
from starlette.responses import Response

from chassis.calls import Call
from chassis.endpoints import ANYBODY, Endpoint, Serve, Takes
from chassis.http import Machinery
from chassis.queries import ask
from chassis.representation import as_json, dumped
from events.kernel import Refused, value
from events.store import tables as t
from events.store.database import Database
from events.words import Instant

_SET = text("UPDATE business_clock SET ahead = :at - clock_timestamp() WHERE ahead = interval '0'")
_MOVE = text(
    "UPDATE business_clock SET ahead = :at - clock_timestamp() WHERE :at > clock_timestamp() + ahead RETURNING ahead"
)
_ASK_DUE = 1000


class ClockRunsForward(Refused):
    """Business time never goes back: what happened has happened."""

    slug = "clock-runs-forward"


@value
class Move:
    """Move business time forward."""

    to: Instant


@value
class Time:
    """Business time, and how many objects wait to be told of a deadline that has come."""

    now: datetime
    due: int


async def set_clock(database: Database, start: datetime) -> None:
    """Let business time begin at `start`, once: a restart must not set it again."""
    await ask(database.writes, _SET.bindparams(bindparam("at", start, t.Instant)))


async def count_due(machinery: Machinery) -> int:
    """How many objects wait to be told of a deadline that has come; a thousand stands for more."""
    return len(await machinery.store.due(_ASK_DUE))


def endpoints(machinery: Machinery, *, movable: bool) -> list[Endpoint]:
    """`GET /v1/clock`, and in throwaway stacks `POST /v1/clock`."""

    async def read(_: Call) -> Response:
        due = await count_due(machinery) if movable else 0
        return as_json(dumped(Time(now=await machinery.handler.now(), due=due)))

    async def move(call: Call) -> Response:
        call.require_json()
        call.idempotency_key()
        to: datetime = (await call.body(Move)).value.to
        moved = await ask(machinery.database.writes, _MOVE.bindparams(bindparam("at", to, t.Instant)))
        if not moved:
            raise ClockRunsForward("It is later than that already.", now=await machinery.handler.now())
        return await read(call)

    return [_reading(read), _moving(move)] if movable else [_reading(read)]


def _reading(serve: Serve) -> Endpoint:
    return Endpoint(
        method="GET",
        path="/v1/clock",
        permission=ANYBODY,
        id="getClock",
        summary="Read business time",
        tag="clock",
        answer=Time,
        serve=serve,
    )


def _moving(serve: Serve) -> Endpoint:
    return Endpoint(
        method="POST",
        path="/v1/clock",
        permission="clock.move",
        id="moveClock",
        summary="Move business time forward (throwaway stacks only)",
        tag="clock",
        answer=Time,
        serve=serve,
        takes=Takes(type=Move, example={"to": "2016-03-31T22:00:00Z"}),
    )
