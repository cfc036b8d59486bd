"""What others hear about coverage: the measure `services-without-sla`."""

from contracts.sla import CoverageCounted
from sla_service.coverage.domain import Counted, Coverage, Event


def announce(_: Coverage, happened: Event) -> CoverageCounted | None:
    if isinstance(happened, Counted):
        return CoverageCounted(without_sla=len(happened.without_sla), services=happened.without_sla)
    return None
