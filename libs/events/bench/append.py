"""How many commands a second group commit carries, beside single plain INSERTs of as many clients, in the same run.

    python libs/events/bench/append.py [CLIENTS]

On a durable server of our own whose flush takes at least a millisecond (commit_delay), as on a real disk. A command
is an event, a state and its record. A plain INSERT is one row in a transaction of its own, each client on its own
connection.
"""

import asyncio
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from uuid import uuid4  # noqa: TID251

import asyncpg

from events.handling import Handler, Instruction
from events.kernel import Actor, Aggregate, Given, event, value
from events.store.database import Database
from events.store.port import Append, NewEvent, Origin
from events.store.postgres import PostgresStore
from events.store.schema import create_latest
from events.store.writer import Writer
from stack.postgres import Postgres, plain_url

SECONDS = 4.0
FLUSH = {"commit_delay": "1000", "commit_siblings": "0", "max_connections": "200"}
BODY = '{"clause":"8.3.3","statement":"the service is delivered without an agreed SLA, which the catalogue requires"}'

Step = Callable[[], Awaitable[object]]


@value
class Note:
    text: str


@event("noted")
class Noted:
    text: str


@value
class Notes:
    count: int = 0


def decide(_: Notes, command: Note, __: Given) -> list[Noted]:
    return [Noted(text=command.text)]


def evolve(notes: Notes, _: Noted) -> Notes:
    return Notes(count=notes.count + 1)


notes = Aggregate[Notes, Note, Noted](kind="notes", initial=Notes(), decide=decide, evolve=evolve, events=(Noted,))


def a_command() -> Append:
    return Append(
        tenant="meridian", command=uuid4(), origin=Origin.HTTP, fingerprint="f" * 64, status=201, kind="finding",
        stream=uuid4(), expected=0, shape=1, metadata=BODY, events=[NewEvent(uuid4(), "finding-raised", 1, BODY)],
        state=BODY, deadline=None, claims=[],
    )  # fmt: skip


def an_instruction() -> Instruction:
    return Instruction(
        aggregate=notes, tenant="meridian", stream=uuid4(), command=Note(text=BODY), id=uuid4(), origin=Origin.HTTP,
        by=Actor(person="p-1"),
    )  # fmt: skip


async def rate(*steps: Step) -> float:
    """Steps a second, of as many clients as there are steps, each waiting for its answer."""
    done, until = 0, time.perf_counter() + SECONDS

    async def client(step: Step) -> None:
        nonlocal done
        while time.perf_counter() < until:
            await step()
            done += 1

    started = time.perf_counter()
    await asyncio.gather(*map(client, steps))
    return done / (time.perf_counter() - started)


async def measure(url: str, clients: int) -> None:
    db = Database.at(url)
    async with db.writes.connect() as connection:
        await connection.run_sync(create_latest)
        await connection.exec_driver_sql("CREATE TABLE plain (id uuid PRIMARY KEY, body text NOT NULL)")
    sessions = [await asyncpg.connect(plain_url(url)) for _ in range(clients)]

    def plain(session: asyncpg.Connection) -> Step:
        return lambda: session.execute("INSERT INTO plain VALUES ($1, $2)", uuid4(), BODY)

    store = PostgresStore(db)
    writer = Writer(store)
    writer.start()
    handler = Handler(store, writer, [notes])
    inserts = await rate(*map(plain, sessions))
    one_by_one = await rate(plain(sessions[0]))
    appended = await rate(*[lambda: writer.append(a_command())] * clients)
    handled = await rate(*[lambda: handler.handle(an_instruction())] * clients)
    await writer.stop()
    for name, found in (
        (f"plain INSERTs, {clients} connections", inserts),
        ("plain INSERTs, 1 connection", one_by_one),
        (f"commands by group commit, {clients} waiting, 1 connection", appended),
        (f"the same, loaded and decided first, {clients} waiting", handled),
    ):
        print(f"{found:8,.0f}/s  {found / inserts:5.2f}  {name}", flush=True)
    for session in sessions:
        await session.close()
    await db.close()


def main() -> None:
    clients = int(sys.argv[1]) if len(sys.argv) > 1 else 64
    with tempfile.TemporaryDirectory(prefix="closeloop-bench-") as folder:
        Path(folder).chmod(0o711)
        with Postgres(Path(folder), durable=True, settings=FLUSH) as server:
            asyncio.run(measure(server.create_database("bench"), clients))


if __name__ == "__main__":
    main()
