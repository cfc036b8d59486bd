"""What each role of a token may do here; who may decide about whose work is for the domain to say."""

READ = frozenset({"action.read", "policy.read", "measure.read", "duty.read"})
WORK = READ | {"action.work"}
DIRECT = WORK | {"action.approve", "action.assign"}

ROLES = {
    "reader": READ,
    "auditor": READ | {"action.verify"},
    "audit-programme-manager": READ | {"action.verify", "action.approve"},
    "service-owner": WORK,
    "risk-owner": WORK,
    "service-level-manager": WORK | {"action.assign", "action.verify", "action.approve"},
    "process-owner": DIRECT | {"action.verify"},
    "cio": DIRECT | {"action.verify", "policy.change"},
    "top-management": READ | {"action.approve", "policy.change"},
    "administrator": READ | {"policy.change", "action.assign"},
}
