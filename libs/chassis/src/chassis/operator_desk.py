"""What an operator does beside a running service: look at dead letters, replay or drop them."""

import json
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

from chassis.routes import Service, declarations
from chassis.service import aggregates_of
from chassis.settings import Settings
from events.bus.dead_letters import DeadLetters
from events.bus.nats import NatsBroker
from events.bus.reacting import Knows, Reactor
from events.bus.read_back import ReadBack
from events.handling import Handler
from events.refolder import Refolder
from events.store.bus_port import Letter
from events.store.database import Database
from events.store.folds import Folds
from events.store.incoming import PostgresIncoming
from events.store.outgoing import PostgresOutgoing
from events.store.postgres import PostgresStore
from events.store.writer import Writer

Say = Callable[[str], None]


async def dead_letters(service: Service, settings: Settings, word: str, id: UUID | None, say: Say) -> bool:
    """`list`, `show`, `replay` or `drop`; whether it was done. Works on the database alone. Raises Refused."""
    database = Database.at(settings.database)
    store = PostgresStore(database)
    writer = Writer(store)
    writer.start()
    handler = Handler(store, writer, [feature.aggregate for feature in service.features])
    refolder = Refolder(Folds(database), aggregates_of(service), declarations(service))
    handler.incomplete = refolder.incomplete
    try:
        await refolder.start()
        reactor = Reactor(service.name, handler, service.features, _knows(service, database))
        desk = DeadLetters(service.name, PostgresIncoming(database), handler, service.features, reactor)
        return await _WORDS[word](desk, id, say)
    finally:
        await refolder.stop()
        await writer.stop()
        await database.close()


def _knows(service: Service, database: Database) -> Knows:
    """As the running service does, what we have said ourselves is held against our log; the broker is not asked."""
    return ReadBack(service.name, NatsBroker("", ""), PostgresOutgoing(database)).knows


async def _list(desk: DeadLetters, _: UUID | None, say: Say) -> bool:
    letters = await desk.list()
    for letter in letters:
        subject, reason = printable(letter.message.subject), printable(letter.reason)
        say(f"{letter.id}  {letter.parked_at:%Y-%m-%d %H:%M:%S}  holds {letter.held}  {subject}")
        say(f"    {reason}")
    say(f"{len(letters)} parked")
    return True


async def _show(desk: DeadLetters, id: UUID | None, say: Say) -> bool:
    assert id is not None
    written = json.dumps(_as_json(await desk.show(id)), indent=2, ensure_ascii=False)
    say("\n".join(printable(line) for line in written.split("\n")))
    return True


async def _replay(desk: DeadLetters, id: UUID | None, say: Say) -> bool:
    assert id is not None
    hindered = await desk.replay(id)
    say(f"still parked: {printable(hindered)}" if hindered else "handled, and what waited behind it is released")
    return hindered is None


async def _drop(desk: DeadLetters, id: UUID | None, say: Say) -> bool:
    assert id is not None
    await desk.drop(id)
    say("dropped, and what waited behind it is released")
    return True


_WORDS: dict[str, Callable[[DeadLetters, UUID | None, Say], Awaitable[bool]]] = {
    "list": _list,
    "show": _show,
    "replay": _replay,
    "drop": _drop,
}


def printable(text: str) -> str:
    """What others wrote must not command the operator's terminal."""
    return "".join(each if each.isprintable() else ascii(each)[1:-1] for each in text)


def _as_json(letter: Letter) -> dict[str, Any]:
    return {
        "id": str(letter.id),
        "status": letter.status,
        "reason": letter.reason,
        "source": letter.source,
        "tenant": letter.tenant,
        "stream": letter.stream and str(letter.stream),
        "version": letter.version,
        "held": letter.held,
        "subject": letter.message.subject,
        "headers": dict(letter.message.headers),
        "body": letter.message.body.decode(errors="backslashreplace"),
    }
