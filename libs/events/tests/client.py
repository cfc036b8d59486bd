"""A process of its own that appends, for tests that kill it: `python client.py URL TASK [ARGUMENTS]`.

It prints one line for each command that it knows to be done.
"""

import asyncio
import sys
from pathlib import Path
from uuid import UUID, uuid4

sys.path.insert(0, str(Path(__file__).parent))

from later_jar import later
from making import an_append, ask
from toy_jar import Label, Put, jars

from events.handling import Handler, Held, Instruction
from events.rebuilding import Rebuild
from events.refolder import Refolder
from events.store.database import Database
from events.store.folds import Folds
from events.store.port import Recorded, Unavailable
from events.store.postgres import PostgresStore
from events.store.writer import Writer


def say(*words: object) -> None:
    print(*words, flush=True)


async def append_for_ever(store: PostgresStore) -> None:
    """Batches of one to seven commands on new streams, as quickly as possible."""
    for size in (1 + n % 7 for n in range(10**9)):
        batch = [an_append(events=1 + n % 3) for n in range(size)]
        for answer, append in zip(await store.append(batch), batch, strict=True):
            assert isinstance(answer, Recorded)
            say(append.command, answer.position)


async def append_once(store: PostgresStore, command: str) -> None:
    """One command, through the writer and its failpoints."""
    writer = Writer(store)
    writer.start()
    append = an_append(UUID(command), command=UUID(command), events=2)
    say("ready")
    answer = await writer.append(append)
    say(answer)
    await writer.stop()


async def carried_out(handler: Handler, asked: Instruction) -> UUID | str:
    """The stream that a command went to; sent again, under the same id, while others are faster five times in a row."""
    while True:
        try:
            return (await handler.handle(asked)).stream
        except Held:
            return "held"
        except Unavailable:
            continue


async def with_handler(store: PostgresStore, task: str, argument: str) -> None:
    """After a line on stdin: put things into one jar, or claim a label."""
    writer = Writer(store)
    writer.start()
    handler = Handler(store, writer, [jars])
    say("ready")
    await asyncio.to_thread(sys.stdin.readline)
    for _ in range(20):
        jar, command = (UUID(argument), Put(things=1)) if task == "put" else (uuid4(), Label(label=argument))
        say(await carried_out(handler, ask(command, jar)))
    await writer.stop()


async def refold(db: Database) -> None:
    """Fold every jar anew, as a later release whose things count twice."""
    await Refolder(Folds(db), [later]).look()


async def rebuild(db: Database) -> None:
    """Fold every jar anew, as an operator asks for it."""
    await Rebuild(Folds(db), {"jar": jars}, longest_command=0.05).run()


async def main(url: str, task: str, argument: str = "") -> None:
    db = Database.at(url)
    store = PostgresStore(db)
    match task:
        case "append-for-ever":
            await append_for_ever(store)
        case "append-once":
            await append_once(store, argument)
        case "rebuild":
            await rebuild(db)
        case "refold":
            await refold(db)
        case _:
            await with_handler(store, task, argument)
    await db.close()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
