"""Audits over HTTP."""

from audit_service.audits.aggregate import audits
from audit_service.audits.commands import (
    AcknowledgeReport,
    BeginFollowUp,
    Cancel,
    ChangeTeam,
    Close,
    CompleteFieldwork,
    CorrectReport,
    IssueReport,
    Plan,
    Postpone,
    Prepare,
    RecordResult,
    Resume,
    Revise,
    Start,
)
from chassis.routes import Listing, Routes

CRITERION = {"standard": "ISO/IEC 20000-1", "edition": "2018", "clause": "8.3.3"}
EVIDENCE = {
    "source": "Service catalogue v7",
    "method": "examine",
    "sample_size": 14,
    "population": 14,
    "collected_at": "2026-02-10T10:30:00+01:00",
    "collector": "j-weiss",
    "hash": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
}
PLAN = {
    "title": "Service level management 2026",
    "objectives": ["See whether every service in the catalogue is covered by an agreement"],
    "criteria": [CRITERION],
    "scope": {
        "services": ["SVC-MAIL", "SVC-ERP"],
        "processes": ["Service level management"],
        "sites": ["Frankfurt"],
        "period_from": "2025-02-01",
        "period_to": "2026-01-31",
    },
    "method": "Examination of documents, interviews",
    "starts_on": "2026-02-10",
    "ends_on": "2026-02-13",
    "zone": "Europe/Berlin",
    "look_back_months": 12,
}

routes = Routes(aggregate=audits, path="audits", noun="audit", read="audit.read", listing=Listing(filters=("status",)))
routes.create(
    Plan,
    permission="audit.plan",
    summary="Plan an audit",
    example={"plan": PLAN, "lead": "j-weiss", "members": ["t-keller"]},
)
routes.act("revision", Revise, permission="audit.plan", summary="Revise the plan", example={"plan": PLAN})
routes.act(
    "team",
    ChangeTeam,
    permission="audit.plan",
    summary="Change the team",
    example={"lead": "j-weiss", "members": [], "reason": "T. Keller is on leave"},
)
routes.act(
    "preparation",
    Prepare,
    permission="audit.conduct",
    summary="Prepare the audit: list what earlier ones left",
    example={},
)
routes.act("start", Start, permission="audit.conduct", summary="Start the fieldwork", example={})
routes.act(
    "results",
    RecordResult,
    permission="audit.conduct",
    summary="Record the result for one criterion",
    example={"criterion": CRITERION, "outcome": "finding", "evidence": [EVIDENCE]},
)
routes.act(
    "fieldwork-completion",
    CompleteFieldwork,
    permission="audit.conduct",
    summary="Complete the fieldwork",
    example={},
)
routes.act(
    "report",
    IssueReport,
    permission="audit.report",
    summary="Issue the report",
    example={"recipients": ["h-lindqvist"], "summary": "One major nonconformity: SVC-MAIL has no agreement"},
)
routes.act(
    "report-correction",
    CorrectReport,
    permission="audit.report",
    summary="Issue a corrected revision of the report",
    example={
        "recipients": ["h-lindqvist"],
        "summary": "One major nonconformity: SVC-MAIL has no agreement with any customer",
        "reason": "The customer was left out",
    },
)
routes.act(
    "report-acknowledgement",
    AcknowledgeReport,
    permission="audit.acknowledge",
    summary="Acknowledge a revision of the report; the latest, if none is named",
    example={"revision": 1},
)
routes.act("follow-up", BeginFollowUp, permission="audit.conduct", summary="Begin the follow-up", example={})
routes.act("closure", Close, permission="audit.close", summary="Close the audit", example={})
routes.act(
    "postponement",
    Postpone,
    permission="audit.plan",
    summary="Postpone the audit",
    example={"reason": "Migration of the mail platform"},
)
routes.act(
    "resumption",
    Resume,
    permission="audit.plan",
    summary="Plan a postponed audit for new dates",
    example={"starts_on": "2026-03-10", "ends_on": "2026-03-13"},
)
routes.act(
    "cancellation",
    Cancel,
    permission="audit.cancel",
    summary="Cancel the audit, as its approver",
    example={"reason": "The services were sold"},
)
