"""Races between replicas: somebody else always appends between our load and our append."""

import asyncio
import json
from dataclasses import replace
from datetime import datetime
from uuid import UUID, uuid4

import pytest
from making import an_append, ask
from processes import client, lines
from racing import raced
from toy_jar import Label, Nothing, Put, Weigh, jars

from events.handling import ATTEMPTS, MOST_ROWS, Handler, Held, Instruction, KeyReused, Propose, Stale
from events.kernel import Refused, Unacceptable
from events.store.database import Database
from events.store.port import Origin, Recorded, Unavailable
from events.store.postgres import PostgresStore
from events.store.writer import Writer


async def test_a_conflict_is_decided_again_with_the_same_id_time_and_ids_at_most_five_times(
    db: Database, elsewhere: Handler
) -> None:
    jar = uuid4()
    handler, store, writer = await raced(db, lambda: elsewhere.handle(ask(Put(things=1), jar)))
    with pytest.raises(Unavailable):
        await handler.handle(ask(Put(things=10), jar))
    assert len(store.tried) == ATTEMPTS == 5
    assert [append.expected for append in store.tried] == [0, 1, 2, 3, 4]
    assert len({append.command for append in store.tried}) == 1
    assert len({json.loads(append.metadata)["at"] for append in store.tried}) == 1
    assert len({append.events[0].id for append in store.tried}) == 1
    assert [json.loads(append.state)["things"] for append in store.tried] == [10, 11, 12, 13, 14]
    await writer.stop()


async def test_the_fifth_attempt_still_counts(db: Database, elsewhere: Handler) -> None:
    jar, rivals = uuid4(), iter([Put(things=1)] * 4)

    async def faster() -> None:
        if rival := next(rivals, None):
            await elsewhere.handle(ask(rival, jar))

    handler, _, writer = await raced(db, faster)
    assert (await handler.handle(ask(Put(things=10), jar))).version == 5
    await writer.stop()


async def test_a_rule_is_asked_again_about_what_became_true_in_between(db: Database, elsewhere: Handler) -> None:
    """Each fits alone. A decision on a state that was kept from before would let both in."""
    jar = uuid4()
    handler, _, writer = await raced(db, lambda: elsewhere.handle(ask(Put(things=6), jar)))
    with pytest.raises(Refused, match="full"):
        await handler.handle(ask(Put(things=6, limit=10), jar))
    await writer.stop()


async def test_decisions_never_use_a_cached_state(handler: Handler, elsewhere: Handler) -> None:
    jar = uuid4()
    for _ in range(3):
        await handler.handle(ask(Put(things=1), jar))
        await elsewhere.handle(ask(Put(things=1), jar))
    with pytest.raises(Refused, match="full"):
        await handler.handle(ask(Put(things=1, limit=6), jar))


async def test_who_has_seen_a_version_is_not_decided_again_on_another(db: Database, elsewhere: Handler) -> None:
    jar = uuid4()
    handler, store, writer = await raced(db, lambda: elsewhere.handle(ask(Put(things=1), jar)))
    with pytest.raises(Stale):
        await handler.handle(ask(Put(things=10), jar, expected=0))
    assert len(store.tried) == 1
    await writer.stop()


async def test_twins_in_two_replicas_are_one_command_with_one_answer(handler: Handler, elsewhere: Handler) -> None:
    """Also where the second, alone, would be refused: the answer of the first wins."""
    for _ in range(10):
        jar = uuid4()
        twin = ask(Put(things=10, limit=10), jar, expected=0)
        answers = await asyncio.gather(handler.handle(twin), elsewhere.handle(twin))
        assert [answer.version for answer in answers] == [1, 1]
        assert sorted(answer.first for answer in answers) == [False, True]


async def test_a_refusal_looks_once_more_for_the_answer_of_its_twin(db: Database, elsewhere: Handler) -> None:
    """The twin is done after we looked for its record and before we decide."""
    jar = uuid4()
    twin = ask(Put(things=10, limit=10), jar)

    class Late(PostgresStore):
        looks = 0

        async def load(self, tenant: str, kind: str, stream: UUID, command: UUID | None):  # type: ignore[no-untyped-def]
            self.looks += 1
            if self.looks == 1:
                before = await super().load(tenant, kind, stream, command)
                await elsewhere.handle(twin)
                now = await super().load(tenant, kind, stream, None)
                return type(before)(now.version, now.shape, now.state, before.now, before.recorded)
            return await super().load(tenant, kind, stream, command)

    writer = Writer(PostgresStore(db))
    writer.start()
    answer = await Handler(Late(db), writer, [jars]).handle(twin)
    assert (answer.version, answer.first) == (1, False)
    await writer.stop()


async def test_only_http_callers_can_reuse_a_key_for_something_else(handler: Handler) -> None:
    for origin in Origin:
        jar, id = uuid4(), uuid4()
        await handler.handle(ask(Put(things=1), jar, id=id, origin=origin, fingerprint="one"))
        again = ask(Put(things=9), jar, id=id, origin=origin, fingerprint="another")
        if origin is Origin.HTTP:
            with pytest.raises(KeyReused):
                await handler.handle(again)
        else:
            assert not (await handler.handle(again)).first


async def test_a_key_reused_in_a_race_is_still_told_apart(handler: Handler, elsewhere: Handler) -> None:
    jar, id = uuid4(), uuid4()
    answers = await asyncio.gather(
        handler.handle(ask(Put(things=1), jar, id=id, fingerprint="one")),
        elsewhere.handle(ask(Put(things=2), jar, id=id, fingerprint="another")),
        return_exceptions=True,
    )
    assert sorted(type(answer).__name__ for answer in answers) == ["KeyReused", "Recorded"]


async def test_two_batches_in_two_replicas_that_are_harmless_alone_cannot_both_miss_the_limit(
    handler: Handler, elsewhere: Handler
) -> None:
    for _ in range(10):
        jar = uuid4()
        one, other = (ask(Weigh(source="scale", weights=((f"w-{n}", 60),), limit=100), jar) for n in range(2))
        await asyncio.gather(handler.handle(one), elsewhere.handle(other))
        found = (await handler.read(jars, "meridian", jar)).state
        assert (found.weight, found.overweight) == (120, True)


# --- claims


async def test_a_released_claim_is_free_for_others(handler: Handler) -> None:
    first, second = uuid4(), uuid4()
    await handler.handle(ask(Label(label="jam"), first))
    await handler.handle(ask(Label(label="tea"), first))
    assert (await handler.handle(ask(Label(label="jam"), second))).version == 1
    with pytest.raises(Held):
        await handler.handle(ask(Label(label="tea"), second))


async def test_a_claim_conflict_is_no_version_conflict_and_is_not_tried_again(db: Database, elsewhere: Handler) -> None:
    holder = uuid4()
    handler, store, writer = await raced(db, lambda: elsewhere.handle(ask(Label(label="jam"), holder)))
    with pytest.raises(Held) as refusal:
        await handler.handle(ask(Label(label="jam"), uuid4()))
    assert refusal.value.members == {"holder": str(holder), "key": "label:jam"}
    assert len(store.tried) == 1
    await writer.stop()


async def test_a_reaction_joins_the_holder_with_the_same_id(handler: Handler, store: PostgresStore) -> None:
    holder = uuid4()
    await handler.handle(ask(Label(label="jam"), holder))
    reaction = ask(Label(label="jam"), uuid4(), origin=Origin.NEWS)
    joined = await handler.handle(reaction)
    assert (joined.stream, joined.version, joined.first) == (holder, 1, True)
    loaded = await store.load("meridian", "jar", holder, reaction.id)
    assert loaded.recorded
    assert loaded.recorded.stream == holder
    again = await handler.handle(reaction)
    assert (again.stream, again.first) == (holder, False)


async def test_two_reactions_at_once_in_two_replicas_end_in_one_stream(handler: Handler, elsewhere: Handler) -> None:
    for n in range(10):
        asked = [ask(Label(label=f"jam-{n}"), uuid4(), origin=Origin.NEWS) for _ in range(2)]
        answers = await asyncio.gather(handler.handle(asked[0]), elsewhere.handle(asked[1]))
        assert len({answer.stream for answer in answers}) == 1


# --- processes of their own


async def test_two_processes_on_one_stream_lose_nothing(database: str, handler: Handler) -> None:
    jar = uuid4()
    async with client(database, "put", str(jar)) as one, client(database, "put", str(jar)) as other:
        for process in (one, other):
            await lines(process, 1)
        outputs = await asyncio.gather(*(process.communicate(b"go\n") for process in (one, other)))
    assert [len(output.split()) for output, _ in outputs] == [20, 20]
    found = await handler.read(jars, "meridian", jar)
    assert (found.version, found.state.things) == (40, 40)


async def test_of_two_processes_that_race_for_a_claim_one_gets_it(database: str, store: PostgresStore) -> None:
    async with client(database, "label", "jam") as one, client(database, "label", "jam") as other:
        for process in (one, other):
            await lines(process, 1)
        outputs = await asyncio.gather(*(process.communicate(b"go\n") for process in (one, other)))
    said = [line for output, _ in outputs for line in output.decode().split()]
    winners = [line for line in said if line != "held"]
    assert len(said) == 40
    assert len(winners) == 1
    assert await store.holder("meridian", "label:jam") == ("jar", UUID(winners[0]))


# --- records


async def test_only_winners_and_decisions_for_no_events_leave_a_record(handler: Handler, store: PostgresStore) -> None:
    holder, jar = uuid4(), uuid4()
    await handler.handle(ask(Label(label="jam"), holder))
    cases = [
        (ask(Put(things=1), jar), True),
        (ask(Nothing(), jar), True),
        (ask(Put(things=9, limit=1), jar), False),
        (ask(Put(things=1), jar, expected=0), False),
        (ask(Label(label="jam"), jar), False),
    ]
    for asked, recorded in cases:
        if recorded:
            await handler.handle(asked)
        else:
            with pytest.raises(Refused):
                await handler.handle(asked)
        assert bool((await store.load("meridian", "jar", jar, asked.id)).recorded) is recorded


async def test_what_is_stored_does_not_depend_on_where_or_when_it_lands(handler: Handler, store: PostgresStore) -> None:
    """Body and state hold neither position nor recorded time, so they can be compared and copied as bytes."""
    jar, kept = uuid4(), []
    for tenant in ("meridian", "elsewhere"):
        await store.append([an_append(tenant=tenant)])
        answer = await handler.handle(replace(ask(Put(things=2), jar), tenant=tenant))
        (event,) = await store.stream(tenant, "jar", jar)
        state = (await store.load(tenant, "jar", jar, None)).state
        kept.append((event.data, event.public_body, event.public_version, state))
        assert answer.position != 1
    assert kept[0] == kept[1]


async def test_what_others_hear_is_told_of_the_state_after_the_event(handler: Handler, store: PostgresStore) -> None:
    jar = uuid4()
    await handler.handle(ask(Label(label="jam"), jar))
    await handler.handle(ask(Put(things=3), jar))
    await handler.handle(ask(Put(things=4), jar))
    heard = [
        (e.version, e.public_version, e.public_type, e.public_body) for e in await store.stream("meridian", "jar", jar)
    ]
    assert heard == [
        (1, None, None, None),
        (2, None, None, None),
        (3, 1, "toy.jar.jar-filled", '{"label":"jam","things":7}'),
    ]


async def test_all_at_once_in_one_process_queue_behind_each_other_and_never_conflict(db: Database) -> None:
    jar = uuid4()
    handler, store, writer = await raced(db, lambda: asyncio.sleep(0))
    answers = await asyncio.gather(*(handler.handle(ask(Put(things=1), jar)) for _ in range(20)))
    assert len(store.tried) == 20
    assert all(isinstance(answer, Recorded) for answer in answers)
    await writer.stop()


# --- commands that belong together


async def test_of_commands_that_belong_together_none_is_done_when_one_is_refused_at_the_last_moment(
    db: Database, elsewhere: Handler
) -> None:
    """Both may be done when they are decided; when they are appended, somebody else has filled the second jar."""
    empty, full = uuid4(), uuid4()
    handler, _, writer = await raced(db, lambda: elsewhere.handle(ask(Put(things=10), full)))
    orders = [ask(Put(things=1), empty), ask(Put(things=1, limit=10), full)]
    with pytest.raises(Refused, match="full"):
        await handler.handle_together(proposing(orders))
    assert (await elsewhere.read(jars, "meridian", empty)).version == 0
    assert [await elsewhere.outcome("meridian", each.id) for each in orders] == [None, None]
    await writer.stop()


async def test_commands_that_belong_together_are_decided_again_together(db: Database, elsewhere: Handler) -> None:
    one, other, rivals = uuid4(), uuid4(), iter([Put(things=1)] * 4)

    async def faster() -> None:
        if rival := next(rivals, None):
            await elsewhere.handle(ask(rival, other))

    handler, store, writer = await raced(db, faster)
    await handler.handle_together(proposing([ask(Put(things=10), one), ask(Put(things=10), other)]))
    assert [(await elsewhere.read(jars, "meridian", jar)).version for jar in (one, other)] == [1, 5]
    ats = {json.loads(append.metadata)["at"] for each in store.tried for append in each.appends}
    assert (len(store.tried), len(ats)) == (ATTEMPTS, 1)
    await writer.stop()


async def test_twins_of_commands_that_belong_together_are_carried_out_once(
    handler: Handler, elsewhere: Handler
) -> None:
    orders = [ask(Put(things=1), uuid4()), ask(Put(things=1), uuid4())]

    async def until_done(_: datetime) -> list[Instruction]:
        done = [await handler.outcome("meridian", each.id) for each in orders]
        return [] if all(done) else orders

    await asyncio.gather(*(each.handle_together(until_done) for each in [handler, elsewhere] * 5))
    assert [(await handler.read(jars, "meridian", each.stream)).version for each in orders] == [1, 1]


async def test_those_who_need_the_same_streams_in_another_order_do_not_wait_for_ever(handler: Handler) -> None:
    one, other = uuid4(), uuid4()
    await asyncio.gather(
        *(
            handler.handle_together(proposing([ask(Put(things=1), a), ask(Put(things=1), b)]))
            for a, b in [(one, other), (other, one)] * 4
        )
    )
    assert [(await handler.read(jars, "meridian", jar)).version for jar in (one, other)] == [8, 8]


async def test_more_rows_than_can_be_appended_at_once_are_turned_away(handler: Handler) -> None:
    weights = tuple((f"w-{n}", 1) for n in range(MOST_ROWS // 2 + 1))
    orders = [ask(Weigh(source="scale", weights=weights, limit=10**6), uuid4()) for _ in range(2)]
    with pytest.raises(Unacceptable, match="send it in parts"):
        await handler.handle_together(proposing(orders))
    await handler.handle_together(proposing(orders[:1]))


def proposing(orders: list[Instruction]) -> Propose:
    async def same(_: datetime) -> list[Instruction]:
        return orders

    return same
