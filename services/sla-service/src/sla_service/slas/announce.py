"""What others hear about agreements."""

from contracts.sla import SlaActivated, SlaEnded
from sla_service.slas.events import Activated, Ended, Event
from sla_service.slas.state import Sla


def announce(sla: Sla, happened: Event) -> SlaActivated | SlaEnded | None:
    match happened:
        case Activated():
            return SlaActivated(
                number=sla.number,
                service=sla.service,
                customer=sla.customer,
                version=happened.version,
                effective_from=sla.version(happened.version).terms.effective_from,
                judges_from=sla.version(happened.version).applies_from,
                targets=_targets(sla),
            )
        case Ended():
            return SlaEnded(
                number=sla.number,
                service=sla.service,
                customer=sla.customer,
                ended_on=happened.ended_on,
                targets=_targets(sla),
            )
        case _:
            return None


def _targets(sla: Sla) -> tuple[str, ...]:
    """All that the versions in force, then or now, ever promised: a month may know several of them."""
    return tuple(dict.fromkeys(target.key for version in sla.versions_in_force for target in version.terms.targets))
