"""What the risks of a service announce: each of them is told what happened to the service."""

from contracts import risk as contract
from risk_service.service_risks.domain import Event, RiskTouched, ServiceRisks


def announce(_known: ServiceRisks, happened: Event) -> object | None:
    match happened:
        case RiskTouched(news=news):
            return contract.RiskTriggered(
                risk=happened.risk,
                service=happened.service,
                trigger=news.trigger,
                cause=news.cause,
                because=news.because,
                happened_at=news.happened_at,
            )
        case _:
            return None
