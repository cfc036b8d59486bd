"""When the database fails in the middle of an answer: what was appended is never told as "nothing was done"."""

from typing import Any

import pytest

from chassis.testing import Served
from events.store.port import Unavailable


async def test_what_was_done_but_cannot_be_shown_has_an_unknown_outcome(
    house: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    ann = house("p-ann", "electrician")
    with monkeypatch.context() as patched:
        patched.setattr(house.app.state.process.handler, "read", _fail)
        answer = await ann.post("/v1/lights", {"room": "Hall"}, key="k1")
    assert (answer.status_code, answer.json()["type"]) == (503, "/problems/outcome-unknown")
    assert len((await ann.get("/v1/lights")).json()["items"]) == 1
    assert (await ann.post("/v1/lights", {"room": "Hall"}, key="k1")).status_code == 201


async def test_of_several_commands_some_done_is_an_unknown_outcome_and_a_repetition_does_the_rest(
    house: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    ann, writer = house("p-ann", "electrician"), house.app.state.process.writer
    append, done = writer.append, 0

    async def twice(asked: Any) -> Any:
        nonlocal done
        done += 1
        return await (append(asked) if done <= 2 else _fail())

    with monkeypatch.context() as patched:
        patched.setattr(writer, "append", twice)
        answer = await ann.post("/v1/light-batches", {"rooms": ["Hall", "Attic"]}, key="k1")
    assert (answer.status_code, answer.json()["type"]) == (503, "/problems/outcome-unknown")
    assert len((await ann.get("/v1/lights")).json()["items"]) == 1
    assert (await ann.post("/v1/light-batches", {"rooms": ["Hall", "Attic"]}, key="k1")).status_code == 200
    assert len((await ann.get("/v1/lights")).json()["items"]) == 2


async def _fail(*_: object, **__: object) -> None:
    raise Unavailable("the database did not answer")
