"""Which risks a command may speak to at all (K-07)."""

from events.kernel import NotFound, Refused
from risk_service.risks.state import Risk, Status


def present(risk: Risk) -> Risk:
    """A risk of the register, open or closed."""
    if risk.status is Status.ABSENT:
        raise NotFound("there is no such risk")
    return risk


def still_open(risk: Risk) -> Risk:
    """A risk that is open: identified, or further."""
    if present(risk).status is Status.CLOSED:
        raise Refused("this risk is closed: reopen it first", rule="K-07", number=risk.number)
    return risk


def assessed(risk: Risk) -> Risk:
    """An open risk whose level is known."""
    if not still_open(risk).assessments:
        raise Refused("this risk has no level yet: assess it first", rule="K-07", number=risk.number)
    return risk
