"""What others hear about measures: that an action has not been effective."""

from contracts.improvement import CriterionContradicted
from improvement_service.measures.events import Contradicted, Event
from improvement_service.measures.state import Measured


def announce(measured: Measured, happened: Event) -> CriterionContradicted | None:
    match happened:
        case Contradicted() as said:
            assert measured.measure is not None
            return CriterionContradicted(
                action=said.action,
                cycle=said.cycle,
                measure=measured.measure,
                subject=measured.subject,
                reading=said.reading,
                value=said.value,
                threshold=said.threshold,
                at=said.at,
            )
        case _:
            return None
