"""Assessing and reviewing a risk against the criteria in force (K-01, K-03, K-06)."""

from collections.abc import Sequence
from uuid import UUID

from events.kernel import Given, Refused, Unacceptable, derived_id, value
from events.words import day_of
from risk_service.criteria.aggregate import CRITERIA
from risk_service.risks.commands import Assess, EvaluateTreatment, Review
from risk_service.risks.events import Assessed, Event, Reviewed, TreatmentEvaluated, TriggerHeard
from risk_service.risks.state import Risk, review_due_at
from risk_service.risks.values import Kind, Rating
from risk_service.words import Trigger


def assess(risk: Risk, assess: Assess, given: Given) -> Sequence[Assessed]:
    residual = assess.residual or residual_of(risk, assess.current)
    refuse_unfounded_residual(risk, assess.current, residual, acted_upon=risk.under_treatment)
    trigger, cause = _why_now(risk)
    judged = Judgement(
        inherent=assess.inherent,
        current=assess.current,
        residual=residual,
        rationale=assess.rationale,
        trigger=trigger,
        cause=cause,
    )
    return [_by_person(risk, judged, given)]


def _why_now(risk: Risk) -> tuple[Trigger, UUID | None]:
    if not risk.assessments:
        return Trigger.FIRST, None
    if risk.pending:
        return risk.pending[0].trigger, risk.pending[0].cause
    return Trigger.DECISION, None


def evaluate_treatment(risk: Risk, evaluate: EvaluateTreatment, given: Given) -> Sequence[Event]:
    treatment = risk.treatment
    if treatment is None or not treatment.under_way:
        raise Refused("no treatment is under way", rule="K-04")
    if treatment.open_actions:
        open_actions = tuple(f"{each.number}: {each.planned.title}" for each in treatment.open_actions)
        raise Refused("not all actions of the treatment are done", rule="K-04", open_actions=open_actions)
    evaluated = TreatmentEvaluated(
        plan=treatment.plan,
        achieved=evaluate.current,
        effective=gain(risk.kind, treatment.target.level, evaluate.current.level) >= 0,
        rationale=evaluate.rationale,
        by=given.by.person,
        at=given.at,
    )
    judged = Judgement(
        inherent=risk.latest.inherent,
        current=evaluate.current,
        residual=evaluate.current,
        rationale=evaluate.rationale,
        trigger=Trigger.TREATMENT,
    )
    # The level first: what is exposed once the treatment has ended is judged by what it achieved.
    return [_by_person(risk, judged, given), evaluated]


def review(risk: Risk, review: Review, given: Given) -> Sequence[Reviewed]:
    criteria = given.only(CRITERIA).criteria
    today = day_of(given.at, criteria.zone)
    reviewed = Reviewed(
        assessment=risk.assessment,
        reason=review.reason,
        settles=tuple(each.cause for each in risk.pending),
        reviewed_on=today,
        next_review=criteria.next_review(risk.level, today),
        by=given.by.person,
        at=given.at,
    )
    return [reviewed]


def fall_due(risk: Risk, given: Given) -> Sequence[TriggerHeard]:
    """The review date has passed: the risk waits for somebody to look."""
    due_at = review_due_at(risk)
    if risk.closed or due_at is None or given.at < due_at:
        return []
    assert risk.next_review is not None
    noticed = TriggerHeard(
        trigger=Trigger.REVIEW_DATE,
        cause=derived_id("review-date", given.stream, risk.assessment, risk.next_review),
        because=f"the review was due on {risk.next_review}",
        service=None,
        on=risk.next_review,
        at=due_at,
    )
    return [noticed]


# --- levels ----------------------------------------------------------------------------------------------------------


def gain(kind: Kind, before: int, after: int) -> int:
    """How much better a level is than another: threats are to fall, opportunities to rise."""
    return before - after if kind is Kind.THREAT else after - before


def refuse_unfounded_residual(risk: Risk, current: Rating, residual: Rating, *, acted_upon: bool) -> None:
    """What is to remain is no worse than what is, and better only where somebody does something about it (K-03)."""
    improvement = gain(risk.kind, current.level, residual.level)
    members = {"current": current.level, "residual": residual.level}
    if improvement < 0:
        raise Unacceptable("the residual level is worse than the current one", rule="K-03", **members)
    if improvement > 0 and not acted_upon:
        raise Refused("the residual level takes a treatment with actions: plan it first", rule="K-03", **members)


def residual_of(risk: Risk, current: Rating) -> Rating:
    """What is to remain if nobody says otherwise: the target of the treatment under way, or what is."""
    if risk.treatment is None or not risk.under_treatment:
        return current
    target = risk.treatment.target
    return target if gain(risk.kind, current.level, target.level) >= 0 else current


# --- assessments -----------------------------------------------------------------------------------------------------


@value
class Judgement:
    """What a person says about the whole risk, and why now."""

    inherent: Rating
    current: Rating
    residual: Rating
    rationale: str
    trigger: Trigger
    cause: UUID | None = None


def _by_person(risk: Risk, judged: Judgement, given: Given) -> Assessed:
    """Somebody has looked at the whole risk: all that was pending is answered, breaches count anew."""
    in_force = given.only(CRITERIA)
    criteria = in_force.criteria
    today = day_of(given.at, criteria.zone)
    return Assessed(
        assessment=risk.assessment + 1,
        inherent=judged.inherent,
        current=judged.current,
        residual=judged.residual,
        level=judged.current.level,
        limit=criteria.limit,
        criteria_version=in_force.version,
        trigger=judged.trigger,
        cause=judged.cause,
        rationale=judged.rationale,
        settles=tuple(each.cause for each in risk.pending),
        breaches_counted=0,
        reviewed_on=today,
        next_review=criteria.next_review(judged.current.level, today),
        zone=criteria.zone,
        by=given.by.person,
        at=given.at,
    )
