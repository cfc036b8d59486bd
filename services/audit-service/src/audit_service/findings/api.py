"""Findings over HTTP."""

from audit_service.findings.aggregate import findings
from audit_service.findings.commands import Amend, DecideDispute, DisputeFinding, Issue, Raise, Verify, Withdraw
from chassis.routes import Listing, Routes

CATALOGUE = {
    "source": "Service catalogue v7",
    "method": "examine",
    "sample_size": 14,
    "population": 14,
    "collected_at": "2026-02-10T10:30:00+01:00",
    "collector": "j-weiss",
    "hash": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
}
AGREEMENT = {
    "source": "Signed agreement SLA-7",
    "method": "examine",
    "sample_size": 1,
    "population": 1,
    "collected_at": "2026-02-20T09:00:00+01:00",
    "collector": "m-ruiz",
}

routes = Routes(
    aggregate=findings,
    path="findings",
    noun="finding",
    read="finding.read",
    listing=Listing(filters=("status", "grade", "audit", "service", "clause")),
)
routes.create(
    Raise,
    permission="finding.raise",
    summary="Raise a finding",
    example={
        "audit": "0197c2a4-7a50-7c3e-9a53-0d6f3b0c8a11",
        "criterion": {"standard": "ISO/IEC 20000-1", "edition": "2018", "clause": "8.3.3"},
        "service": "SVC-MAIL",
        "grade": "major",
        "statement": "SVC-MAIL is delivered without an agreed SLA",
        "evidence": [CATALOGUE],
    },
)
routes.act("issue", Issue, permission="finding.issue", summary="Issue a finding", example={})
routes.act(
    "amendment",
    Amend,
    permission="finding.amend",
    summary="Amend grade or statement, with a reason",
    example={
        "grade": "minor",
        "statement": "SVC-MAIL is delivered under an expired SLA",
        "reason": "An expired agreement was found",
    },
)
routes.act(
    "dispute",
    DisputeFinding,
    permission="finding.dispute",
    summary="Dispute an issued finding",
    example={"reason": "There is an agreement", "evidence": [AGREEMENT]},
)
routes.act(
    "dispute-decision",
    DecideDispute,
    permission="finding.decide",
    summary="Decide a dispute: upheld, amended or withdrawn",
    example={"ruling": "amended", "grade": "minor", "reason": "The agreement exists, but has expired"},
)
routes.act(
    "withdrawal",
    Withdraw,
    permission="finding.decide",
    summary="Withdraw a finding",
    example={"reason": "The service is not in operation"},
)
routes.act(
    "verification",
    Verify,
    permission="finding.verify",
    summary="Verify that the nonconformity is gone",
    example={"note": "All 14 services have an agreement", "evidence": [CATALOGUE]},
)
