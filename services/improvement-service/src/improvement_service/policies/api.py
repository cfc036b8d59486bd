"""The policy over HTTP: what is in force, and how a new version comes in force."""

from datetime import datetime
from typing import Any

from chassis.routes import Routes
from events.kernel import value
from improvement_service.policies.aggregate import policies
from improvement_service.policies.domain import Adopt, Policies, Version
from improvement_service.policies.rules import Policy


@value
class PolicyView:
    """The policy in force now, and every version that there ever was."""

    version: int
    since: datetime | None
    policy: Policy
    versions: tuple[Version, ...]


def view(state: Policies, now: datetime) -> PolicyView:
    current = state.in_force(now)
    return PolicyView(version=current.version, since=current.since, policy=current.policy, versions=state.versions)


EXAMPLE: dict[str, Any] = {
    "reason": "The management review of June wants majors answered within 60 days.",
    "policy": {
        "rules": [
            {
                "kind": "finding",
                "grade": "major",
                "call": {"priority": "high", "due_days": 60, "owner_role": "process-owner"},
            },
            {"kind": "finding", "grade": "minor", "clause": "7.5", "call": None},
            {
                "kind": "breach",
                "metric": "availability",
                "call": {"priority": "critical", "due_days": 14, "owner_role": "service-level-manager"},
            },
            {"kind": "risk", "call": {"priority": "medium", "due_days": 60, "owner_role": "risk-owner"}},
        ],
        "grouping": "clause",
        "time_zone": "Europe/Berlin",
        "ladder": [
            {"key": "reminder", "days": -7},
            {"key": "owner", "days": 0},
            {"key": "process-owner", "days": 7, "role": "process-owner"},
            {"key": "cio", "days": 14, "role": "cio"},
        ],
        "grace_days": 0,
        "extension_approvers": ["process-owner", "cio"],
    },
}

routes = Routes(aggregate=policies, path="policy", noun="policy", read="policy.read", view=view, singleton=True)
routes.act("versions", Adopt, permission="policy.change", summary="Put a new policy in force", example=EXAMPLE)
