"""What every database must answer to the consumers: subclass `IncomingConformance` and give it an `incoming`."""

from dataclasses import replace
from uuid import UUID, uuid4

import pytest

from events.message import Message
from events.store.bus_port import Early, Incoming, Listener, Mark
from events.store.port import Unavailable

TOY, OTHER, TENANT = "toy", "other", "meridian"


def news(version: int, text: str = "jam") -> Message:
    """A message; its body says which."""
    return Message("closeloop.meridian.toy.jar.jar-filled.v1", {"ce-id": f"e-{version}"}, f"{text} {version}".encode())


def early(stream: UUID, version: int) -> Early:
    return Early(TENANT, stream, version, news(version))


async def mark(incoming: Incoming, stream: UUID, source: str = TOY) -> Mark:
    return (await incoming.marks(source, [(TENANT, stream)]))[TENANT, stream]


async def waiting_versions(incoming: Incoming, stream: UUID | None = None) -> list[int]:
    """The versions that have their turn now, and what waits behind them."""
    found = await incoming.ready(TOY, [(TENANT, stream)]) if stream else await incoming.ready()
    return [int(each.message.headers["ce-id"][2:]) for each in found]


async def parked(incoming: Incoming, stream: UUID, version: int, reason: str = "why") -> bool:
    return await incoming.park(TOY, news(version), early(stream, version), reason)


class IncomingConformance:
    """The contract of `events.store.bus_port.Incoming`, sentence by sentence."""

    # --- how far a stream was heard

    async def test_a_stream_never_heard_is_at_version_0(self, incoming: Incoming) -> None:
        known, new = uuid4(), uuid4()
        await incoming.advance(TOY, {(TENANT, known): 3})
        marks = await incoming.marks(TOY, [(TENANT, new), (TENANT, known)])
        assert marks == {(TENANT, known): Mark(3, False), (TENANT, new): Mark(0, False)}

    async def test_how_far_is_known_per_tenant_and_source(self, incoming: Incoming) -> None:
        stream = uuid4()
        await incoming.advance(TOY, {(TENANT, stream): 3})
        assert (await mark(incoming, stream, OTHER)).version == 0
        elsewhere = ("elsewhere", stream)
        assert await incoming.marks(TOY, [elsewhere]) == {elsewhere: Mark(0, False)}

    async def test_a_mark_never_goes_back(self, incoming: Incoming) -> None:
        stream = uuid4()
        await incoming.advance(TOY, {(TENANT, stream): 3})
        await incoming.advance(TOY, {(TENANT, stream): 2})
        assert (await mark(incoming, stream)).version == 3

    async def test_a_mark_is_not_moved_in_another_database(self, incoming: Incoming) -> None:
        stream = uuid4()
        with pytest.raises(Unavailable):
            await incoming.advance(TOY, {(TENANT, stream): 3}, identity="another database")
        found = await mark(incoming, stream)
        assert found.version == 0
        await incoming.advance(TOY, {(TENANT, stream): 3}, identity=found.identity)
        assert (await mark(incoming, stream)).version == 3

    # --- what waits

    async def test_what_has_its_turn_is_not_kept_but_handed_back(self, incoming: Incoming) -> None:
        stream = uuid4()
        await incoming.advance(TOY, {(TENANT, stream): 2})
        messages = [early(stream, version) for version in (2, 3, 4)]
        assert await incoming.keep(TOY, messages) == messages[:2]
        assert await waiting_versions(incoming) == []
        await incoming.advance(TOY, {(TENANT, stream): 3})
        assert await waiting_versions(incoming) == [4]

    async def test_what_has_its_turn_but_cannot_be_handled_for_now_is_kept_too(self, incoming: Incoming) -> None:
        stream = uuid4()
        await incoming.advance(TOY, {(TENANT, stream): 2})
        messages = [early(stream, version) for version in (2, 3, 4)]
        assert await incoming.keep(TOY, messages, in_turn=True) == messages[:1]
        assert await waiting_versions(incoming, stream) == [3, 4]
        assert await incoming.gaps(0) == []
        await incoming.advance(TOY, {(TENANT, stream): 3})
        assert await waiting_versions(incoming, stream) == [4]

    async def test_a_kept_message_comes_back_as_it_came_with_all_that_wait_behind_it(self, incoming: Incoming) -> None:
        stream = uuid4()
        odd = Message("a subject", {"ce-id": "é \\ \U0001f600", "empty": ""}, bytes(range(256)))
        await incoming.keep(TOY, [replace(early(stream, 2), message=odd)])
        await incoming.keep(TOY, [early(stream, 5), early(stream, 3)])
        assert await incoming.ready(TOY, [(TENANT, stream)]) == []
        await incoming.advance(TOY, {(TENANT, stream): 1})
        ready = await incoming.ready(TOY, [(TENANT, stream)])
        assert [(each.source, each.message) for each in ready] == [(TOY, odd), (TOY, news(3)), (TOY, news(5))]

    async def test_the_first_of_two_copies_is_kept(self, incoming: Incoming) -> None:
        stream = uuid4()
        for text in ("first", "second"):
            await incoming.keep(TOY, [replace(early(stream, 2), message=news(2, text))])
        await incoming.advance(TOY, {(TENANT, stream): 1})
        (ready,) = await incoming.ready()
        assert ready.message.body == b"first 2"

    async def test_ready_is_asked_of_some_streams_or_of_all(self, incoming: Incoming) -> None:
        one, other = UUID(int=1), UUID(int=2)
        await incoming.keep(TOY, [early(other, 2), early(one, 2)])
        await incoming.keep(OTHER, [early(one, 2)])
        await incoming.advance(TOY, {(TENANT, one): 1, (TENANT, other): 1})
        assert await waiting_versions(incoming, one) == [2]
        assert await incoming.ready(OTHER, [(TENANT, other)]) == []
        assert [each.source for each in await incoming.ready()] == [TOY, TOY]
        await incoming.advance(OTHER, {(TENANT, one): 1})
        assert sorted(each.source for each in await incoming.ready()) == [OTHER, TOY, TOY]

    async def test_no_more_of_a_stream_is_ready_than_64_versions(self, incoming: Incoming) -> None:
        stream = uuid4()
        await incoming.keep(TOY, [early(stream, version) for version in range(2, 80)])
        await incoming.advance(TOY, {(TENANT, stream): 1})
        assert await waiting_versions(incoming) == list(range(2, 66))

    async def test_what_is_ready_of_all_comes_page_by_page(self, incoming: Incoming) -> None:
        streams = [UUID(int=n) for n in range(1, 11)]
        for stream in streams:
            await incoming.keep(TOY, [early(stream, version) for version in range(2, 66)])
        await incoming.keep(OTHER, [early(streams[3], 2)])
        await incoming.advance(TOY, {(TENANT, stream): 1 for stream in streams})
        await incoming.advance(OTHER, {(TENANT, streams[3]): 1})
        seen, last = [], None
        while page := await incoming.ready(after=last):
            assert len(page) <= 256
            seen, last = [*seen, *page], page[-1]
        assert {(each.source, each.key[1]) for each in seen} == {(TOY, each) for each in streams} | {
            (OTHER, streams[3])
        }

    async def test_what_is_passed_waits_no_more(self, incoming: Incoming) -> None:
        stream = uuid4()
        await incoming.keep(TOY, [early(stream, 2), early(stream, 3), early(stream, 4)])
        await incoming.advance(TOY, {(TENANT, stream): 3})
        assert await waiting_versions(incoming) == [4]
        await incoming.tidy()
        assert await waiting_versions(incoming) == [4]

    # --- gaps

    async def test_a_gap_names_the_version_that_others_wait_for(self, incoming: Incoming) -> None:
        stream = uuid4()
        await incoming.advance(TOY, {(TENANT, stream): 1})
        await incoming.keep(TOY, [early(stream, 4), early(stream, 3)])
        (gap,) = await incoming.gaps(0)
        assert (gap.source, gap.tenant, gap.stream, gap.missing) == (TOY, TENANT, stream, 2)
        assert 0 < gap.seconds < 60
        assert await incoming.gaps(60) == []
        await incoming.advance(TOY, {(TENANT, stream): 2})
        assert await incoming.gaps(0) == []

    async def test_the_oldest_gap_comes_first(self, incoming: Incoming) -> None:
        streams = [uuid4() for _ in range(25)]
        for stream in streams:
            await incoming.keep(TOY, [early(stream, 2)])
        assert [gap.stream for gap in await incoming.gaps(0)] == streams[:20]

    async def test_what_waits_behind_a_parked_message_is_no_gap(self, incoming: Incoming) -> None:
        stream = uuid4()
        await incoming.keep(TOY, [early(stream, 2)])
        await parked(incoming, stream, 1)
        assert await incoming.gaps(0) == []

    # --- dead letters

    async def test_a_parked_message_holds_its_stream_until_it_is_passed(self, incoming: Incoming) -> None:
        stream = uuid4()
        await incoming.keep(TOY, [early(stream, 2)])
        assert await parked(incoming, stream, 1, "it cannot be read")
        assert await mark(incoming, stream) == Mark(0, True)
        assert await incoming.ready() == []
        (letter,) = await incoming.letters()
        assert (letter.source, letter.tenant, letter.stream, letter.version) == (TOY, TENANT, stream, 1)
        assert (letter.message, letter.reason, letter.status) == (news(1), "it cannot be read", "parked")
        assert (letter.held, letter.settled_at) == (1, None)
        await incoming.advance(TOY, {(TENANT, stream): 1}, "dropped")
        assert await mark(incoming, stream) == Mark(1, False)
        assert await waiting_versions(incoming) == [2]
        settled = await incoming.letter(letter.id)
        assert settled == replace(letter, status="dropped", settled_at=settled.settled_at if settled else None)
        assert settled.settled_at >= letter.parked_at

    async def test_a_parked_message_that_waited_does_so_no_more(self, incoming: Incoming) -> None:
        stream = uuid4()
        await incoming.keep(TOY, [early(stream, 2), early(stream, 3)])
        await incoming.advance(TOY, {(TENANT, stream): 1})
        await parked(incoming, stream, 2)
        assert [letter.held for letter in await incoming.letters()] == [1]
        assert (await mark(incoming, stream)).parked

    async def test_what_was_handled_meanwhile_is_not_parked(self, incoming: Incoming) -> None:
        stream = uuid4()
        await incoming.advance(TOY, {(TENANT, stream): 2})
        assert not await parked(incoming, stream, 2)
        assert await incoming.letters(None) == []
        assert await parked(incoming, stream, 3)

    async def test_the_same_message_is_parked_once_for_its_latest_reason(self, incoming: Incoming) -> None:
        stream = uuid4()
        assert await parked(incoming, stream, 1, "one")
        assert not await parked(incoming, stream, 1, "other\x00" + "." * 3000)
        (letter,) = await incoming.letters()
        assert letter.reason == "other " + "." * 1994
        assert await incoming.parked() == 1

    async def test_a_settled_letter_stays_settled(self, incoming: Incoming) -> None:
        nowhere = news(1)
        assert await incoming.park(TOY, nowhere, None, "it names no stream")
        (letter,) = await incoming.letters()
        assert (letter.tenant, letter.stream, letter.version, letter.held) == (None, None, None, 0)
        await incoming.settle(letter.id, "dropped")
        await incoming.settle(letter.id, "replayed")
        assert not await incoming.park(TOY, nowhere, None, "again")
        (settled,) = await incoming.letters(None)
        assert (settled.status, settled.reason) == ("dropped", "it names no stream")
        assert (await incoming.letters(), await incoming.parked()) == ([], 0)

    async def test_messages_that_name_no_stream_are_parked_each_for_itself(self, incoming: Incoming) -> None:
        for version in (1, 2):
            assert await incoming.park(TOY, news(version), None, "it names no stream")
        redelivered = replace(news(1), headers={**news(1).headers, "Nats-Msg-Id": "another"})
        assert not await incoming.park(TOY, redelivered, None, "it names no stream")
        assert [letter.message for letter in await incoming.letters()] == [news(1), news(2)]

    async def test_letters_come_oldest_first_and_one_by_its_id(self, incoming: Incoming) -> None:
        streams = [uuid4() for _ in range(5)]
        for stream in streams:
            await parked(incoming, stream, 1)
        letters = await incoming.letters()
        assert [letter.stream for letter in letters] == streams
        assert await incoming.letter(letters[3].id) == letters[3]
        assert await incoming.letter(uuid4()) is None

    async def test_letters_come_page_by_page(self, incoming: Incoming) -> None:
        streams = [uuid4() for _ in range(103)]
        for stream in streams:
            await parked(incoming, stream, 1)
        first = await incoming.letters()
        assert len(first) == 100
        others = await incoming.letters(after=first[-1])
        assert [letter.stream for letter in [*first, *others]] == streams
        assert await incoming.letters(after=others[-1]) == []

    async def test_letters_of_some_reasons_are_found_by_how_these_begin(self, incoming: Incoming) -> None:
        for version, reason in enumerate(["Unknown: a type", "refused", "Broken: a body", "it is Unknown"]):
            await incoming.park(TOY, news(version), None, reason)
        found = await incoming.letters(reasons=("Unknown", "Broken"))
        assert [letter.reason for letter in found] == ["Unknown: a type", "Broken: a body"]
        assert await incoming.letters(after=found[0], reasons=("Unknown", "Broken")) == found[1:]

    # --- what of a JetStream stream was heard

    async def test_a_listener_moves_from_where_it_last_was(self, incoming: Incoming) -> None:
        assert await incoming.listener(TOY) is None
        begun = await incoming.listen(TOY, "monday", 10)
        assert begun == await incoming.listener(TOY) == Listener("monday", 10, begun.identity, begun.identity)
        assert begun.identity
        assert await incoming.heard(TOY, begun, 12)
        assert not await incoming.heard(TOY, begun, 14)
        assert await incoming.listener(TOY) == replace(begun, handled=12)
        assert await incoming.listener(OTHER) is None

    async def test_a_listener_of_another_stream_or_database_does_not_move(self, incoming: Incoming) -> None:
        begun = await incoming.listen(TOY, "monday", 10)
        for other in (replace(begun, created="tuesday"), replace(begun, identity="restored")):
            assert not await incoming.heard(TOY, other, 12)
        assert await incoming.listen(TOY, "tuesday", 0) == replace(begun, created="tuesday", handled=0)

    # --- in which database

    async def test_nothing_is_written_down_in_another_database_than_it_was_done_in(self, incoming: Incoming) -> None:
        stream = uuid4()
        here = (await mark(incoming, stream)).identity
        assert here
        with pytest.raises(Unavailable):
            await incoming.advance(TOY, {(TENANT, stream): 1}, identity="restored")
        with pytest.raises(Unavailable):
            await incoming.listen(TOY, "monday", 10, "restored")
        assert (await mark(incoming, stream)).version == 0
        assert await incoming.listener(TOY) is None
        await incoming.advance(TOY, {(TENANT, stream): 1}, identity=here)
        assert (await incoming.listen(TOY, "monday", 10, here)).identity == here
