"""What findings hear about the corrective actions that they led to."""

from collections.abc import Iterable

from audit_service.findings.aggregate import findings
from audit_service.findings.commands import FollowAction
from audit_service.findings.values import Standing
from contracts.improvement import (
    CorrectiveActionCancelled,
    CorrectiveActionClosed,
    CorrectiveActionOpened,
    CorrectiveActionReopened,
    Source,
    SourceJoined,
    SourceKind,
)
from events.kernel import News, Reaction

HEARD = (
    CorrectiveActionOpened,
    SourceJoined,
    CorrectiveActionReopened,
    CorrectiveActionCancelled,
    CorrectiveActionClosed,
)


def react(news: News) -> Iterable[Reaction]:
    match news.body:
        case CorrectiveActionOpened(sources=sources):
            return _follow(news, sources, Standing.OPEN)
        case SourceJoined(source=source):
            return _follow(news, (source,), Standing.OPEN)
        case CorrectiveActionReopened(sources=sources):
            return _follow(news, sources, Standing.REOPENED)
        case CorrectiveActionCancelled(sources=sources):
            return _follow(news, sources, Standing.CANCELLED)
        case CorrectiveActionClosed(sources=sources):
            return _follow(news, sources, Standing.CLOSED_EFFECTIVE)
        case _:
            return []


def _follow(news: News, sources: Iterable[Source], standing: Standing) -> list[Reaction]:
    command = FollowAction(action=news.stream, number=news.body.number, standing=standing, at=news.at)
    return [
        Reaction(
            rule="follow-corrective-action", aggregate=findings, stream=source.id, command=command, key=str(source.id)
        )
        for source in sources
        if source.kind is SourceKind.FINDING
    ]
