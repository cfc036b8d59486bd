"""Accepting a risk: by somebody else than its owner, with authority at its level, as assessed, for a time (K-05)."""

from collections.abc import Sequence
from datetime import date

from duties import Duties, duties_of, held
from events.kernel import Forbidden, Given, Refused, Unacceptable
from events.words import day_of
from risk_service.criteria.aggregate import CRITERIA
from risk_service.criteria.domain import Band, Criteria
from risk_service.risks.commands import Accept
from risk_service.risks.events import AcceptanceVoided, Accepted
from risk_service.risks.state import Risk
from risk_service.risks.values import Kind


def accept(risk: Risk, accept: Accept, given: Given) -> Sequence[Accepted]:
    in_force = given.only(CRITERIA)
    today = day_of(given.at, in_force.criteria.zone)
    _refuse_out_of_date(risk, accept)
    _refuse_own_risk(risk, accept, given)
    authority = _authority(risk, accept, in_force.criteria, given, today)
    if accept.until < today:
        raise Unacceptable("the acceptance would have expired already", rule="K-05", until=accept.until)
    accepted = Accepted(
        assessment=risk.assessment,
        level=risk.level,
        role=authority.approver,
        criteria_version=in_force.version,
        reason=accept.reason,
        until=accept.until,
        zone=in_force.criteria.zone,
        by=accept.approver,
        at=given.at,
    )
    return [accepted]


def _refuse_out_of_date(risk: Risk, accept: Accept) -> None:
    if risk.kind is Kind.OPPORTUNITY:
        raise Refused("an opportunity is pursued or left, not accepted", rule="K-05")
    if accept.assessment != risk.assessment:
        raise Refused(
            f"assessment {accept.assessment} is not the one in force", rule="K-05", assessment=risk.assessment
        )
    if risk.accepted:
        raise Refused("this assessment is accepted already", rule="K-05", assessment=risk.assessment)


def _refuse_own_risk(risk: Risk, accept: Accept, given: Given) -> None:
    if accept.approver != given.by.person:
        raise Forbidden("nobody accepts a risk in the name of another", rule="K-05", approver=accept.approver)
    if accept.approver == risk.owner:
        raise Forbidden("the owner of a risk does not accept it", rule="K-05", owner=risk.owner)


def _authority(risk: Risk, accept: Accept, criteria: Criteria, given: Given, today: date) -> Band:
    """The band up to which the approver may accept, by the duties that are held on that day (P-01)."""
    known = given[duties_of(accept.approver)]
    if not known:
        raise Refused("no role assignment of this person is known yet", rule="P-01", approver=accept.approver)
    needed = criteria.band_of(risk.level).approver
    authority = criteria.authority_of(_roles_for(risk, criteria, known[0].state, today))
    if authority is None:
        raise Forbidden(f"level {risk.level} is for {needed} to accept", rule="K-05", needed=needed)
    if risk.level > authority.up_to:
        raise Forbidden(
            f"{authority.approver} accepts up to level {authority.up_to}, this is {risk.level}",
            rule="K-05",
            needed=needed,
            up_to=authority.up_to,
            level=risk.level,
        )
    return authority


def _roles_for(risk: Risk, criteria: Criteria, duties: Duties, today: date) -> frozenset[str]:
    """The approvers' roles that the person holds today for every service of the risk (for none: held for all)."""
    services = risk.services or (None,)
    roles = {band.approver for band in criteria.bands}
    return frozenset(role for role in roles if all(held(duties, role, today, service) for service in services))


def expire(risk: Risk, given: Given) -> Sequence[AcceptanceVoided]:
    """An acceptance ends with its last day."""
    if risk.closed or risk.acceptance is None or given.at < risk.acceptance.expires_at:
        return []
    expired = AcceptanceVoided(
        assessment=risk.acceptance.assessment,
        reason=f"expired on {risk.acceptance.until}",
        cause=None,
        at=risk.acceptance.expires_at,
    )
    return [expired]
