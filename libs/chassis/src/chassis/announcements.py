"""What an operator does about what others hear, beside a running service: decide after a restore, and tell again."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

from chassis.routes import Service
from chassis.settings import Settings
from events.bus.nats import NatsBroker
from events.bus.port import BrokerTrouble
from events.bus.relay import Relay, RelaySettings
from events.bus.restored import Restored
from events.store.bus_port import Lost
from events.store.database import Database
from events.store.outgoing import PostgresOutgoing
from events.watch import Pulse

Say = Callable[[str], None]

CONNECTED_WITHIN = 10.0


async def accept_restore(service: Service, settings: Settings, *, decided: bool, say: Say) -> bool:
    """Show what others have heard and our log does not have; with the decision, go on without it. Raises Refused."""
    async with _connected(service, settings) as (broker, outgoing):
        desk = Restored(service.name, broker, outgoing)
        if decided:
            restore = await desk.accept()
            say(f"{restore.lost} announcements are given up; positions go on after {restore.goes_on_after}.")
            say("What was given up is kept: --list shows it, so that people can enter it again.")
            return True
        lost = await desk.lost()
        _tell(lost, say)
        if not lost:
            say("Our log has all that others have heard; there is nothing to decide.")
            return True
        say(f"Others have heard {len(lost)} announcements that our log does not have: an older database was restored.")
        say("Either restore a newer backup, and the service goes on by itself; what was done since is lost then.")
        say("Or give these announcements up, and the service goes on behind them: accept-restore ... --yes")
        return False


async def given_up(service: Service, settings: Settings, say: Say) -> None:
    """What earlier decisions gave up."""
    database = Database.at(settings.database)
    try:
        lost = await PostgresOutgoing(database).lost_announcements()
    finally:
        await database.close()
    _tell(lost, say)
    say(f"{len(lost)} announcements were given up")


async def republish(service: Service, settings: Settings, start: int, say: Say) -> None:
    """Tell everything from a position on again; whoever listens knows what it has heard. Raises Halted."""
    async with _connected(service, settings) as (broker, outgoing):
        relay = Relay(service.name, outgoing, broker, RelaySettings(), Pulse("republish"))
        say(f"{await relay.republish(start)} announcements were told again")


def _tell(lost: Sequence[Lost], say: Say) -> None:
    for each in lost:
        headers = each.message.headers
        say(f"position {each.position}  {headers.get('ce-time')}  {headers.get('ce-type')}")
        say(f"    {each.tenant} {headers.get('closeloop-kind')} {each.stream}, version {each.version}: {_body(each)}")


def _body(lost: Lost) -> str:
    return lost.message.body.decode(errors="backslashreplace")


@asynccontextmanager
async def _connected(service: Service, settings: Settings) -> AsyncIterator[tuple[NatsBroker, PostgresOutgoing]]:
    url = settings.nats_url.get_secret_value()
    if not url:
        raise BrokerTrouble("no NATS is configured (CLOSELOOP_NATS_URL): nobody can say what others have heard")
    database, broker = Database.at(settings.database), NatsBroker(url, f"closeloop-{service.name}-desk")
    broker.start()
    try:
        await _until_connected(broker)
        yield broker, PostgresOutgoing(database)
    finally:
        await broker.stop()
        await database.close()


async def _until_connected(broker: NatsBroker) -> None:
    for _ in range(int(CONNECTED_WITHIN / 0.05)):
        if broker.connected:
            return
        await asyncio.sleep(0.05)
    raise BrokerTrouble(f"{broker.name} does not answer")
