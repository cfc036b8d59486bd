"""Golden files notice what must not change unnoticed: old events, and the meaning of a shape."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from later_jar import doubling
from toy_jar import Filled, WasPut, jars

from events.codec import UnknownEvent
from events.golden import check_golden, check_golden_contracts
from events.kernel import Aggregate, event, public

few: Aggregate[Any, Any, Any] = replace(jars, events=(WasPut,))


@pytest.fixture
def golden(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The files of a release."""
    with monkeypatch.context() as released:
        released.setenv("CLOSELOOP_GOLDEN", "write")
        check_golden(few, tmp_path)
        check_golden(jars, tmp_path / "all")
        check_golden_contracts("toy", [Filled], tmp_path)
    monkeypatch.delenv("CLOSELOOP_GOLDEN", raising=False)
    return tmp_path


def test_what_did_not_change_passes(golden: Path) -> None:
    check_golden(few, golden)
    check_golden(jars, golden / "all")
    check_golden_contracts("toy", [Filled], golden)


def test_a_changed_event_is_noticed(golden: Path) -> None:
    @event("jar-put")
    class WasPutElsewhere:
        things: int
        where: str

    with pytest.raises(AssertionError, match="jar-put v1 is not what it was"):
        check_golden(replace(few, events=(WasPutElsewhere,)), golden)


def test_a_changed_contract_is_noticed(golden: Path) -> None:
    @public("toy-again", "jar", "jar-filled")
    class FilledMore:
        things: int

    with pytest.raises(AssertionError, match="jar-filled v1 is not what it was"):
        check_golden_contracts("toy", [FilledMore], golden)


def test_an_old_version_must_stay_readable(golden: Path) -> None:
    @event("jar-put", version=2)
    class Thrown:
        things: int

    upgraded = replace(
        few,
        events=(Thrown,),
        upcasters={("jar-put", 1): lambda data: data},
        evolve=lambda jar, event: replace(jar, things=jar.things + event.things),
    )
    with pytest.raises(AssertionError, match="jar-put v2 is not in"):
        check_golden(upgraded, golden)
    released = '{"jar-put v1": [{"things": 1}], "jar-put v2": [{"things": 1}, {"things": 1}]}'
    (golden / "jar.events.json").write_text(released)
    check_golden(upgraded, golden)
    with pytest.raises(UnknownEvent):
        check_golden(replace(upgraded, upcasters={}), golden)


def test_a_fold_that_means_something_else_needs_another_shape(golden: Path) -> None:
    for changed in (
        replace(few, evolve=doubling),
        replace(few, claims=lambda jar: [f"things:{jar.things}"]),
        replace(few, deadline=lambda _: datetime(2020, 1, 1, tzinfo=UTC)),
    ):
        with pytest.raises(AssertionError, match="not what shape 1 means"):
            check_golden(changed, golden)
        with pytest.raises(AssertionError, match=r"jar.shape-2.json is missing"):
            check_golden(replace(changed, shape=2), golden)
