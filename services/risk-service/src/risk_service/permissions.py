"""What each token role may do in the risk service.

A token role permits the call; whether somebody has the authority to accept a risk is said by dated role assignments.
"""

READ = frozenset({"risk.read", "criteria.read", "duty.read"})
KEEP = frozenset({"risk.register", "risk.assess", "risk.treat", "risk.review", "risk.close"})
ACCEPT = frozenset({"risk.accept"})
PUBLISH = frozenset({"criteria.publish"})

ROLES = {
    "reader": READ,
    "auditor": READ,
    "risk-owner": READ | KEEP | ACCEPT,
    "risk-manager": READ | KEEP | ACCEPT | PUBLISH,
    "cio": READ | KEEP | ACCEPT | PUBLISH,
    "top-management": READ | ACCEPT | PUBLISH,
    "operator": READ,
}
