"""What follows by itself from what happens to a risk: acceptances fall, and an exposure is told once."""

from collections.abc import Iterator, Sequence

from risk_service.risks.events import AcceptanceVoided, Assessed, Event, FoundAboveLimit
from risk_service.risks.state import Risk, evolve


def with_consequences(risk: Risk, decided: Sequence[Event]) -> Sequence[Event]:
    """Each event, and behind it what it entails."""
    followed: list[Event] = []
    for happened in decided:
        for each in _and_what_follows(risk, happened):
            risk = evolve(risk, each)
            followed.append(each)
    return followed


def _and_what_follows(risk: Risk, happened: Event) -> Iterator[Event]:
    yield happened
    risk = evolve(risk, happened)
    if isinstance(happened, Assessed) and risk.acceptance:
        voided = _voided_by(happened, risk.acceptance.assessment)
        yield voided
        risk = evolve(risk, voided)
    if risk.exposed and risk.told_above_limit != risk.assessment:
        yield FoundAboveLimit(assessment=risk.assessment, level=risk.level, limit=risk.limit, at=happened.at)


def _voided_by(assessed: Assessed, accepted: int) -> AcceptanceVoided:
    """Whoever accepted an assessment has not accepted the next one, whatever its level (K-05)."""
    return AcceptanceVoided(
        assessment=accepted,
        reason=f"assessment {accepted} was accepted; assessment {assessed.assessment} gives level {assessed.level} "
        f"({assessed.trigger})",
        cause=assessed.cause,
        at=assessed.at,
    )
