"""What others hear of risks: their levels, those that nobody deals with, and what becomes of acceptances."""

from contracts import risk as contract
from risk_service.risks.events import (
    AcceptanceVoided,
    Accepted,
    Assessed,
    Event,
    FoundAboveLimit,
    Registered,
)
from risk_service.risks.state import Risk


def announce(risk: Risk, happened: Event) -> object | None:
    match happened:
        case Registered():
            return _registered(happened)
        case Assessed():
            return _assessed(risk, happened)
        case FoundAboveLimit():
            return _above_limit(risk, happened)
        case Accepted():
            return contract.RiskAccepted(
                number=risk.number, assessment=happened.assessment, by=happened.by, until=happened.until
            )
        case AcceptanceVoided():
            return contract.AcceptanceVoided(
                number=risk.number, assessment=happened.assessment, reason=happened.reason, cause=happened.cause
            )
        case _:
            return None


def _registered(registered: Registered) -> contract.RiskRegistered:
    return contract.RiskRegistered(
        number=registered.number,
        reference=registered.reference,
        title=registered.title,
        services=registered.services,
        owner=registered.owner,
    )


def _assessed(risk: Risk, assessed: Assessed) -> contract.RiskAssessed:
    return contract.RiskAssessed(
        number=risk.number,
        title=risk.title,
        services=risk.services,
        assessment=assessed.assessment,
        level=assessed.level,
        limit=assessed.limit,
        trigger=assessed.trigger,
    )


def _above_limit(risk: Risk, found: FoundAboveLimit) -> contract.RiskAboveLimit:
    return contract.RiskAboveLimit(
        number=risk.number,
        title=risk.title,
        services=risk.services,
        assessment=found.assessment,
        level=found.level,
        limit=found.limit,
        owner=risk.owner,
    )
