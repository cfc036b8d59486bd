"""What each role of a token may do here; that both sides sign is for the domain to say."""

READ = frozenset({"service.read", "sla.read", "period.read"})
CATALOGUE = frozenset({"service.list", "service.change", "service.retire"})
AGREE = frozenset({"sla.draft", "sla.sign", "sla.terminate"})
REPORT = frozenset({"measurement.post"})

ROLES = {
    "reader": READ,
    "auditor": READ,
    "audit-programme-manager": READ,
    "risk-owner": READ,
    "risk-manager": READ,
    "process-owner": READ,
    "cio": READ | AGREE,
    "top-management": READ,
    "service-owner": READ | REPORT,
    "service-level-manager": READ | CATALOGUE | AGREE | REPORT,
    "monitor": REPORT,
}
