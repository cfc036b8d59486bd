"""What the news of a corrective action leave for the next audit to look at."""

from collections.abc import Iterable

from audit_service.follow_up_items.aggregate import follow_up_item_id, follow_up_items
from audit_service.follow_up_items.commands import TakeNote
from audit_service.follow_up_items.values import Cause, Note
from contracts.improvement import CorrectiveActionClosed, CorrectiveActionReopened, Source, SourceKind
from events.kernel import News, Reaction

HEARD = (CorrectiveActionReopened, CorrectiveActionClosed)


def react(news: News) -> Iterable[Reaction]:
    """A re-opened action is looked at whatever it came from; a closed one where an audit had found it."""
    match news.body:
        case CorrectiveActionReopened(sources=sources, cycle=cycle, reason=reason):
            return _note(news, sources, Note(at=news.at, cause=Cause.INEFFECTIVE, cycle=cycle, text=reason))
        case CorrectiveActionClosed(sources=sources, cycle=cycle, verified_by=verifier):
            found = [source for source in sources if source.kind is SourceKind.FINDING]
            text = f"Verified as effective by {verifier}: see whether it lasts"
            return _note(news, found, Note(at=news.at, cause=Cause.CLOSED, cycle=cycle, text=text))
        case _:
            return []


def _note(news: News, sources: Iterable[Source], note: Note) -> list[Reaction]:
    return [
        Reaction(
            rule="note-for-next-audit",
            aggregate=follow_up_items,
            stream=follow_up_item_id(news.tenant, news.stream, service),
            command=TakeNote(
                action=news.stream,
                action_number=news.body.number,
                service=service,
                owner=news.body.owner,
                note=note,
            ),
            key=service or "",
        )
        for service in dict.fromkeys(source.service for source in sources)
    ]
