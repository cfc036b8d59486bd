"""What cannot be handled is parked, said, and holds up its own stream only; trouble that passes parks nothing."""

import re
from collections.abc import Sequence
from typing import Any
from uuid import uuid4

import pytest
from bus_words import (
    TENANT,
    Ear,
    World,
    are_waiting,
    filled,
    heard,
    idle,
    made,
    publish,
    until,
    until_complains,
    until_well,
    waiting,
)
from toy_jar import Filled, Put, jars

from events.bus.dead_letters import DeadLetters
from events.kernel import CONTRACTS, News, Reaction, Refused, derived_id
from events.store.incoming import PostgresIncoming
from events.store.port import Unavailable


async def parked(world: World) -> int:
    return int((await world.row("SELECT count(*) FROM dead_letters WHERE status = 'parked'"))[0])


def letters_of(world: World, ear: Ear | None = None) -> DeadLetters:
    return DeadLetters("toy", PostgresIncoming(world.db), world.handler, [ear or Ear()])


@pytest.mark.parametrize(
    ("poison", "reason"),
    [
        ({"body": b"{not json"}, "BrokenMessage"),
        ({"body": b'{"label":null,"things":"2"}'}, "BrokenMessage: things"),
        ({"body": b'{"label":null,"things":2,"more":1}'}, "BrokenMessage: more"),
        ({"body": b"\xff\xfe"}, "BrokenMessage"),
        ({"name": "jar-cracked"}, "UnknownMessage: closeloop.toy.jar-cracked.v1: unknown type"),
        ({"schema": 2}, r"UnknownMessage: .*jar-filled.v2: known are versions \[1\]"),
        ({"ce_id": ""}, "BrokenMessage: ce-id"),
        ({"ce_time": "yesterday"}, "BrokenMessage: ce-id, ce-time"),
        ({"ce_source": "/closeloop/other/toy"}, "BrokenMessage: ce-source"),
    ],
)
async def test_poison_is_parked_and_holds_only_its_own_stream(
    world: World, poison: dict[str, Any], reason: str
) -> None:
    await made(world)
    bad, good = uuid4(), uuid4()
    async with world.running(bus := world.bus()), world.jetstream() as js:
        await publish(js, [filled(bad, 1, **poison), filled(bad, 2), filled(good, 1), filled(good, 2)])
        await heard(world, 2)
        await until(lambda: are_waiting(world, 1))
        await until_complains(bus, "1 dead letters are parked")
        await until(lambda: idle(bus))
        assert (await world.mirrored(bad), await world.mirrored(good)) == (0, 2)
        assert not bus.status().gaps, "what waits behind a parked message is not a gap"
        letters = letters_of(world)
        (letter,) = await letters.list()
        assert (letter.tenant, letter.stream, letter.version, letter.held) == (TENANT, bad, 1, 1)
        assert re.match(reason, letter.reason), letter.reason
        assert await letters.replay(letter.id) == letter.reason, "nothing has changed, so it stays parked"
        await letters.drop(letter.id)
        assert await world.mirrored(bad) == 1
        await publish(js, [filled(bad, 3)])
        await heard(world, 5)
        await until_well(bus)


async def test_what_an_older_release_did_not_understand_is_handled_by_the_next_one(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While old and new serve side by side, the old one may hear what only the new one knows: that needs no hand."""
    await made(world)
    jar, broken = uuid4(), uuid4()
    said = [filled(jar, 1, schema=2), filled(jar, 2), filled(broken, 1, body=b"{not json")]
    async with world.running(world.bus()), world.jetstream() as js:
        await publish(js, said)
        await until(lambda: _parked(world, 2))
    next_version = type("FilledV2", (Filled,), {"__stored_version__": 2})
    monkeypatch.setitem(CONTRACTS, ("toy", "jar-filled", 2), next_version)
    async with world.running(bus := world.bus()):
        await until(lambda: _parked(world, 1))
        await until_complains(bus, "1 dead letters are parked")
        assert await world.mirrored(jar) == 2


async def test_a_message_that_names_no_stream_is_parked_alone_and_once(world: World) -> None:
    await made(world)
    good = uuid4()
    async with world.running(world.bus()), world.jetstream() as js:
        await js.publish("closeloop.meridian.toy.jar.jar-filled.v1", b"{}")
        await publish(js, [filled(good, 1, ce_subject="no-uuid")] * 2)
        await publish(js, [filled(good, 1, closeloop_public_version="99999999999")])
        await publish(js, [filled(good, 1), filled(good, 2)])
        await heard(world, 2)
        await until(lambda: _parked(world, 3))
        letters = letters_of(world)
        assert {(each.tenant, each.stream, each.version) for each in await letters.list()} == {(None, None, None)}
        for each in await letters.list():
            await letters.drop(each.id)
        assert await parked(world) == 0
    assert await world.mirrored(good) == 2


async def test_a_refusal_is_parked_with_the_problem_and_replay_releases_what_waits(world: World) -> None:
    await made(world)
    jar, open_now = uuid4(), False

    def react(news: News) -> Sequence[Reaction]:
        limit = None if open_now else 0
        mirror = derived_id("mirror", news.tenant, news.stream)
        return [Reaction(rule="mirror", aggregate=jars, stream=mirror, command=Put(things=1, limit=limit))]

    ear = Ear(react=react)
    async with world.running(bus := world.bus(ear)), world.jetstream() as js:
        await publish(js, [filled(jar, version) for version in range(1, 101)])
        await until(lambda: _parked(world, 1))
        await until(lambda: are_waiting(world, 99))
        await publish(js, [filled(jar, 1), filled(jar, 50)])
        await until(lambda: idle(bus))
        (letter,) = await letters_of(world).list()
        assert letter.reason == "refused: the jar is full; rule: T-01; limit: 0"
        assert letter.held == 99
    open_now = True
    assert await letters_of(world, ear).replay(letter.id) is None, "the database is enough, nothing else runs"
    assert (await letters_of(world).show(letter.id)).status == "replayed"
    with pytest.raises(Refused):
        await letters_of(world).drop(letter.id)
    assert await world.mirrored(jar) == 100
    assert await waiting(world) == 0


async def test_a_bug_is_parked_at_once_with_its_last_line(world: World) -> None:
    await made(world)
    jar = uuid4()

    def react(_: News) -> Sequence[Reaction]:
        raise KeyError("forgotten")

    async with world.running(world.bus(Ear(react=react))), world.jetstream() as js:
        await publish(js, [filled(jar, 1)])
        await until(lambda: _parked(world, 1))
    (letter,) = await letters_of(world).list()
    assert letter.reason == "a bug: KeyError: 'forgotten'"


async def test_trouble_is_tried_again_and_never_parked(world: World) -> None:
    await made(world)
    first, second, tries = uuid4(), uuid4(), 0

    def react(news: News) -> Sequence[Reaction]:
        nonlocal tries
        tries += 1
        if news.stream == first and tries < 4:
            raise Unavailable("somebody was faster")
        mirror = derived_id("mirror", news.tenant, news.stream)
        return [Reaction(rule="mirror", aggregate=jars, stream=mirror, command=Put(things=1))]

    async with world.running(world.bus(Ear(react=react))), world.jetstream() as js:
        await publish(js, [filled(first, 1), filled(first, 2), filled(second, 1)])
        await heard(world, 3)
    assert (await world.mirrored(first), await world.mirrored(second)) == (2, 1)
    assert await parked(world) == 0


async def _parked(world: World, count: int) -> bool:
    return await parked(world) == count
