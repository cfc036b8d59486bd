"""Handling on a real store: what callers may rely on, whatever happens around them."""

import asyncio
from dataclasses import replace
from typing import Any
from uuid import uuid4

import pytest
from making import ask
from toy_jar import Count, Jar, Label, Nothing, Put, Weigh, jars

from events.handling import Handler, Held, KeyReused, Stale
from events.kernel import AllWhere, Refused
from events.store.port import Origin


async def test_a_command_is_decided_and_read_back(handler: Handler) -> None:
    jar = uuid4()
    first = await handler.handle(ask(Put(things=2), jar))
    second = await handler.handle(ask(Put(things=3), jar))
    assert (first.version, first.position, second.version, second.position) == (1, 1, 2, 2)
    assert (await handler.read(jars, "meridian", jar)).state.things == 5
    assert (await handler.read(jars, "meridian", jar, version=1)).state.things == 2
    assert (await handler.read(jars, "elsewhere", jar)).version == 0


async def test_a_known_id_answers_its_first_outcome_before_any_refusal(handler: Handler) -> None:
    jar, id = uuid4(), uuid4()
    first = await handler.handle(ask(Put(things=2, limit=2), jar, id=id, expected=0))
    again = await handler.handle(ask(Put(things=2, limit=2), jar, id=id, expected=0))
    assert (again.version, again.position, again.first) == (first.version, first.position, False)
    with pytest.raises(KeyReused):
        await handler.handle(ask(Put(things=2, limit=2), jar, id=id, fingerprint="other"))


async def test_for_reactions_the_first_decision_stands_whatever_the_fingerprint(handler: Handler) -> None:
    jar, id = uuid4(), uuid4()
    await handler.handle(ask(Put(things=2), jar, id=id, origin=Origin.NEWS))
    again = await handler.handle(ask(Put(things=9), jar, id=id, origin=Origin.NEWS, fingerprint="other"))
    assert not again.first
    assert (await handler.read(jars, "meridian", jar)).state.things == 2


async def test_a_stale_version_is_refused_before_the_domain_is_asked(handler: Handler) -> None:
    jar = uuid4()
    await handler.handle(ask(Put(things=2), jar))
    with pytest.raises(Stale):
        await handler.handle(ask(Put(things=99, limit=1), jar, expected=0))


async def test_a_refusal_leaves_no_record_so_the_id_may_succeed_later(handler: Handler) -> None:
    jar, id = uuid4(), uuid4()
    with pytest.raises(Refused):
        await handler.handle(ask(Put(things=2, limit=1), jar, id=id))
    assert (await handler.handle(ask(Put(things=2, limit=5), jar, id=id))).first


async def test_a_decision_for_no_events_leaves_a_record(handler: Handler) -> None:
    jar, id = uuid4(), uuid4()
    first = await handler.handle(ask(Nothing(), jar, id=id))
    assert (first.version, first.first) == (0, True)
    assert not (await handler.handle(ask(Nothing(), jar, id=id))).first


async def test_many_at_once_on_one_stream_all_succeed(handler: Handler) -> None:
    jar = uuid4()
    answers = await asyncio.gather(*(handler.handle(ask(Put(things=1), jar)) for _ in range(64)))
    assert sorted(answer.version for answer in answers) == list(range(1, 65))


async def test_a_claim_held_by_another_is_refused_at_once_and_names_the_holder(handler: Handler) -> None:
    holder, other = uuid4(), uuid4()
    await handler.handle(ask(Label(label="jam"), holder))
    with pytest.raises(Held) as refusal:
        await handler.handle(ask(Label(label="jam"), other))
    assert refusal.value.members["holder"] == str(holder)


async def test_a_reaction_is_handled_again_against_the_holder_of_its_claim(handler: Handler) -> None:
    holder, other = uuid4(), uuid4()
    await handler.handle(ask(Label(label="jam"), holder))
    outcome = await handler.handle(ask(Label(label="jam"), other, origin=Origin.NEWS))
    assert outcome.stream == holder
    assert (await handler.read(jars, "meridian", other)).version == 0


async def test_a_need_is_read_and_its_version_is_recorded(handler: Handler, store: Any) -> None:
    one, other = uuid4(), uuid4()
    await handler.handle(ask(Put(things=7), other))
    await handler.handle(ask(Count(other=other), one))
    assert (await handler.read(jars, "meridian", one)).state.number == 101
    (counted,) = await store.stream("meridian", "jar", one)
    assert f'"jar:{other}":1' in counted.metadata


async def test_an_aggregate_is_found_by_its_state_so_that_no_two_have_the_same(store: Any, writer: Any) -> None:
    with pytest.raises(TypeError, match="jar and lid have the same state, Jar"):
        Handler(store, writer, [jars, replace(jars, kind="lid")])
    with pytest.raises(TypeError, match=r"jar begins with another state than Jar\(\)"):
        Handler(store, writer, [replace(jars, initial=Jar(things=1))])
    with pytest.raises(TypeError, match="no aggregate whose state is Jar"):
        await Handler(store, writer, []).gather_facts("meridian", [AllWhere(Jar)])


async def test_two_batches_that_are_harmless_alone_cannot_both_miss_the_limit(handler: Handler) -> None:
    jar = uuid4()
    weigh = [Weigh(source="scale", weights=((f"w-{n}", 60),), limit=100) for n in range(2)]
    await asyncio.gather(*(handler.handle(ask(each, jar)) for each in weigh))
    assert (await handler.read(jars, "meridian", jar)).state.overweight


async def test_the_same_side_row_counts_once_and_another_content_is_refused(handler: Handler) -> None:
    jar, other = uuid4(), uuid4()
    await handler.handle(ask(Weigh(source="scale", weights=(("w-1", 60),)), jar))
    again = await handler.handle(ask(Weigh(source="scale", weights=(("w-1", 60),)), jar))
    assert again.version == 1
    with pytest.raises(Refused, match="another content"):
        await handler.handle(ask(Weigh(source="scale", weights=(("w-1", 61),)), other))


async def test_what_the_bus_could_not_carry_is_refused_at_once(
    handler: Handler, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once appended, it would hold back everything that this service has to say after it, to every tenant."""
    monkeypatch.setattr("events.decisions.MOST_PUBLIC_BYTES", 10)
    jar = uuid4()
    with pytest.raises(Refused, match="more than 10 bytes"):
        await handler.handle(ask(Put(things=2), jar))
    assert (await handler.handle(ask(Put(things=1), jar))).version == 1  # odd ones are not announced
