"""Old events climb to today's classes, step by step, and mean there what they meant; what is kept is never touched."""

import json
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any
from uuid import uuid4

import asyncpg
import pytest
from hypothesis import given
from hypothesis import strategies as st
from making import an_append, an_event, ask
from toy_jar import Jar, Put, WasPut, jars

from events.codec import UnknownEvent, canonical, codec_of
from events.folding import refold
from events.golden import check_released, record_release
from events.handling import Handler
from events.kernel import Aggregate, event
from events.refolder import Refolder
from events.store.folds import Folds
from events.store.port import NewEvent
from events.store.postgres import PostgresStore
from events.store.writer import Writer


@event("jar-put", version=3)
class Put3:
    """Version 1 had `thing`; version 2 named it `things`; version 3 splits `what` into `colour` and `fruit`."""

    things: int
    colour: str
    fruit: str


def renamed(data: dict[str, Any]) -> dict[str, Any]:
    return {"things": data["thing"], "what": data["what"]}


def split(data: dict[str, Any]) -> dict[str, Any]:
    colour, _, fruit = data["what"].partition(" ")
    return {"things": data["things"], "colour": colour, "fruit": fruit}


def evolve(jar: Jar, happened: Put3) -> Jar:
    return replace(jar, things=jar.things + happened.things, label=f"{happened.colour}-{happened.fruit}")


CLIMB = MappingProxyType({("jar-put", 1): renamed, ("jar-put", 2): split})
today: Aggregate[Any, Any, Any] = replace(jars, shape=3, events=(Put3,), upcasters=CLIMB, evolve=evolve)

counts = st.integers(min_value=-(2**53), max_value=2**53)
words = st.text(st.characters(codec="utf-8", exclude_characters=" ", exclude_categories=("Cs",)), max_size=9)
versions = st.sampled_from((1, 2, 3))


def written(version: int, things: int, colour: str, fruit: str) -> str:
    """As the code of that version stored it."""
    match version:
        case 1:
            return canonical({"thing": things, "what": f"{colour} {fruit}"})
        case 2:
            return canonical({"things": things, "what": f"{colour} {fruit}"})
    return canonical({"things": things, "colour": colour, "fruit": fruit})


@given(versions, counts, words, words)
def test_whenever_it_was_written_it_means_the_same(version: int, things: int, colour: str, fruit: str) -> None:
    read = codec_of(today).decode("jar-put", version, written(version, things, colour, fruit))
    assert read == Put3(things=things, colour=colour, fruit=fruit)
    name, schema, data = codec_of(today).encode(read)
    assert (name, schema, data) == ("jar-put", 3, written(3, things, colour, fruit))


@given(st.lists(st.tuples(versions, versions, counts, words, words)))
def test_a_history_folds_the_same_whatever_wrote_its_events(history: list[tuple[int, int, int, str, str]]) -> None:
    codec = codec_of(today)
    one, other = (
        today.fold(codec.decode("jar-put", each[which], written(each[which], *each[2:])) for each in history)
        for which in (0, 1)
    )
    assert one == other


@given(st.integers(min_value=4))
def test_a_version_to_come_is_not_guessed(version: int) -> None:
    assert not codec_of(today).knows("jar-put", version)
    with pytest.raises(UnknownEvent):
        codec_of(today).decode("jar-put", version, "{}")


def test_what_is_known_can_be_told_without_reading_it() -> None:
    assert [codec_of(today).knows("jar-put", version) for version in (0, 1, 2, 3, 4)] == [
        False,
        True,
        True,
        True,
        False,
    ]
    assert not codec_of(today).knows("jar-thrown", 1)


def test_a_step_that_is_missing_is_no_way_up() -> None:
    gap = replace(today, upcasters={("jar-put", 1): renamed})
    with pytest.raises(UnknownEvent, match="version 2"):
        codec_of(gap).decode("jar-put", 1, written(1, 1, "red", "plum"))


async def test_a_stream_of_every_version_is_read_decided_on_refolded_and_kept_as_it_was(
    store: PostgresStore, writer: Writer, folds: Folds, sql: asyncpg.Connection
) -> None:
    stream = uuid4()
    events = [
        NewEvent(an_event().id, "jar-put", version, written(version, version, "red", "plum")) for version in (1, 2, 3)
    ]
    await store.append([an_append(stream, events=events)])
    handler = Handler(store, writer, [replace(today, decide=lambda *_: [Put3(things=4, colour="blue", fruit="fig")])])
    assert (await handler.read(today, "meridian", stream)).state.things == 6
    await Refolder(folds, [today]).look()
    assert await sql.fetchval("SELECT state->>'label' FROM states") == "red-plum"
    deciding = next(iter(handler.aggregates.values()))
    await handler.handle(ask(Put(things=0), stream, aggregate=deciding))
    kept = await store.stream("meridian", "jar", stream)
    assert [each.data for each in kept[:3]] == [each.data for each in events]
    assert refold(today, kept).things == 10


# --- the logs of releases ---


@pytest.fixture
def released(tmp_path: Path) -> Path:
    """The log of a release whose jars only were put into."""
    folder = tmp_path / "0.1.0"
    few = replace(jars, events=(WasPut,))
    record_release(folder, few, [[WasPut(things=1), WasPut(things=2)], [WasPut(things=7)]])
    return folder / "jar.events.jsonl"


def test_a_log_holds_the_bytes_that_were_stored(released: Path) -> None:
    lines = [json.loads(line) for line in released.read_text().splitlines()]
    assert [(line["stream"], line["type"], line["schema"], line["data"]) for line in lines] == [
        (1, "jar-put", 1, '{"things":1}'),
        (1, "jar-put", 1, '{"things":2}'),
        (2, "jar-put", 1, '{"things":7}'),
    ]
    folds = [json.loads(line)["state"]["things"] for line in (released.parent / "jar.shape-1.jsonl").open()]
    assert folds == [3, 7]
    check_released(released, [jars])


@event("jar-put")
class WasPutWithDefault:
    """A field was added that old data need not have: it is read, but it is not what was stored."""

    things: int
    care: str = "none"


@event("jar-put", version=2)
class WasPut2:
    things: int
    care: str


def test_an_event_that_was_changed_without_a_version_is_noticed(released: Path) -> None:
    changed = replace(jars, events=(WasPutWithDefault,))
    with pytest.raises(AssertionError, match="jar-put v1 is not what was stored"):
        check_released(released, [changed])


def test_a_new_version_needs_a_way_up_from_the_old_one(released: Path) -> None:
    bare = replace(jars, events=(WasPut2,), evolve=lambda jar, put: replace(jar, things=jar.things + put.things))
    with pytest.raises(UnknownEvent):
        check_released(released, [bare])
    check_released(released, [replace(bare, upcasters={("jar-put", 1): lambda data: {**data, "care": "unknown"}})])


def test_another_fold_needs_another_shape(released: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    doubled = replace(jars, evolve=lambda jar, put: replace(jar, things=jar.things + 2 * put.things))
    with pytest.raises(AssertionError, match="raise the shape"):
        check_released(released, [doubled])
    raised = replace(doubled, shape=2)
    with pytest.raises(AssertionError, match=r"jar.shape-2.jsonl of 0.1.0 is missing"):
        check_released(released, [raised])
    with monkeypatch.context() as writing:
        writing.setenv("CLOSELOOP_GOLDEN", "write")
        check_released(released, [raised])
    check_released(released, [raised])


def test_a_kind_that_was_stored_must_stay_readable(released: Path) -> None:
    with pytest.raises(AssertionError, match=r"0.1.0 stored jar, and nobody can read it any more"):
        check_released(released, [])


def test_a_release_tells_of_every_event_and_is_recorded_once(released: Path) -> None:
    with pytest.raises(AssertionError, match="no stream tells of"):
        record_release(released.parent.parent / "0.2.0", jars, [[WasPut(things=1)]])
    with pytest.raises(AssertionError, match="recorded once"):
        record_release(released.parent, replace(jars, events=(WasPut,)), [[WasPut(things=1)]])
