"""The policy of a tenant: a versioned object of which every version is kept, with the instant it came into force."""

from collections.abc import Sequence
from datetime import datetime

from contracts.audit import NONCONFORMITIES
from events.kernel import Given, Unacceptable, event, value
from events.words import Person, Text
from improvement_service.policies.rules import DEFAULT, Occasion, Policy

# --- commands --------------------------------------------------------------------------------------------------------


@value
class Adopt:
    """Put a whole new policy in force from now on; what was opened under earlier versions stays as it is."""

    policy: Policy
    reason: Text


# --- events ----------------------------------------------------------------------------------------------------------


@event("policy-adopted")
class Adopted:
    version: int
    since: datetime
    policy: Policy
    reason: Text
    by: Person


# --- state -----------------------------------------------------------------------------------------------------------


@value
class Version:
    """One version of the policy; `since` is null for the one that was in force from the beginning."""

    version: int
    since: datetime | None
    policy: Policy
    reason: str
    by: str


@value
class Policies:
    """All versions, the oldest first."""

    versions: tuple[Version, ...] = (
        Version(version=0, since=None, policy=DEFAULT, reason="in force without any set-up", by=""),
    )

    @property
    def latest(self) -> Version:
        return self.versions[-1]

    def in_force(self, at: datetime) -> Version:
        """The version by which something that happened at this business time is judged, however late it is heard."""
        return self._until(at)[-1]

    def always_called_for(self, occasion: Occasion) -> bool:
        """Whether every version until then calls for an action."""
        return all(each.policy.call_for(occasion) for each in self._until(occasion.at))

    def _until(self, at: datetime) -> tuple[Version, ...]:
        return tuple(each for each in self.versions if each.since is None or each.since <= at)


def evolve(policies: Policies, happened: Adopted) -> Policies:
    version = Version(
        version=happened.version,
        since=happened.since,
        policy=happened.policy,
        reason=happened.reason,
        by=happened.by,
    )
    return Policies(versions=(*policies.versions, version))


# --- decisions -------------------------------------------------------------------------------------------------------


def decide(policies: Policies, command: Adopt, given: Given) -> Sequence[Adopted]:
    if command.policy == policies.latest.policy:
        return []
    _refuse_nonsense(command.policy)
    return [
        Adopted(
            version=policies.latest.version + 1,
            since=given.at,
            policy=command.policy,
            reason=command.reason,
            by=given.by.person,
        )
    ]


def _refuse_nonsense(policy: Policy) -> None:
    days = [step.days for step in policy.ladder]
    if days != sorted(days) or any(abs(each) > 3660 for each in days):
        raise Unacceptable("the ladder's steps must follow one another, within ten years", rule="C-11", days=days)
    keys = [step.key for step in policy.ladder]
    if len(set(keys)) < len(keys):
        raise Unacceptable("two steps of the ladder have the same key", rule="C-11", keys=keys)
    for rule in policy.rules:
        if rule.call is not None and rule.grade is not None and rule.grade not in NONCONFORMITIES:
            raise Unacceptable(f"a finding graded {rule.grade} never forces a corrective action", rule="A-10")
    if not policy.extension_approvers:
        raise Unacceptable("somebody must be able to decide about extensions", rule="C-10")
