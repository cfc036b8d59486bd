"""Whether a service has come to rest: nothing due, nothing untold, nothing unheard. For demos and tests that wait."""

from starlette.responses import Response

from chassis.calls import Call
from chassis.clock import count_due
from chassis.endpoints import ANYBODY, Endpoint
from chassis.http import Machinery
from chassis.representation import as_json, dumped
from events.bus.port import BrokerTrouble
from events.bus.runtime import Bus
from events.kernel import value
from events.store.bus_port import Behind
from events.store.port import Unavailable


@value
class Rest:
    """`quiet` holds at one moment; two equal answers of every service in a row mean that all have come to rest."""

    quiet: bool
    position: int
    due: int
    untold: int
    unheard: int


def endpoints(machinery: Machinery, bus: Bus | None) -> list[Endpoint]:
    """`GET /v1/quiet`."""

    async def read(_: Call) -> Response:
        try:
            behind, unheard = await bus.undelivered() if bus else (Behind(), 0)
        except BrokerTrouble as trouble:
            raise Unavailable(str(trouble)) from trouble
        due = await count_due(machinery)
        untold = max(0, behind.head - behind.checkpoint)
        quiet = not (due or untold or unheard)
        return as_json(dumped(Rest(quiet=quiet, position=behind.head, due=due, untold=untold, unheard=unheard)))

    return [
        Endpoint(
            method="GET",
            path="/v1/quiet",
            permission=ANYBODY,
            id="getQuiet",
            summary="Ask whether this service has come to rest (throwaway stacks only)",
            tag="clock",
            answer=Rest,
            serve=read,
        )
    ]
