"""What happens when time runs out: the escalation ladder, more time, and cancellation (C-08, C-10, C-11).

The due date is the date for implementing and ends with its day. The ladder stops when the action is implemented (or
only its correction was needed), and is set up anew by an approved extension, a later due date and a new cycle.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime

from duties import holder, holders
from events.kernel import Forbidden, Given, Refused, Unacceptable
from events.words import day_of, end_of
from improvement_service.corrective_actions.commands import AskExtension, DecideCancellation, DecideExtension
from improvement_service.corrective_actions.effect import end_of_watch
from improvement_service.corrective_actions.events import (
    CancellationRefused,
    Cancelled,
    Escalated,
    Event,
    ExtensionAsked,
    ExtensionDecided,
    LetGo,
    WindowEnded,
)
from improvement_service.corrective_actions.intake import Rosters
from improvement_service.corrective_actions.state import UNDER_WAY, CorrectiveAction, Status
from improvement_service.corrective_actions.values import Extension
from improvement_service.corrective_actions.work import refuse_unless
from improvement_service.policies.rules import Step

# --- the clock -------------------------------------------------------------------------------------------------------


def deadline(action: CorrectiveAction) -> datetime | None:
    """The next instant at which something happens by itself."""
    if action.sought is not None:
        return action.sought_at
    if action.status is Status.IMPLEMENTED and action.cycle.window is not None:
        return action.cycle.window.ends_at
    return next((instant for instant, _ in steps_ahead(action)), None)


def steps_ahead(action: CorrectiveAction) -> Sequence[tuple[datetime, Step]]:
    """The steps not yet reached, in order; no reminder is sent for a time before the due date was set."""
    if action.status not in UNDER_WAY or action.due is None:
        return []
    terms = action.terms
    instants = [(step.instant(action.due, terms.time_zone, terms.grace_days), step) for step in terms.ladder]
    return [
        (instant, step)
        for instant, step in instants
        if step.key not in action.climbed and (step.days >= 0 or instant >= _due_since(action))
    ]


def _due_since(action: CorrectiveAction) -> datetime:
    """Since when this is the due date: nobody could be told before."""
    assert action.ladder_from is not None
    return max([action.ladder_from, *(change.at for change in action.dues[-1:])])


def overdue(action: CorrectiveAction, at: datetime) -> bool:
    """Whether the due date has passed without implementation: derived, never stored (C-10)."""
    if action.status not in UNDER_WAY or action.due is None:
        return False
    return at >= Step(key="due", days=0).instant(action.due, action.terms.time_zone, action.terms.grace_days)


def fall_due(action: CorrectiveAction, given: Given, rosters: Rosters) -> Iterable[Event]:
    """All that should have happened by now, each with its own instant."""
    if action.sought is not None:
        yield LetGo()
    window = action.cycle.window
    if action.status is Status.IMPLEMENTED and window is not None and window.ends_at <= given.at:
        yield WindowEnded(at=window.ends_at)
    for instant, step in steps_ahead(action):
        if instant <= given.at:
            yield _escalated(action, instant, step, rosters)


def _escalated(action: CorrectiveAction, instant: datetime, step: Step, rosters: Rosters) -> Escalated:
    assert action.due is not None
    assert action.owner_role is not None
    role = step.role or action.owner_role
    to = action.owner if step.role is None else None
    late = step.days + (action.terms.grace_days if step.days >= 0 else 0)
    at = max(instant, _due_since(action))
    return Escalated(
        step=step.key,
        at=at,
        due=action.due,
        to_role=role,
        to=to or _holder(action, role, at, rosters),
        overdue_days=late,
    )


def _holder(action: CorrectiveAction, role: str, at: datetime, rosters: Rosters) -> str | None:
    on = day_of(at, action.terms.time_zone)
    return next((holder(found.state, on, action.service) for found in rosters if found.state.role == role), None)


# --- more time -------------------------------------------------------------------------------------------------------


def ask_extension(action: CorrectiveAction, command: AskExtension, given: Given) -> Sequence[Event]:
    refuse_unless(action, *UNDER_WAY, rule="C-10")
    if given.by.person != action.owner:
        raise Forbidden("the owner asks for an extension", rule="C-10", owner=action.owner)
    if action.extension_asked is not None:
        raise Refused(f"an extension to {action.extension_asked.until} is asked for already", rule="C-10")
    if action.due is None or command.until <= action.due:
        raise Unacceptable(f"an extension ends after the due date {action.due}", rule="C-10")
    if end_of(command.until, action.terms.time_zone) <= given.at:
        raise Unacceptable("an extension ends in the future", rule="C-10")
    asked = Extension(until=command.until, reason=command.reason, by=given.by.person, at=given.at)
    return [ExtensionAsked(extension=asked)]


def decide_extension(
    action: CorrectiveAction, command: DecideExtension, given: Given, rosters: Rosters
) -> Sequence[Event]:
    asked, approver = action.extension_asked, given.by.person
    if asked is None:
        raise Refused("no extension is asked for", rule="C-10")
    refuse_unless(action, *UNDER_WAY, rule="C-10")
    if approver in (action.owner, asked.by):
        raise Forbidden("somebody else than the owner decides about an extension", rule="C-10", owner=action.owner)
    _refuse_without_authority(action, given, rosters)
    return [ExtensionDecided(approved=command.approved, by=approver, at=given.at, reason=command.reason)]


def _refuse_without_authority(action: CorrectiveAction, given: Given, rosters: Rosters) -> None:
    on = day_of(given.at, action.terms.time_zone)
    roles = action.terms.extension_approvers
    known = (found.state for found in rosters if found.state.role in roles)
    if not any(given.by.person in holders(roster, on, action.service) for roster in known):
        wanted = " or ".join(roles)
        raise Refused(
            f"no assignment of {given.by.person} as {wanted} is known for {on}", rule="C-10", roles=list(roles)
        )


# --- cancellation ----------------------------------------------------------------------------------------------------


def decide_cancellation(action: CorrectiveAction, command: DecideCancellation, given: Given) -> Sequence[Event]:
    if not action.cancellation_asked:
        raise Refused("nobody asks for cancellation: a source of the action still stands", rule="C-08")
    if given.by.person in action.owners:
        raise Forbidden("somebody else than the owner decides about cancellation", rule="C-08", owner=action.owner)
    if not command.approved:
        return [CancellationRefused(by=given.by.person, at=given.at, reason=command.reason)]
    cancelled = Cancelled(by=given.by.person, at=given.at, reason=command.reason)
    return [*end_of_watch(action), cancelled]
