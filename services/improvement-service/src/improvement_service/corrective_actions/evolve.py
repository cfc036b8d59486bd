"""How each event changes a corrective action."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

from improvement_service.corrective_actions import events
from improvement_service.corrective_actions.state import CorrectiveAction, Status, with_entries, with_owner
from improvement_service.corrective_actions.values import Cycle, Escalation, Need, Standing


def evolve(action: CorrectiveAction, happened: events.Event) -> CorrectiveAction:
    if isinstance(happened, events.SourceEvent):
        return _source_changed(action, happened)
    if isinstance(happened, events.WorkEvent):
        return _work_changed(action, happened)
    if isinstance(happened, events.EffectEvent):
        return _effect_changed(action, happened)
    return _lateness_changed(action, happened)


def _source_changed(action: CorrectiveAction, happened: events.SourceEvent) -> CorrectiveAction:
    match happened:
        case events.Opened(number=number, entry=entry, group=group):
            opened = replace(action, status=Status.OPENED, number=number, group=group)
            return with_entries(opened, [entry], entry.at, "opened")
        case events.Joined(entry=entry):
            return with_entries(action, [*action.entries, entry], entry.at, f"joined by {entry.source.label}")
        case events.Regraded(entry=entry, at=at, reason=reason):
            others = [each for each in action.entries if each.source.id != entry.source.id]
            former = tuple(each for each in action.former if each.source.id != entry.source.id)
            return with_entries(replace(action, former=former), [*others, entry], at, reason)
        case events.SourceWithdrawn(source=source, at=at, reason=reason):
            entries = [
                replace(each, standing=Standing.WITHDRAWN) if each.source.id == source else each
                for each in action.entries
            ]
            return with_entries(action, entries, at, reason)
        case events.AskedFor(source=source, at=at):
            return replace(action, sought=source, sought_at=at)
        case events.LetGo():
            return replace(action, sought=None, sought_at=None)


def _work_changed(action: CorrectiveAction, happened: events.WorkEvent) -> CorrectiveAction:
    match happened:
        case events.Assigned(owner=owner):
            return replace(with_owner(action, owner), appointed=True)
        case events.Contained(correction=correction):
            return replace(action, status=Status.CONTAINED, corrections=(*action.corrections, correction))
        case events.NeedDecided(need=need):
            return _with_need(action, need)
        case events.Analysed(analysis=analysis):
            return _in_cycle(replace(action, status=Status.ANALYSED), analysis=analysis)
        case events.ExtentChecked(extent=extent):
            return _in_cycle(action, extent=extent)
        case events.Planned(plan=plan):
            return _in_cycle(replace(action, status=Status.PLANNED, group=None), plan=plan)
        case events.PlanApproved(by=by, at=at):
            assert action.cycle.plan is not None
            approved = replace(action.cycle.plan, approved_by=by, approved_at=at)
            return _in_cycle(replace(action, status=Status.IMPLEMENTING), plan=approved)
        case events.PlanRejected():
            return _in_cycle(replace(action, status=Status.ANALYSED), plan=None)
        case events.Completed(completion=completion):
            return _in_cycle(action, completions=(*action.cycle.completions, completion))


def _with_need(action: CorrectiveAction, need: Need) -> CorrectiveAction:
    decided = _in_cycle(action, need=need)
    if not need.needed:
        return replace(decided, status=Status.VERIFYING, group=None)
    return replace(decided, status=Status.CONTAINED) if action.status is Status.VERIFYING else decided


def _effect_changed(action: CorrectiveAction, happened: events.EffectEvent) -> CorrectiveAction:
    match happened:
        case events.Implemented(window=window):
            return _in_cycle(replace(action, status=Status.IMPLEMENTED), window=window)
        case events.WindowEnded():
            return replace(action, status=Status.VERIFYING)
        case events.Verified(verification=verification):
            return _in_cycle(action, verification=verification)
        case events.WatchEnded():
            return action
        case events.Reopened():
            return _reopened(action, happened)
        case events.Closed(at=at):
            return replace(action, status=Status.CLOSED, closed_at=at, group=None)


def _reopened(action: CorrectiveAction, happened: events.Reopened) -> CorrectiveAction:
    """The next cycle: the correction stands, the cause is to be found anew, and there is as much time as at first."""
    ended = _in_cycle(action, ended_because=happened.reason)
    need = None if action.correction_only else action.cycle.need
    next_cycle = Cycle(number=happened.cycle, need=need)
    again = replace(
        ended,
        status=Status.CONTAINED,
        cycles=(*ended.cycles, next_cycle),
        group=None,
        climbed=(),
        ladder_from=happened.at,
        closed_at=None,
    )
    entries = [replace(each, due=happened.due_from + timedelta(days=each.due_days)) for each in again.entries]
    return with_entries(again, entries, happened.at, f"cycle {happened.cycle}")


def _lateness_changed(action: CorrectiveAction, happened: events.LatenessEvent) -> CorrectiveAction:
    match happened:
        case events.ExtensionAsked(extension=extension):
            return replace(action, extensions=(*action.extensions, extension))
        case events.ExtensionDecided():
            return _extension_decided(action, happened)
        case events.Escalated(step=step, at=at, due=due, to_role=role, to=to):
            reached = Escalation(step=step, cycle=action.cycle.number, at=at, due=due, to_role=role, to=to)
            return replace(action, escalations=(*action.escalations, reached), climbed=(*action.climbed, step))
        case events.CancellationRefused(at=at):
            kept = [
                replace(each, standing=Standing.KEPT) if each.standing is Standing.WITHDRAWN else each
                for each in action.entries
            ]
            return with_entries(action, kept, at, "kept")
        case events.Cancelled(at=at):
            return replace(action, status=Status.CANCELLED, closed_at=at, group=None)


def _extension_decided(action: CorrectiveAction, happened: events.ExtensionDecided) -> CorrectiveAction:
    asked = replace(action.extensions[-1], approved=happened.approved, decided_by=happened.by, decision=happened.reason)
    decided = replace(action, extensions=(*action.extensions[:-1], asked))
    if not happened.approved:
        return decided
    entries = [replace(each, due=max(each.due, asked.until)) for each in action.entries]
    return with_entries(decided, entries, happened.at, asked.reason)


def _in_cycle(action: CorrectiveAction, **changes: Any) -> CorrectiveAction:
    """The action with its current cycle changed; earlier cycles are never touched."""
    return replace(action, cycles=(*action.cycles[:-1], replace(action.cycle, **changes)))
