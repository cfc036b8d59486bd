"""What others hear about coverage: the measure `services-without-sla`."""

from contracts.sla import CoverageCounted
from sla_service.coverage.domain import Counted, Coverage, Event


def announce(_: Coverage, event: Event) -> CoverageCounted | None:
    if isinstance(event, Counted):
        return CoverageCounted(without_sla=len(event.without_sla), services=event.without_sla)
    return None
