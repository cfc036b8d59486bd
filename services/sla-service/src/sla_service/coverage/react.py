"""How coverage follows the catalogue and the agreements: by what this service itself announces."""

from collections.abc import Iterable

from contracts.sla import ServiceListed, ServiceRetired, SlaActivated, SlaEnded
from events.kernel import News, Reaction
from sla_service.coverage.aggregate import coverage, coverage_id
from sla_service.coverage.domain import AddAgreement, AddService, Command, RemoveAgreement, RemoveService

HEARD = (ServiceListed, ServiceRetired, SlaActivated, SlaEnded)


def react(news: News) -> Iterable[Reaction]:
    match news.body:
        case ServiceListed(service=service):
            return [_count(news, AddService(service=service))]
        case ServiceRetired(service=service):
            return [_count(news, RemoveService(service=service))]
        case SlaActivated(service=service):
            return [_count(news, AddAgreement(sla=news.stream, service=service))]
        case SlaEnded(service=service):
            return [_count(news, RemoveAgreement(sla=news.stream, service=service))]
        case _:
            return []


def _count(news: News, command: Command) -> Reaction:
    return Reaction(
        rule="coverage follows catalogue and agreements",
        aggregate=coverage,
        stream=coverage_id(news.tenant),
        command=command,
    )
