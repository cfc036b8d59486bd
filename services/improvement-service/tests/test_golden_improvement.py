"""What this service stores stays readable, and its folds mean what they meant."""

from pathlib import Path
from typing import Any

import pytest

from events.golden import check_golden, check_released
from events.kernel import Aggregate
from improvement_service.main import service

GOLDEN = Path(__file__).parent / "golden"
AGGREGATES = [feature.aggregate for feature in service.features]
RELEASED = sorted(GOLDEN.glob("releases/*/*.events.jsonl"))


@pytest.mark.parametrize("aggregate", AGGREGATES, ids=lambda aggregate: aggregate.kind)
def test_events_and_folds_are_what_they_were_when_they_were_released(aggregate: Aggregate[Any, Any, Any]) -> None:
    check_golden(aggregate, GOLDEN)


@pytest.mark.parametrize("log", RELEASED, ids=lambda log: f"{log.parent.name}-{log.stem}")
def test_whatever_a_release_has_stored_is_read_and_folds_to_what_it_meant(log: Path) -> None:
    check_released(log, AGGREGATES)


def test_every_kind_of_the_first_release_is_among_them() -> None:
    assert len([log for log in RELEASED if log.parent.name == "0.1.0"]) == len(AGGREGATES)
