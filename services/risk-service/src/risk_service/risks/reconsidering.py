"""What the news of a service do to its risks (K-06).

A breach re-assesses by itself, by the rule of the criteria. So does a corrective action that proved ineffective: its
level stays (the outage that proved it is judged by the breach rule), but whoever accepted the risk counted on the
action; and a person must look again. Everything else waits for a person. Any order of news has the same outcome.
What is closed hears nothing, nor does what is not there: others may know a risk that our log has lost.
"""

from collections.abc import Sequence
from dataclasses import replace
from uuid import UUID

from events.kernel import Given
from events.words import day_of
from risk_service.criteria.aggregate import CRITERIA
from risk_service.risks.assessing import residual_of
from risk_service.risks.commands import Reconsider
from risk_service.risks.events import Assessed, Event, Reviewed, TriggerHeard
from risk_service.risks.state import Occurrence, Risk, Status, evolve
from risk_service.risks.values import Kind, Rating
from risk_service.words import TOP, Trigger


def reconsider(risk: Risk, news: Reconsider, given: Given) -> Sequence[Event]:
    if risk.status in (Status.ABSENT, Status.CLOSED) or news.cause in risk.heard:
        return []
    heard = TriggerHeard(
        trigger=news.trigger,
        cause=news.cause,
        because=news.because,
        service=news.service,
        on=day_of(news.happened_at, given.only(CRITERIA).criteria.zone),
        at=news.happened_at,
    )
    # Nothing can be raised that was never rated; and a breach says nothing about an opportunity's likelihood.
    if not risk.assessments or risk.kind is Kind.OPPORTUNITY:
        return [heard]
    match news.trigger:
        case Trigger.BREACH:
            return [heard, _after_breach(risk, heard, given)]
        case Trigger.ACTION_INEFFECTIVE:
            return [heard, _by_rule(risk, heard, risk.latest.current, given)]
        case _:
            return [heard]


def _after_breach(before: Risk, heard: TriggerHeard, given: Given) -> Assessed | Reviewed:
    risk, current = evolve(before, heard), before.latest.current
    needed = given.only(CRITERIA).criteria.breaches_per_step
    if Occurrence(service=heard.service, on=heard.on) in before.breaches:
        return _unchanged(risk, heard, f"another breach of {heard.service} on {heard.on}", given)
    if current.likelihood == TOP:
        return _unchanged(risk, heard, "the likelihood is on the highest step already", given)
    if risk.breaches_counted < needed:
        return _unchanged(risk, heard, f"breach {risk.breaches_counted} of the {needed} that raise it", given)
    raised = replace(current, likelihood=current.likelihood + 1)
    return _by_rule(replace(risk, breaches_counted=0), heard, raised, given, settles=(heard.cause,))


def _unchanged(risk: Risk, heard: TriggerHeard, why: str, given: Given) -> Reviewed:
    assert risk.reviewed_on is not None
    assert risk.next_review is not None
    return Reviewed(
        assessment=risk.assessment,
        reason=f"{why}; {heard.because}",
        settles=(heard.cause,),
        reviewed_on=risk.reviewed_on,
        next_review=risk.next_review,
        by=given.by.person,
        at=given.at,
    )


def _by_rule(
    risk: Risk, heard: TriggerHeard, current: Rating, given: Given, settles: tuple[UUID, ...] = ()
) -> Assessed:
    """An assessment without a person: the next review still counts from the last look that a person took."""
    assert risk.reviewed_on is not None
    in_force = given.only(CRITERIA)
    return replace(
        risk.latest,
        assessment=risk.assessment + 1,
        current=current,
        residual=residual_of(risk, current),
        level=current.level,
        limit=in_force.criteria.limit,
        criteria_version=in_force.version,
        trigger=heard.trigger,
        cause=heard.cause,
        rationale=heard.because,
        settles=settles,
        breaches_counted=risk.breaches_counted,
        reviewed_on=risk.reviewed_on,
        next_review=in_force.criteria.next_review(current.level, risk.reviewed_on),
        zone=in_force.criteria.zone,
        by=given.by.person,
        at=given.at,
    )
