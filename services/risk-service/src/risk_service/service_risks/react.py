"""What a service's risks listen to: new risks of our own, and what the other services say about the service."""

from collections.abc import Iterable

from contracts.audit import FindingAmended, FindingIssued, Grade
from contracts.improvement import CorrectiveActionReopened
from contracts.risk import RiskRegistered
from contracts.sla import BreachConfirmed
from events.kernel import News, Reaction
from risk_service.service_risks.aggregate import service_risks, service_risks_id
from risk_service.service_risks.domain import Link, ServiceNews, Tell
from risk_service.words import Trigger

HEARD = (RiskRegistered, BreachConfirmed, FindingIssued, FindingAmended, CorrectiveActionReopened)


def react(news: News) -> Iterable[Reaction]:
    match news.body:
        case RiskRegistered() as risk:
            for service in risk.services:
                yield _link(news, service)
        case BreachConfirmed() as breach:
            yield _tell(news, breach.service, _of_breach(news, breach))
        case FindingIssued(grade=Grade.MAJOR, service=str(service)) as finding:
            yield _tell(news, service, _of_finding(news, finding))
        case FindingAmended(grade=Grade.MAJOR, service=str(service)) as finding:
            if finding.previous_grade is not Grade.MAJOR:
                yield _tell(news, service, _of_finding(news, finding))
        case CorrectiveActionReopened() as action:
            for service in dict.fromkeys(source.service for source in action.sources if source.service):
                yield _tell(news, service, _of_action(news, action))


def _link(news: News, service: str) -> Reaction:
    return Reaction(
        rule="link-risk-to-service",
        aggregate=service_risks,
        stream=service_risks_id(news.tenant, service),
        command=Link(service=service, risk=news.stream, registered_at=news.at),
        key=service,
    )


def _tell(news: News, service: str, told: ServiceNews) -> Reaction:
    return Reaction(
        rule="tell-risks-of-service",
        aggregate=service_risks,
        stream=service_risks_id(news.tenant, service),
        command=Tell(service=service, news=told),
        key=service,
    )


def _of_breach(news: News, breach: BreachConfirmed) -> ServiceNews:
    missed = f"{breach.sla_number}, {breach.target} in {breach.month}: {breach.used} of {breach.budget}"
    return ServiceNews(trigger=Trigger.BREACH, cause=news.event, because=missed, happened_at=breach.at, told_at=news.at)


def _of_finding(news: News, finding: FindingIssued | FindingAmended) -> ServiceNews:
    return ServiceNews(
        trigger=Trigger.MAJOR_FINDING,
        cause=news.event,
        because=f"major finding {finding.number} on clause {finding.clause}",
        happened_at=news.at,
        told_at=news.at,
    )


def _of_action(news: News, action: CorrectiveActionReopened) -> ServiceNews:
    return ServiceNews(
        trigger=Trigger.ACTION_INEFFECTIVE,
        cause=news.event,
        because=f"{action.number} was not effective: cycle {action.cycle} begins",
        happened_at=news.at,
        told_at=news.at,
    )
