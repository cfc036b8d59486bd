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


async def test_a_body_that_was_done_and_cannot_be_answered_now_is_an_unknown_outcome(
    house: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    ann, process = house("p-ann", "electrician"), house.app.state.process
    append = process.writer.append

    with monkeypatch.context() as patched:

        async def and_then_nothing(asked: Any) -> Any:
            answer = await append(asked)
            patched.setattr(process.store, "load", _fail)
            return answer

        patched.setattr(process.writer, "append", and_then_nothing)
        answer = await ann.post("/v1/light-batches", {"rooms": ["Hall", "Attic"]}, key="k1")
    assert (answer.status_code, answer.json()["type"]) == (503, "/problems/outcome-unknown")
    assert len((await ann.get("/v1/lights")).json()["items"]) == 2
    assert (await ann.post("/v1/light-batches", {"rooms": ["Hall", "Attic"]}, key="k1")).status_code == 200
    assert len((await ann.get("/v1/lights")).json()["items"]) == 2


async def _fail(*_: object, **__: object) -> None:
    raise Unavailable("the database did not answer")
