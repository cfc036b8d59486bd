"""What every store must answer, whichever engine is behind it: subclass `StoreConformance` and give it a `store`."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from making import PAST, a_row, an_append, an_event

from events.kernel import Unacceptable
from events.store.port import (
    AllRecorded,
    AnotherDatabase,
    Append,
    ClaimHeld,
    Recorded,
    RowDiffers,
    ShapeBehind,
    Store,
    Together,
    VersionMoved,
)


async def one(store: Store, append: Append) -> object:
    (answer,) = await store.append([append])
    return answer


async def won(store: Store, append: Append) -> Recorded:
    answer = await one(store, append)
    assert isinstance(answer, Recorded)
    assert answer.first
    return answer


class StoreConformance:
    """The contract of `events.store.port.Store`, sentence by sentence."""

    # --- versions and positions

    async def test_positions_are_dense_over_all_streams_and_versions_over_one(self, store: Store) -> None:
        one, other = uuid4(), uuid4()
        batch = [an_append(one, events=2), an_append(other), an_append(one, events=3, expected=2)]
        answers = await store.append(batch)
        assert [(a.version, a.position) for a in answers if isinstance(a, Recorded)] == [(2, 2), (1, 3), (5, 6)]
        kept = await store.stream("meridian", "jar", one)
        assert [(event.version, event.position) for event in kept] == [(1, 1), (2, 2), (3, 4), (4, 5), (5, 6)]

    async def test_losers_between_winners_take_no_position(self, store: Store) -> None:
        batch = [an_append(), an_append(expected=7), an_append(events=0), an_append()]
        answers = await store.append(batch)
        assert [getattr(answer, "position", None) for answer in answers] == [1, None, 1, 2]

    # --- command ids

    async def test_the_same_id_twice_in_a_batch_is_done_once_and_answered_twice(self, store: Store) -> None:
        append = an_append(events=2)
        first, again = await store.append([append, append])
        assert isinstance(first, Recorded)
        assert isinstance(again, Recorded)
        assert (first.first, again.first) == (True, False)
        assert again == replace(first, first=False)
        assert len(await store.stream("meridian", "jar", append.stream)) == 2

    async def test_a_known_id_wins_over_every_refusal(self, store: Store) -> None:
        stream, claimed = uuid4(), an_append(claims=["label:jam"])
        first = await won(store, an_append(stream, shape=2, command=UUID(int=1)))
        await store.append([claimed, an_append(stream, expected=1, shape=2)])
        for stale in (
            an_append(stream, command=UUID(int=1)),
            an_append(stream, expected=2, shape=1, command=UUID(int=1)),
            an_append(stream, expected=2, shape=2, claims=["label:jam"], command=UUID(int=1)),
            an_append(uuid4(), fingerprint="of another request", command=UUID(int=1)),
        ):
            assert await one(store, stale) == replace(first, first=False)

    async def test_a_stale_command_whose_id_is_used_again_later_in_the_batch_gets_its_own_answer(
        self, store: Store
    ) -> None:
        stream, id = uuid4(), uuid4()
        await won(store, an_append(stream))
        stale, fresh, again = await store.append(
            [an_append(stream, command=id), an_append(stream, command=id, expected=1), an_append(stream, command=id)]
        )
        assert stale == VersionMoved()
        assert isinstance(fresh, Recorded)
        assert fresh.first
        assert again == replace(fresh, first=False)

    async def test_a_command_id_belongs_to_a_tenant(self, store: Store) -> None:
        append = an_append()
        await won(store, append)
        await won(store, replace(append, tenant="elsewhere", events=[an_event()]))

    async def test_what_is_meant_for_another_database_is_not_appended(self, store: Store) -> None:
        strange, other = an_append(within="another database"), an_append(within="a third one")
        assert await store.append([strange]) == [AnotherDatabase()]
        assert await store.append([strange, other]) == [AnotherDatabase()] * 2
        assert await store.append([Together((strange,))]) == [AnotherDatabase()]
        first, alone, together, last = await store.append([strange, an_append(), Together((an_append(),)), other])
        assert (first, last) == (AnotherDatabase(), AnotherDatabase())
        assert isinstance(alone, Recorded)
        assert isinstance(together, AllRecorded)
        assert (alone.position, together.each[0].position) == (1, 2)
        assert await store.append([]) == []

    async def test_the_record_says_what_the_command_came_to(self, store: Store) -> None:
        append = an_append(events=3, status=201, fingerprint="request")
        await won(store, append)
        loaded = await store.load("meridian", "jar", uuid4(), append.command)
        assert loaded.version == 0
        assert loaded.recorded == Recorded("jar", append.stream, 3, 3, 201, "request", append.origin, first=False)
        assert (await store.load("elsewhere", "jar", append.stream, append.command)).recorded is None

    # --- refusals, in this order: version, shape, claims, rows

    async def test_two_commands_on_one_stream_in_a_batch_each_get_their_own_answer(self, store: Store) -> None:
        stream = uuid4()
        first, second = await store.append([an_append(stream), an_append(stream)])
        assert isinstance(first, Recorded)
        assert second == VersionMoved()

    async def test_the_checks_come_in_the_order_version_shape_claims_rows(self, store: Store) -> None:
        stream = uuid4()
        await won(store, an_append(stream, shape=2, rows=[a_row()]))
        await won(store, an_append(claims=["label:jam"]))
        wrong = an_append(stream, expected=0, shape=1, claims=["label:jam"], rows=[a_row(body="61")])
        assert await one(store, wrong) == VersionMoved()
        assert await one(store, replace(wrong, expected=1)) == ShapeBehind()
        assert isinstance(await one(store, replace(wrong, expected=1, shape=2)), ClaimHeld)
        assert await one(store, replace(wrong, expected=1, shape=2, claims=[])) == RowDiffers("weight", "scale", "w-1")

    async def test_whoever_loses_leaves_nothing(self, store: Store) -> None:
        stream = uuid4()
        await won(store, an_append(stream, shape=2, claims=["label:jam"], rows=[a_row()]))
        losers = [
            an_append(stream, claims=["label:new"], rows=[a_row("w-2")]),
            an_append(stream, expected=1, shape=1, claims=["label:new"], rows=[a_row("w-2")]),
            an_append(claims=["label:jam", "label:new"], rows=[a_row("w-2")]),
            an_append(claims=["label:new"], rows=[a_row("w-2"), a_row(body="61")]),
        ]
        for loser in losers:
            assert not isinstance(await one(store, loser), Recorded)
            loaded = await store.load("meridian", "jar", loser.stream, loser.command)
            assert loaded.recorded is None
            assert loaded.version == (1 if loser.stream == stream else 0)
        assert await store.holder("meridian", "label:new") is None
        assert await store.rows("meridian", "jar", stream, "weight") == [a_row()]
        assert (await won(store, an_append())).position == 2

    async def test_a_decision_for_no_events_leaves_its_record_and_nothing_else(self, store: Store) -> None:
        stream, nothing = uuid4(), an_append(events=0)
        await won(store, an_append(stream, claims=["label:jam"]))
        assert (await won(store, nothing)).version == 0
        assert (await store.load("meridian", "jar", nothing.stream, nothing.command)).state is None
        assert (await won(store, an_append(stream, events=0, expected=1))).version == 1
        assert await store.holder("meridian", "label:jam") == ("jar", stream)
        assert await one(store, an_append(stream, events=0)) == VersionMoved()

    # --- claims

    async def test_claims_are_replaced_by_those_of_the_new_state(self, store: Store) -> None:
        stream = uuid4()
        await won(store, an_append(stream, claims=["a", "b"]))
        await won(store, an_append(stream, expected=1, claims=["b", "c"]))
        holders = [await store.holder("meridian", key) for key in ("a", "b", "c")]
        assert holders == [None, ("jar", stream), ("jar", stream)]
        await won(store, an_append(stream, expected=2))
        assert await store.holder("meridian", "b") is None

    async def test_a_released_claim_can_be_taken_in_the_same_batch(self, store: Store) -> None:
        stream, other = uuid4(), uuid4()
        await won(store, an_append(stream, claims=["a"]))
        held, _, taken = await store.append(
            [an_append(claims=["a"]), an_append(stream, expected=1), an_append(other, claims=["a"])]
        )
        assert held == ClaimHeld("a", "jar", stream)
        assert isinstance(taken, Recorded)
        assert await store.holder("meridian", "a") == ("jar", other)

    async def test_claims_are_held_across_kinds_but_not_across_tenants(self, store: Store) -> None:
        holder = an_append(claims=["a"])
        await won(store, holder)
        assert await one(store, an_append(kind="lid", claims=["a"])) == ClaimHeld("a", "jar", holder.stream)
        await won(store, an_append(tenant="elsewhere", claims=["a"]))

    # --- side rows

    async def test_side_rows_come_back_in_the_order_of_their_arrival(self, store: Store) -> None:
        stream = uuid4()
        first, then = [a_row("w-9"), a_row("w-1"), a_row("w-5")], [a_row("w-2")]
        await won(store, an_append(stream, rows=first))
        await won(store, an_append(stream, expected=1, rows=then))
        assert await store.rows("meridian", "jar", stream, "weight") == [*first, *then]
        assert await store.rows("meridian", "jar", stream, "length") == []

    async def test_one_row_id_has_one_content_in_all_streams_of_a_tenant(self, store: Store) -> None:
        await won(store, an_append(rows=[a_row()]))
        await won(store, an_append(rows=[a_row()]))
        assert await one(store, an_append(rows=[a_row(body="61")])) == RowDiffers("weight", "scale", "w-1")
        await won(store, an_append(tenant="elsewhere", rows=[a_row(body="61")]))

    # --- all or none

    async def test_what_belongs_together_is_appended_in_its_place_and_order(self, store: Store) -> None:
        two = Together((an_append(events=2), an_append(events=0, kind="pot"), an_append()))
        before, both, after = await store.append([an_append(), two, an_append()])
        assert isinstance(both, AllRecorded)
        assert all(each.first for each in both.each)
        assert [(each.kind, each.version, each.position) for each in both.each] == [
            ("jar", 2, 3),
            ("pot", 0, 3),
            ("jar", 1, 4),
        ]
        assert [each.position for each in (before, after) if isinstance(each, Recorded)] == [1, 5]
        loaded = await store.load("meridian", "jar", uuid4(), two.appends[2].command)
        assert loaded.recorded == replace(both.each[2], first=False)

    async def test_of_what_belongs_together_nothing_is_appended_when_one_is_refused(self, store: Store) -> None:
        old, known = an_append(shape=2, claims=["label:jam"], rows=[a_row()]), an_append()
        await store.append([old, known])
        for refused, why in (
            (an_append(expected=3), VersionMoved()),
            (an_append(old.stream, expected=1), ShapeBehind()),
            (an_append(claims=["label:jam"]), ClaimHeld("label:jam", "jar", old.stream)),
            (an_append(rows=[a_row(body="61")]), RowDiffers("weight", "scale", "w-1")),
            (known, VersionMoved()),
        ):
            done = an_append(claims=["label:new"], rows=[a_row("w-2")])
            for appends in ((done, refused), (refused, done)):
                answers = await store.append([Together(appends)])
                assert answers == [why]
                assert (await store.load("meridian", "jar", done.stream, done.command)).version == 0
                assert (await store.load("meridian", "jar", done.stream, done.command)).recorded is None
                assert await store.holder("meridian", "label:new") is None
                assert await store.rows("meridian", "jar", done.stream, "weight") == []
        assert (await won(store, an_append())).position == 3

    async def test_what_has_moved_comes_before_what_is_refused(self, store: Store) -> None:
        known, held = an_append(), an_append(claims=["label:jam"])
        await store.append([known, held])
        refused = an_append(claims=["label:jam"])
        for moved in (known, an_append(known.stream)):
            assert await store.append([Together((refused, moved))]) == [VersionMoved()]

    async def test_those_that_belong_together_are_in_each_others_way(self, store: Store) -> None:
        first = an_append(claims=["label:jam"], rows=[a_row()])
        claims, differs = an_append(claims=["label:jam"]), an_append(rows=[a_row(body="61")])
        refusals = [ClaimHeld("label:jam", "jar", first.stream), RowDiffers("weight", "scale", "w-1")]
        for other, why in zip((claims, differs), refusals, strict=True):
            assert await store.append([Together((first, other))]) == [why]
        assert isinstance(await one(store, first), Recorded)

    async def test_what_is_undone_leaves_its_neighbours_alone(self, store: Store) -> None:
        stream = uuid4()
        undone = Together((an_append(stream, expected=1), an_append(expected=9)))
        answers = await store.append([an_append(stream), undone, an_append(stream, expected=1)])
        assert [getattr(each, "position", None) for each in answers] == [1, None, 2]
        kept = await store.stream("meridian", "jar", stream)
        assert [(event.version, event.position) for event in kept] == [(1, 1), (2, 2)]

    # --- what is kept

    @pytest.mark.parametrize(
        "data",
        ['{"b":1,"a":2}', '{ "a" : 1.50 }', '{"a":"\\u0000 \\ud83d\\ude00 é é \U0001f600   \\""}', '{"a":1,"a":2}'],
    )
    async def test_data_is_kept_byte_for_byte(self, store: Store, data: str) -> None:
        append = an_append(metadata=data, events=0)
        await won(store, replace(append, events=[an_event(data=data, public=data)]))
        (kept,) = await store.stream("meridian", "jar", append.stream)
        assert (kept.data, kept.metadata, kept.public_body) == (data, data, data)

    async def test_public_versions_count_the_public_bodies_without_gaps(self, store: Store) -> None:
        stream = uuid4()
        bodies = [None, "{}", "{}", None, "{}"]
        await won(store, replace(an_append(stream), events=[an_event(public=body) for body in bodies]))
        await won(store, replace(an_append(stream, expected=5), events=[an_event(), an_event(public="{}")]))
        kept = await store.stream("meridian", "jar", stream)
        assert [event.public_version for event in kept] == [None, 1, 2, None, 3, None, 4]

    async def test_a_stream_is_read_up_to_a_version_or_a_position(self, store: Store) -> None:
        stream = uuid4()
        await store.append([an_append(stream, events=2), an_append(), an_append(stream, expected=2)])
        for limit, versions in (({}, [1, 2, 3]), ({"version": 2}, [1, 2]), ({"position": 3}, [1, 2])):
            assert [e.version for e in await store.stream("meridian", "jar", stream, **limit)] == versions
        assert await store.stream("elsewhere", "jar", stream) == []

    async def test_states_are_found_by_their_fields_oldest_id_first(self, store: Store) -> None:
        ids = [UUID(int=n) for n in (3, 1, 2)]
        await store.append([an_append(id, state='{"label": "jam"}') for id in ids])
        await store.append(
            [an_append(state='{"label": "tea"}'), an_append(tenant="elsewhere", state='{"label": "jam"}')]
        )
        found = await store.where("meridian", "jar", [("label", "jam")], 2)
        assert [row.id for row in found] == [UUID(int=1), UUID(int=2)]

    async def test_refused_data_leaves_nothing_and_is_no_outage(self, store: Store) -> None:
        poisoned = an_append(state='{"a": "\\u0000"}')
        with pytest.raises(Unacceptable):
            await store.append([an_append(), poisoned])
        assert (await won(store, an_append())).position == 1

    # --- time

    async def test_recorded_time_never_falls_and_is_one_for_a_batch(self, store: Store) -> None:
        stream = uuid4()
        await store.append([an_append(stream), an_append(stream, expected=1)])
        await won(store, an_append(stream, expected=2))
        first, second, third = [event.recorded_at for event in await store.stream("meridian", "jar", stream)]
        assert first == second <= third

    async def test_a_past_instant_has_a_position_and_a_future_one_has_none(self, store: Store) -> None:
        stream = uuid4()
        await won(store, an_append(stream))
        (event,) = await store.stream("meridian", "jar", stream)
        assert await store.position_at(event.recorded_at) == 1
        assert await store.position_at(event.recorded_at - timedelta(microseconds=1)) == 0
        with pytest.raises(Unacceptable):
            await store.position_at(datetime(2199, 1, 1, tzinfo=UTC))

    async def test_streams_are_due_from_their_deadline_on_earliest_first(self, store: Store) -> None:
        late, later, never = uuid4(), uuid4(), uuid4()
        await store.append(
            [
                an_append(later, deadline=PAST + timedelta(days=1)),
                an_append(late, deadline=PAST),
                an_append(never, deadline=datetime(2199, 1, 1, tzinfo=UTC)),
            ]
        )
        assert [due.stream for due in await store.due(10)] == [late, later]
        (first,) = await store.due(1)
        assert first.stream == late
        assert [due.stream for due in await store.due(1, after=first)] == [later]
        assert [due.stream for due in await store.due(9, {"jar": 1})] == [late, later]
        assert await store.due(9, {"jar": 0}) == await store.due(9, {"pot": 1}) == []

    async def test_a_parked_deadline_rests_until_its_stream_moves_on(self, store: Store) -> None:
        stream = uuid4()
        await won(store, an_append(stream, deadline=PAST))
        (due,) = await store.due(10)
        await store.park_deadline(due, "it does not move on")
        assert await store.due(10) == []
        await won(store, an_append(stream, expected=1, deadline=PAST))
        (again,) = await store.due(10)
        assert again.version == 2

    # --- numbers

    async def test_numbers_count_on_per_tenant_and_series_and_are_never_given_twice(self, store: Store) -> None:
        given = await asyncio.gather(*(store.next_number("meridian", "CA", 101) for _ in range(20)))
        assert sorted(given) == list(range(101, 121))
        assert await store.next_number("elsewhere", "CA", 101) == 101
        assert await store.next_number("meridian", "F", 1) == 1
