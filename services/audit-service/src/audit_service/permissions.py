"""What each role of a token may do here; duties and independence are asked about by the domain."""

READ = frozenset({"role-holder.read", "audit.read", "finding.read", "follow-up-item.read"})
AUDITED = READ | {"finding.dispute", "audit.acknowledge"}

ROLES = {
    "reader": READ,
    "auditee": AUDITED,
    "service-owner": AUDITED,
    "service-level-manager": AUDITED,
    "process-owner": AUDITED,
    "risk-owner": AUDITED,
    "cio": AUDITED,
    "top-management": AUDITED,
    "auditor": READ
    | {
        "audit.conduct",
        "audit.report",
        "finding.raise",
        "finding.issue",
        "finding.amend",
        "finding.verify",
        "follow-up-item.conclude",
    },
    "audit-programme-manager": READ
    | {
        "role-holder.assign",
        "audit.plan",
        "audit.cancel",
        "audit.report",
        "audit.close",
        "finding.amend",
        "finding.decide",
    },
}
