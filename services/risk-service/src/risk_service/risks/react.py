"""What a risk listens to: what happened to its services, and what became of the action that it caused itself."""

from collections.abc import Iterable

from contracts.improvement import CorrectiveActionClosed, CorrectiveActionReopened, Source, SourceKind
from contracts.risk import RiskTriggered
from events.kernel import News, Reaction
from risk_service.risks.aggregate import risks
from risk_service.risks.commands import Reconsider
from risk_service.words import Trigger

HEARD = (RiskTriggered, CorrectiveActionReopened, CorrectiveActionClosed)


def react(news: News) -> Iterable[Reaction]:
    match news.body:
        case RiskTriggered() as told:
            yield _reconsider_with_service(told)
        case CorrectiveActionReopened(sources=sources) as action:
            why = f"{action.number} was not effective: cycle {action.cycle} begins"
            yield from _reconsider_sources(news, sources, Trigger.ACTION_INEFFECTIVE, why)
        case CorrectiveActionClosed(sources=sources) as action:
            why = f"{action.number} was closed as effective"
            yield from _reconsider_sources(news, sources, Trigger.ACTION_CLOSED, why)


def _reconsider_with_service(told: RiskTriggered) -> Reaction:
    command = Reconsider(
        trigger=Trigger(told.trigger),
        cause=told.cause,
        because=told.because,
        service=told.service,
        happened_at=told.happened_at,
    )
    return Reaction(rule="reconsider-risk", aggregate=risks, stream=told.risk, command=command)


def _reconsider_sources(news: News, sources: Iterable[Source], trigger: Trigger, why: str) -> Iterable[Reaction]:
    for source in sources:
        if source.kind is SourceKind.RISK:
            command = Reconsider(
                trigger=trigger, cause=news.event, because=why, service=source.service, happened_at=news.at
            )
            yield Reaction(
                rule="reconsider-source", aggregate=risks, stream=source.id, command=command, key=str(source.id)
            )
