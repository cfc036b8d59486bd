"""Decisions about a finding: from its objective evidence to the proof that it is gone."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

from audit_service.audits.state import FIELDWORK, Audit
from audit_service.audits.state import Status as AuditStatus
from audit_service.audits.team import refuse_outsider, refuse_own_evidence
from audit_service.evidence import Evidence, refuse_unsound
from audit_service.findings.commands import (
    Amend,
    Command,
    DecideDispute,
    DisputeFinding,
    FollowAction,
    Issue,
    Raise,
    Verify,
    Withdraw,
)
from audit_service.findings.events import (
    ActionFollowed,
    Amended,
    Disputed,
    Event,
    Issued,
    Raised,
    Upheld,
    Verified,
    Withdrawn,
)
from audit_service.findings.state import Finding, Status
from audit_service.findings.values import CorrectiveAction, Dispute, Ruling, Standing, Verification
from audit_service.turns import refuse_out_of_turn
from contracts.audit import NONCONFORMITIES, Grade
from events.kernel import Forbidden, Given, Need, NextNumber, Refused, StateOf, Unacceptable

NUMBER = NextNumber("F")

TURN: Mapping[type, tuple[Status, ...]] = {
    Raise: (Status.ABSENT,),
    Issue: (Status.RAISED,),
    Amend: (Status.RAISED, Status.ISSUED),
    DisputeFinding: (Status.ISSUED,),
    DecideDispute: (Status.DISPUTED,),
    Withdraw: (Status.RAISED, Status.ISSUED),
    Verify: (Status.ISSUED,),
}
"""In which states each step may be taken; news of a corrective action is heard in every state."""


def needs(finding: Finding, command: Command) -> Iterable[Need[Any]]:
    match command:
        case Raise(audit=audit):
            return [NUMBER, StateOf(Audit, audit)]
        case Amend(evidence=brought) | DecideDispute(evidence=brought) if brought and finding.audit:
            return [StateOf(Audit, finding.audit)]
        case Verify(during=during) if looked_at := during or finding.audit:
            return [StateOf(Audit, looked_at)]
        case _:
            return []


def decide(finding: Finding, command: Command, given: Given) -> Sequence[Event]:
    if isinstance(command, FollowAction):
        return _follow_action(finding, command)
    refuse_out_of_turn("finding", finding.number, finding.status, TURN[type(command)], rule="A-12")
    match command:
        case Raise():
            return _raise(command, given)
        case Issue():
            return [Issued(at=given.at)]
        case Amend():
            return _amend(finding, command, given)
        case DisputeFinding():
            return _dispute(command, given)
        case DecideDispute():
            return _decide_dispute(finding, command, given)
        case Withdraw(reason=reason):
            return _withdraw(finding, reason, given)
        case Verify():
            return _verify(finding, command, given)


# --- raising, amending -----------------------------------------------------------------------------------------------


def _raise(command: Raise, given: Given) -> Sequence[Event]:
    audit = given[StateOf(Audit, command.audit)].state
    _refuse_outside(audit, command)
    refuse_outsider(audit, given)
    _refuse_unfounded(command.grade, command.evidence)
    refuse_unsound(command.evidence, given.at)
    refuse_own_evidence(audit.team, command.evidence)
    raised = Raised(
        number=f"F-{given[NUMBER]}",
        audit=command.audit,
        audit_number=audit.number,
        edition=command.criterion.norm,
        clause=command.criterion.clause,
        service=command.service,
        grade=command.grade,
        statement=command.statement,
        evidence=command.evidence,
        by=given.by.person,
    )
    return [raised]


def _refuse_outside(audit: Audit, command: Raise) -> None:
    """A finding belongs to an audit under way, to one of its criteria and to its scope."""
    if audit.status is AuditStatus.ABSENT:
        raise Refused("there is no such audit", rule="A-10", audit=str(command.audit))
    if audit.status not in FIELDWORK:
        raise Refused(f"{audit.number} is {audit.status}: findings are raised during fieldwork", rule="A-05")
    if command.criterion not in audit.plan.criteria:
        raise Refused(f"{command.criterion} is not among the criteria of {audit.number}", rule="A-10")
    services = audit.plan.scope.services
    if command.service and services and command.service not in services:
        raise Refused(f"{command.service} is not in the scope of {audit.number}", rule="A-04", services=list(services))


def _refuse_unfounded(grade: Grade, evidence: tuple[Evidence, ...]) -> None:
    if grade in NONCONFORMITIES and not evidence:
        raise Unacceptable(f"a {grade} nonconformity needs objective evidence", rule="A-10")


def _amend(finding: Finding, command: Amend, given: Given) -> Sequence[Event]:
    if (command.grade, command.statement) == (finding.grade, finding.statement):
        raise Unacceptable("neither grade nor statement would change", rule="A-12")
    _refuse_unfounded(command.grade, (*finding.evidence, *command.evidence))
    if command.evidence and finding.audit:
        refuse_unsound(command.evidence, given.at)
        refuse_own_evidence(given[StateOf(Audit, finding.audit)].state.team, command.evidence)
    amended = Amended(
        previous_grade=finding.grade,
        previous_statement=finding.statement,
        grade=command.grade,
        statement=command.statement,
        evidence=command.evidence,
        reason=command.reason,
        by=given.by.person,
    )
    return [amended]


# --- dispute and withdrawal ------------------------------------------------------------------------------------------


def _dispute(command: DisputeFinding, given: Given) -> Sequence[Event]:
    if not command.evidence:
        raise Unacceptable("a finding is disputed with evidence", rule="A-12")
    refuse_unsound(command.evidence, given.at)
    return [Disputed(dispute=Dispute(by=given.by.person, reason=command.reason, evidence=command.evidence))]


def _decide_dispute(finding: Finding, command: DecideDispute, given: Given) -> Sequence[Event]:
    _refuse_party(finding, given)
    if command.ruling is not Ruling.AMENDED and (command.grade or command.statement or command.evidence):
        raise Unacceptable(f"a finding that is {command.ruling} keeps its grade, statement and evidence", rule="A-12")
    match command.ruling:
        case Ruling.UPHELD:
            return [Upheld(reason=command.reason, by=given.by.person)]
        case Ruling.AMENDED:
            return _amend(finding, _amendment(finding, command), given)
        case Ruling.WITHDRAWN:
            return [Withdrawn(reason=command.reason, by=given.by.person)]


def _amendment(finding: Finding, ruled: DecideDispute) -> Amend:
    return Amend(
        grade=ruled.grade or finding.grade,
        statement=ruled.statement or finding.statement,
        evidence=ruled.evidence,
        reason=ruled.reason,
    )


def _refuse_party(finding: Finding, given: Given) -> None:
    """Neither side of a dispute judges its own case."""
    parties = {finding.raised_by: "raised", finding.dispute.by if finding.dispute else "": "disputed"}
    if part := parties.get(given.by.person):
        raise Forbidden(f"{given.by.person} {part} {finding.number}: somebody else decides the dispute", rule="A-12")


def _withdraw(finding: Finding, reason: str, given: Given) -> Sequence[Event]:
    """A draft may be dropped by its author; what was issued is taken back by somebody else."""
    if finding.status is Status.ISSUED and given.by.person == finding.raised_by:
        raise Forbidden(f"{finding.raised_by} raised {finding.number}: somebody else withdraws it", rule="A-12")
    return [Withdrawn(reason=reason, by=given.by.person)]


# --- follow-up -------------------------------------------------------------------------------------------------------


def _follow_action(finding: Finding, heard: FollowAction) -> Sequence[Event]:
    if finding.status is Status.ABSENT:
        return []
    action = CorrectiveAction(action=heard.action, number=heard.number, standing=heard.standing, since=heard.at)
    return [] if action in finding.corrective_actions else [ActionFollowed(action=action)]


def _verify(finding: Finding, command: Verify, given: Given) -> Sequence[Event]:
    audit = given[StateOf(Audit, _looked_at(finding, command))].state
    _refuse_elsewhere(finding, command, audit, given)
    refuse_outsider(audit, given)
    _refuse_unresolved(finding)
    if not command.evidence:
        raise Unacceptable("a verification rests on evidence", rule="A-09")
    refuse_unsound(command.evidence, given.at)
    refuse_own_evidence(audit.team, command.evidence)
    verification = Verification(
        audit=_looked_at(finding, command),
        by=given.by.person,
        at=given.at,
        note=command.note,
        evidence=command.evidence,
    )
    return [Verified(verification=verification)]


def _looked_at(finding: Finding, command: Verify) -> UUID:
    looked_at = command.during or finding.audit
    assert looked_at is not None, "a finding that was raised belongs to an audit"
    return looked_at


def _refuse_elsewhere(finding: Finding, command: Verify, audit: Audit, given: Given) -> None:
    """The finding is seen again in its audit's follow-up, or in a later audit that was prepared to look at it."""
    if command.during in (None, finding.audit):
        if audit.status is not AuditStatus.FOLLOW_UP:
            raise Refused(f"{audit.number} is {audit.status}, not in its follow-up", rule="A-14")
    elif given.stream not in audit.previous_findings:
        raise Refused(f"{audit.number or 'that audit'} was not prepared to look at {finding.number}", rule="A-14")
    elif audit.status not in FIELDWORK:
        raise Refused(f"{audit.number} is {audit.status}, not in its fieldwork", rule="A-14")


def _refuse_unresolved(finding: Finding) -> None:
    """Only an action that was closed as effective, with no other one open, gives something to verify."""
    for action in finding.corrective_actions:
        if action.standing in (Standing.OPEN, Standing.REOPENED):
            raise Refused(
                f"{action.number} is {action.standing}: {finding.number} is verified once it is closed as effective",
                rule="A-14",
                corrective_action=action.number,
            )
    if not any(each.standing is Standing.CLOSED_EFFECTIVE for each in finding.corrective_actions):
        raise Refused(f"no corrective action of {finding.number} was closed as effective", rule="A-14")
