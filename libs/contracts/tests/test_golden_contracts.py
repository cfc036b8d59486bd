"""What services announce is a contract: it changes by a new version, never in place."""

from pathlib import Path

import pytest

import contracts.audit
import contracts.improvement
import contracts.risk
import contracts.sla
from events.golden import check_golden_contracts
from events.kernel import CONTRACTS

SERVICES = [
    each.__name__.rsplit(".", 1)[1] for each in (contracts.audit, contracts.improvement, contracts.risk, contracts.sla)
]


@pytest.mark.parametrize("service", SERVICES)
def test_public_events_are_what_they_were_when_they_were_released(service: str) -> None:
    announced = [
        contract for (by, _, _), contract in sorted(CONTRACTS.items(), key=lambda item: item[0]) if by == service
    ]
    check_golden_contracts(service, announced, Path(__file__).parent / "golden")
