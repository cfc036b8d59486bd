"""How sources come to an action and leave it: opening, joining, another grade, withdrawal (C-01, A-12)."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta

from contracts.improvement import Source
from duties import Roster, holder
from events.kernel import Found, Refused
from events.words import day_of
from improvement_service.corrective_actions.commands import Open, Regrade, Withdraw
from improvement_service.corrective_actions.events import (
    AskedFor,
    Event,
    Joined,
    Opened,
    Regraded,
    SourceWithdrawn,
)
from improvement_service.corrective_actions.state import OVER, CorrectiveAction, Status
from improvement_service.corrective_actions.values import Entry, Standing, Terms
from improvement_service.policies.domain import Policies, Version
from improvement_service.policies.rules import Occasion

Rosters = tuple[Found[Roster], ...]


def open_for(occasion: Occasion, policies: Policies, rosters: Rosters, number: int) -> Sequence[Event]:
    """A new action, where the policy of that time calls for one."""
    version = policies.in_force(occasion.at)
    entry = entry_for(occasion, version, rosters)
    if entry is None:
        return []
    return [Opened(number=f"CA-{number}", entry=entry, group=version.policy.group_of(occasion.source) or None)]


def join(action: CorrectiveAction, command: Open, policies: Policies, rosters: Rosters) -> Sequence[Event]:
    """The source belongs to this action from now on; nothing, if it already does and was not withdrawn.

    It also joins where the plan was made in the very moment in between: a source must not get lost.
    """
    occasion = command.occasion
    before = _known(action, occasion.source)
    if before is not None and before.standing is Standing.STANDING:
        return []
    if action.status in OVER:
        raise Refused(f"{action.number}, which the source was to join, is over: replay it", rule="C-01")
    entry = entry_for(occasion, policies.in_force(occasion.at), rosters)
    if before is None:
        return [Joined(entry=entry)] if entry else []
    return _anew(action, before, entry, occasion.at, "It stands again")


def entry_for(occasion: Occasion, version: Version, rosters: Rosters) -> Entry | None:
    """What that version of the policy makes of an occasion; periods count from the day on which it happened."""
    call = version.policy.call_for(occasion)
    if call is None:
        return None
    happened_on = day_of(occasion.at, version.policy.time_zone)
    due = happened_on + timedelta(days=call.due_days)
    return Entry(
        source=occasion.source,
        occasion=occasion.event,
        at=occasion.at,
        summary=occasion.summary,
        grade=occasion.grade,
        priority=call.priority,
        due_days=call.due_days,
        due=due,
        original_due=due,
        owner_role=call.owner_role,
        owner=occasion.owner or holder_of_role(rosters, call.owner_role, occasion, version),
        terms=terms_of(version),
    )


def holder_of_role(rosters: Rosters, role: str, occasion: Occasion, version: Version) -> str | None:
    on = day_of(occasion.at, version.policy.time_zone)
    known = (found.state for found in rosters if found.state.role == role)
    return next((holder(roster, on, occasion.source.service) for roster in known), None)


def terms_of(version: Version) -> Terms:
    return Terms(
        policy_version=version.version,
        time_zone=version.policy.time_zone,
        ladder=version.policy.ladder,
        grace_days=version.policy.grace_days,
        extension_approvers=version.policy.extension_approvers,
    )


# --- what becomes of a source ----------------------------------------------------------------------------------------


def regrade_unheld(command: Regrade, held: bool, policies: Policies, rosters: Rosters, number: int) -> Sequence[Event]:
    """An amended finding met an empty stream: its holder is asked for; one promoted from no action opens its first."""
    occasion = command.occasion
    if held:
        return [AskedFor(source=occasion.source, at=occasion.at)]
    # The version that judged the former grade is not known here: the source had an action for certain if all call.
    had_an_action = policies.always_called_for(replace(occasion, grade=command.previous_grade))
    return [] if had_an_action else open_for(occasion, policies, rosters, number)


def regrade(action: CorrectiveAction, command: Regrade, policies: Policies, rosters: Rosters) -> Sequence[Event]:
    """Priority and due date follow the new grade."""
    before = _known(action, command.occasion.source)
    if before is None:
        return join(action, Open(occasion=command.occasion), policies, rosters)
    if action.status in OVER:
        return []
    amended_at = command.occasion.at
    after = entry_for(command.occasion, policies.in_force(amended_at), rosters)
    return _anew(action, before, after, amended_at, command.reason)


def _known(action: CorrectiveAction, source: Source) -> Entry | None:
    return action.entry_of(source.id) or action.former_entry_of(source.id)


def _anew(action: CorrectiveAction, before: Entry, after: Entry | None, at: datetime, reason: str) -> Sequence[Event]:
    """The source under other terms, if any; the due date still counts from the day from which it did."""
    if after is None:
        return _withdrawn(before, at, reason)
    due = _counted_from(action, before, after.terms) + timedelta(days=after.due_days)
    entry = replace(after, occasion=before.occasion, at=before.at, due=due, original_due=before.original_due)
    return [Regraded(entry=entry, at=at, reason=reason)] if entry != before else []


def _counted_from(action: CorrectiveAction, entry: Entry, terms: Terms) -> date:
    """The day from which its days count: that of its issue, or in a later cycle that on which the cycle began."""
    if action.cycle.number == 1:
        return day_of(entry.at, terms.time_zone)
    return entry.due - timedelta(days=entry.due_days)


def withdraw_unheld(source: Source, command: Withdraw, held: bool) -> Sequence[Event]:
    return [AskedFor(source=source, at=command.at)] if held else []


def withdraw(action: CorrectiveAction, command: Withdraw) -> Sequence[Event]:
    """The source leaves; if it was the last one, cancellation is asked for, and somebody must decide."""
    entry = action.entry_of(command.source.id)
    if entry is None or action.status in (Status.ABSENT, *OVER):
        return []
    return _withdrawn(entry, command.at, command.reason)


def _withdrawn(entry: Entry, at: datetime, reason: str) -> Sequence[Event]:
    if entry.standing is not Standing.STANDING:
        return []
    return [SourceWithdrawn(source=entry.source.id, at=at, reason=reason)]
