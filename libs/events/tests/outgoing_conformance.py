"""What every database must answer to the relay: subclass `OutgoingConformance`; give it `outgoing` and `store`."""

import asyncio
from dataclasses import replace
from uuid import UUID, uuid4

import pytest
from incoming_conformance import TENANT, news
from making import an_append, an_event

from events.store.bus_port import Behind, Lost, Noted, Outgoing
from events.store.port import Store, Unavailable


def a_loss(position: int, stream: UUID | None = None, version: int = 1, event: UUID | None = None) -> Lost:
    """An announcement that others have heard, and our log does not have."""
    return Lost(event or uuid4(), position, TENANT, stream or uuid4(), version, news(version))


class OutgoingConformance:
    """The contract of `events.store.bus_port.Outgoing`, sentence by sentence."""

    # --- who leads

    async def test_one_leads_until_the_lease_is_over(self, outgoing: Outgoing) -> None:
        assert await outgoing.lease("a", 60) == 1
        assert await outgoing.lease("a", 0.05) == 1
        assert await outgoing.lease("b", 60) is None
        await asyncio.sleep(0.06)
        assert await outgoing.lease("b", 60) == 2
        assert await outgoing.lease("a", 60) is None

    async def test_who_returns_before_others_keeps_the_epoch(self, outgoing: Outgoing) -> None:
        assert await outgoing.lease("a", -1) == 1
        assert await outgoing.lease("a", -1) == 1
        assert await outgoing.lease("b", -1) == 2
        assert await outgoing.lease("a", 60) == 3

    async def test_a_released_lead_is_free_at_once(self, outgoing: Outgoing) -> None:
        await outgoing.lease("a", 60)
        await outgoing.release("b")
        assert await outgoing.lease("b", 60) is None
        await outgoing.release("a")
        assert await outgoing.lease("b", 60) == 2

    async def test_a_lease_that_is_longer_than_any_was_given_by_a_clock_that_stepped_back_since(
        self, outgoing: Outgoing
    ) -> None:
        """Whoever held it may be dead, and would lead for as long as the clock went back."""
        assert await outgoing.lease("a", 3600) == 1
        assert await outgoing.lease("b", 8) == 2
        assert await outgoing.lease("a", 8) is None

    # --- the checkpoint

    async def test_only_the_latest_epoch_moves_the_checkpoint_from_where_it_is(self, outgoing: Outgoing) -> None:
        assert await outgoing.take_over(1) == 0
        assert await outgoing.move(1, 0, 5)
        assert not await outgoing.move(1, 0, 6)
        assert await outgoing.take_over(3) == 5
        assert await outgoing.take_over(2) is None
        assert not await outgoing.move(1, 5, 6)
        assert await outgoing.move(3, 5, 2), "back too: what the bus has lost is told again"
        assert await outgoing.take_over(3) == 2

    # --- the announcements

    async def test_the_tail_is_what_others_hear_in_order_and_where_the_log_ends(
        self, outgoing: Outgoing, store: Store
    ) -> None:
        assert (await outgoing.tail(0, 10)).head == 0
        spoken = [an_event(public="{}"), an_event(), an_event(public='{"a":1}'), an_event(public="{}"), an_event()]
        append = an_append(events=spoken)
        await store.append([append])
        kept = await store.stream(TENANT, "jar", append.stream)
        tail = await outgoing.tail(0, 10)
        assert (tail.head, list(tail.events)) == (5, [kept[0], kept[2], kept[3]])
        tail = await outgoing.tail(1, 1)
        assert (tail.head, list(tail.events)) == (5, [kept[2]])
        tail = await outgoing.tail(4, 10)
        assert (tail.head, list(tail.events)) == (5, [])
        assert (await outgoing.tail(9, 10)).head == 5

    async def test_announcements_are_known_by_their_positions(self, outgoing: Outgoing, store: Store) -> None:
        append = an_append(events=[an_event(public="{}"), an_event(), an_event(public="{}")])
        await store.append([append])
        first, _, third = await store.stream(TENANT, "jar", append.stream)
        assert await outgoing.at([-1, 0, 1, 2, 3, 4]) == {1: first, 3: third}
        assert await outgoing.at([]) == {}

    async def test_the_bus_is_behind_by_what_is_not_on_it(self, outgoing: Outgoing, store: Store) -> None:
        assert await outgoing.behind() == Behind(0, 0, 0.0)
        await store.append([an_append(events=[an_event(), an_event(public="{}"), an_event()])])
        behind = await outgoing.behind()
        assert (behind.head, behind.checkpoint) == (3, 0)
        assert 0 < behind.oldest < 60
        epoch = await outgoing.lease("a", 60)
        assert epoch
        await outgoing.take_over(epoch)
        await outgoing.move(epoch, 0, 2)
        assert await outgoing.behind() == Behind(3, 2, 0.0)

    async def test_the_tail_names_checkpoint_and_database_and_only_in_that_one_the_checkpoint_moves(
        self, outgoing: Outgoing
    ) -> None:
        await outgoing.take_over(1)
        tail = await outgoing.tail(0, 10)
        assert (tail.checkpoint, tail.identity) == (0, (await outgoing.noted()).identity)
        assert not await outgoing.move(1, 0, 5, "another database")
        assert await outgoing.move(1, 0, 5, tail.identity)
        assert (await outgoing.tail(0, 10)).checkpoint == 5

    # --- what others have heard

    async def test_what_is_known_of_the_stream_is_noted_by_who_leads_in_this_database(self, outgoing: Outgoing) -> None:
        nothing = await outgoing.noted()
        assert (nothing.created, nothing.sequence) == ("", 0)
        assert nothing.identity
        await outgoing.take_over(2)
        known = replace(nothing, created="monday", sequence=7)
        assert not await outgoing.note(1, known)
        assert not await outgoing.note(2, replace(known, identity="another database"))
        assert await outgoing.note(2, known)
        assert await outgoing.noted() == known

    async def test_what_was_given_up_is_kept_and_positions_go_on_behind_it(
        self, outgoing: Outgoing, store: Store
    ) -> None:
        await store.append([an_append(events=[an_event(public="{}")])])
        lost = [a_loss(position) for position in (9, 7, 8)]
        restore = await outgoing.give_up(lost, replace(await outgoing.noted(), created="monday", sequence=9))
        assert (restore.number, restore.last_position, restore.goes_on_after, restore.lost) == (1, 1, 9, 3)
        assert await outgoing.lost_announcements() == [lost[1], lost[2], lost[0]]
        assert await outgoing.lost_announcements(9) == [lost[0]]
        assert await outgoing.lost([lost[0].event, uuid4()]) == {lost[0].event}
        assert (await outgoing.noted()).sequence == 9
        await store.append([an_append(events=[an_event(public="{}")])])
        assert [event.position for event in (await outgoing.tail(0, 10)).events] == [1, 10]
        again = await outgoing.give_up([a_loss(4)], await outgoing.noted())
        assert (again.number, again.last_position, again.goes_on_after) == (2, 10, 10)

    async def test_human_numbers_that_others_know_are_skipped(self, outgoing: Outgoing, store: Store) -> None:
        assert await store.next_number(TENANT, "CA", 101) == 101
        await outgoing.give_up([a_loss(7), a_loss(9)], await outgoing.noted())
        assert await store.next_number(TENANT, "CA", 101) == 105
        assert await store.next_number(TENANT, "F", 1) == 1

    async def test_in_another_database_nothing_is_given_up(self, outgoing: Outgoing) -> None:
        with pytest.raises(Unavailable):
            await outgoing.give_up([a_loss(9)], Noted("monday", 9, "another database"))
        assert await outgoing.lost_announcements() == []
        assert (await outgoing.behind()).head == 0

    async def test_numbers_and_ids_that_others_have_heard_are_never_used_again(
        self, outgoing: Outgoing, store: Store
    ) -> None:
        one, two, three, four = (an_event(public="{}") for _ in range(4))
        append = an_append(events=[one])
        await store.append([append])
        noted = await outgoing.noted()
        lost = [a_loss(position, stream=append.stream, version=position) for position in (2, 4)]
        await outgoing.give_up([*lost, a_loss(5, event=three.id)], noted)
        await store.append([an_append(stream=append.stream, expected=1, events=[two, three, four])])
        told = (await outgoing.tail(0, 10)).events
        assert [event.public_version for event in told] == [1, 3, 5, 6]
        assert [event.id == was.id for event, was in zip(told, (one, two, three, four), strict=True)] == [
            True,
            True,
            False,
            True,
        ]
        assert await outgoing.at(event.position for event in told) == {event.position: event for event in told}
        await outgoing.give_up([a_loss(20, stream=append.stream, version=7, event=told[2].id)], noted)
        assert list((await outgoing.tail(0, 10)).events) == list(told), "what was told is told so for ever"
