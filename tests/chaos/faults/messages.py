"""Messages: told again and again, handed out in another order, and such as nobody can understand."""

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from random import Random
from threading import Event, Thread
from typing import TYPE_CHECKING
from uuid import uuid4

import nats
from broadcast import Mark, listen
from hits import must_come, under_announcements
from kinds import Kind, Missed
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.js import JetStreamContext
from reactions import sources_of

from events.bus.envelope import MESSAGE_ID, sent_again, stream_name
from events.message import Message
from stack.cluster import SERVICE_PORTS

if TYPE_CHECKING:
    from arena import Arena

RECENT = 60
"""So many of the last messages of each service: what was told in the last seconds."""
OFTEN = 5
"""Of those, so many are told a hundred times."""
AT_ONCE = 100
EARLY = "SELECT n_tup_ins AS n FROM pg_stat_user_tables WHERE relname = 'waiting'"
Ids = Callable[[Message], str]


# --- told again -------------------------------------------------------------------------------------------------------


def tell_again(ids: Ids, arena: "Arena", chance: Random) -> None:
    """What was told in the last seconds, twice; some of it a hundred times; while new things are told."""
    with under_announcements(arena):
        for service in SERVICE_PORTS:
            recent = arena.bus(lambda js, service=service: _recent(js, service))
            if recent:
                often = chance.sample(recent, min(OFTEN, len(recent)))
                again = [*recent, *recent, *(each for each in often for _ in range(100))]
                arena.bus(lambda js, again=again: _publish(js, again, ids))


def the_same_id(message: Message) -> str:
    """JetStream itself takes it for a duplicate, as long as its window is."""
    return message.headers[MESSAGE_ID]


def a_fresh_id(_: Message) -> str:
    """JetStream takes it for something new."""
    return f"again-{uuid4()}"


async def _recent(js: JetStreamContext, service: str) -> Sequence[Message]:
    info = await js.stream_info(stream_name(service))
    return (await listen(js, service, Mark(info.created, max(0, info.state.last_seq - RECENT)))).messages


async def _publish(js: JetStreamContext, messages: Sequence[Message], ids: Ids) -> None:
    for start in range(0, len(messages), AT_ONCE):
        sent = (
            js.publish(each.subject, each.body, headers=sent_again(each.headers, ids(each)))
            for each in messages[start : start + AT_ONCE]
        )
        await asyncio.gather(*sent)


def echo(arena: "Arena", chance: Random) -> None:
    """Whatever is told is told a second time in the same moment, and a third time a little later."""
    heard = arena.bus(lambda js: _echo(js._nc, chance, seconds=3.0))
    if not heard:
        raise Missed("nobody said anything")


async def _echo(client: Client, chance: Random, seconds: float) -> int:
    """How many messages were repeated; our own voice is not."""
    heard, ours, later = 0, set[str](), set[asyncio.Task[None]]()

    async def say(message: Msg, delay: float) -> None:
        await asyncio.sleep(delay)
        ours.add(id := f"echo-{uuid4()}")
        await client.publish(message.subject, message.data, headers=sent_again(message.headers or {}, id))

    async def repeat(message: Msg) -> None:
        nonlocal heard
        if not message.headers or "ce-id" not in message.headers or message.headers[MESSAGE_ID] in ours:
            return
        heard += 1
        await say(message, 0)
        later.add(asyncio.create_task(say(message, chance.uniform(0.0, 1.0))))

    subscription = await client.subscribe("closeloop.>", cb=repeat)
    await asyncio.sleep(seconds)
    await subscription.unsubscribe()
    await asyncio.gather(*later)
    await client.flush()
    return heard


# --- in another order -------------------------------------------------------------------------------------------------


def shuffle(arena: "Arena", chance: Random) -> None:
    """Somebody takes messages from a service's own durables and gives them back later, each after a time of its own;
    now and then it forgets to, and they come when their time is up.
    """
    before, forgets = _early(arena), chance.random() < 0.25
    durables = [(source, name) for name in SERVICE_PORTS for source in sources_of(name)]

    async def snatch(js: JetStreamContext) -> list[int]:
        thieves = (_snatch(js, *each, chance, seconds=3.0, forgets=forgets) for each in durables)
        return await asyncio.gather(*thieves)

    if not sum(arena.bus(snatch)):
        raise Missed("there was nothing to snatch")
    must_come(arena, lambda: _early(arena) > before, "a message that came before its turn")


async def _snatch(
    js: JetStreamContext, source: str, listener: str, chance: Random, *, seconds: float, forgets: bool
) -> int:
    """How many were delayed."""
    until, delayed = time.monotonic() + seconds, 0
    subscription = await js.pull_subscribe_bind(f"closeloop-{listener}", stream_name(source))
    while time.monotonic() < until:
        try:
            taken = await subscription.fetch(8, timeout=0.3)
        except TimeoutError:
            continue
        delayed += len(taken)
        if forgets and len(taken) > 1:
            taken, forgets = taken[1:], False
        for each in taken:
            await each.nak(delay=chance.uniform(0.05, 2.0))
    await subscription.unsubscribe()
    return delayed


@contextmanager
def shuffling(arena: "Arena", listener: str, chance: Random) -> Iterator[None]:
    """Meanwhile what one service hears comes in another order."""
    enough, own = Event(), Random(chance.random())

    async def snatch(js: JetStreamContext) -> None:
        thieves = (_snatch(js, each, listener, own, seconds=1.0, forgets=False) for each in sources_of(listener))
        await asyncio.gather(*thieves)

    def go_on() -> None:
        while not enough.wait(0.05):
            with suppress(nats.errors.Error, OSError):
                arena.bus(snatch)

    thief = Thread(target=go_on, name="thief", daemon=True)
    thief.start()
    try:
        yield
    finally:
        enough.set()
        thief.join()


def _early(arena: "Arena") -> int:
    """How many messages have had to wait for their turn so far."""
    return sum(row["n"] for name in SERVICE_PORTS for row in arena.sql(name, EARLY))


KINDS = [
    Kind(
        name="told-again",
        says="Recent messages are published again under their own ids, twice and a hundred times.",
        strike=partial(tell_again, the_same_id),
        rounds=5,
    ),
    Kind(
        name="told-anew",
        says="Recent messages are published again under fresh ids, twice and a hundred times.",
        strike=partial(tell_again, a_fresh_id),
        rounds=5,
    ),
    Kind(
        name="echo",
        says="Every message is published again in the same moment, and once more a little later.",
        strike=echo,
        rounds=5,
    ),
    Kind(
        name="shuffled",
        says="Messages reach the consumers late and in another order, some only when their ack is overdue.",
        strike=shuffle,
        rounds=5,
    ),
]
