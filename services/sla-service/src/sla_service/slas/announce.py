"""What others hear about agreements."""

from datetime import date

from contracts.sla import SlaActivated, SlaEnded
from sla_service.months import first_day, month_of_day
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
            )
        case Ended():
            return SlaEnded(
                number=sla.number,
                service=sla.service,
                customer=sla.customer,
                ended_on=happened.ended_on,
                targets=_targets_of_the_last_month(sla, happened.ended_on),
            )
        case _:
            return None


def _targets_of_the_last_month(sla: Sla, last: date) -> tuple[str, ...]:
    version = sla.governing(first_day(month_of_day(last)), last)
    return tuple(target.key for target in version.terms.targets) if version else ()
