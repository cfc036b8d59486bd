"""What corrective actions hear: findings, breaches and risks, and the measures that contradict them."""

from collections.abc import Iterable
from uuid import UUID

from contracts.audit import NONCONFORMITIES, FindingAmended, FindingIssued, FindingWithdrawn
from contracts.improvement import CriterionContradicted, Source, SourceKind
from contracts.risk import RiskAboveLimit
from contracts.sla import BreachConfirmed, BreachWithdrawn
from events.kernel import News, Reaction, derived_id
from events.words import as_line
from improvement_service.corrective_actions.aggregate import corrective_actions
from improvement_service.corrective_actions.commands import Command, Contradict, Open, Regrade, Withdraw
from improvement_service.policies.rules import Occasion

HEARD = (
    FindingIssued,
    FindingAmended,
    FindingWithdrawn,
    BreachConfirmed,
    BreachWithdrawn,
    RiskAboveLimit,
    CriterionContradicted,
)


def react(news: News) -> Iterable[Reaction]:
    match news.body:
        case FindingIssued() as told:
            # An observation never forces an action, whatever the policy says.
            if told.grade in NONCONFORMITIES:
                yield _reaction("open-for-finding", news, Open(occasion=_finding(news, told)))
        case FindingAmended() as told:
            regrade = Regrade(occasion=_finding(news, told), previous_grade=told.previous_grade, reason=told.reason)
            yield _reaction("follow-amendment", news, regrade)
        case FindingWithdrawn() as told:
            source = Source(kind=SourceKind.FINDING, id=news.stream, label=told.number, service=None)
            yield _reaction("follow-withdrawal", news, Withdraw(source=source, at=news.at, reason=told.reason))
        case BreachConfirmed() as told:
            yield _reaction("open-for-breach", news, Open(occasion=_breach(news, told)))
        case BreachWithdrawn() as told:
            withdraw = Withdraw(source=_source_of(news, told), at=news.at, reason="Not missed, by what is known now")
            yield _reaction("follow-withdrawn-breach", news, withdraw)
        case RiskAboveLimit() as told:
            yield _reaction("open-for-risk", news, Open(occasion=_risk(news, told)))
        case CriterionContradicted() as told:
            yield _reaction("reopen-as-contradicted", news, _contradict(news, told), stream=told.action)


def _reaction(rule: str, news: News, command: Command, stream: UUID | None = None) -> Reaction:
    return Reaction(rule=rule, aggregate=corrective_actions, stream=stream or _new_stream(news), command=command)


def _new_stream(news: News) -> UUID:
    """Each occasion has its own stream, so that a source may need an action again after one was closed."""
    return derived_id("corrective-action", news.tenant, news.service, news.stream, news.event)


def _finding(news: News, told: FindingIssued | FindingAmended) -> Occasion:
    source = Source(
        kind=SourceKind.FINDING, id=news.stream, label=told.number, service=told.service, clause=told.clause
    )
    return Occasion(source=source, event=news.event, at=news.at, summary=told.statement, grade=told.grade)


def _breach(news: News, told: BreachConfirmed) -> Occasion:
    return Occasion(
        source=_source_of(news, told),
        event=news.event,
        at=told.at,  # when the budget was gone, however late the service found out
        summary=f"{told.service} for {told.customer}, {told.month}: {told.used} of {told.budget}",
        metric=told.metric,
        target=told.target,
    )


def _source_of(news: News, told: BreachConfirmed | BreachWithdrawn) -> Source:
    label = as_line(f"{told.target} {told.month} {told.sla_number}")
    return Source(kind=SourceKind.BREACH, id=news.stream, label=label, service=told.service)


def _risk(news: News, told: RiskAboveLimit) -> Occasion:
    service = next(iter(told.services), None)
    return Occasion(
        source=Source(kind=SourceKind.RISK, id=news.stream, label=told.number, service=service),
        event=news.event,
        at=news.at,
        summary=f"{told.title}: level {told.level}, limit {told.limit}",
        owner=told.owner,
    )


def _contradict(news: News, told: CriterionContradicted) -> Contradict:
    return Contradict(
        action=told.action,
        cycle=told.cycle,
        measure=told.measure,
        reading=told.reading,
        value=told.value,
        threshold=told.threshold,
        read_at=told.at,
        at=news.at,
    )
