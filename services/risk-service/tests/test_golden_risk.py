"""What this service stores stays readable, and its folds mean what they meant."""

from pathlib import Path
from typing import Any

import pytest

from events.golden import check_golden
from events.kernel import Aggregate
from risk_service.main import service

AGGREGATES = [feature.aggregate for feature in service.features]


@pytest.mark.parametrize("aggregate", AGGREGATES, ids=lambda aggregate: aggregate.kind)
def test_events_and_folds_are_what_they_were_when_they_were_released(aggregate: Aggregate[Any, Any, Any]) -> None:
    check_golden(aggregate, Path(__file__).parent / "golden")
