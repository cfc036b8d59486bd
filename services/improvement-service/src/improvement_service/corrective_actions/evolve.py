"""How each event changes a corrective action."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

from improvement_service.corrective_actions import events as e
from improvement_service.corrective_actions.state import CorrectiveAction, Status, with_entries, with_owner
from improvement_service.corrective_actions.values import Cycle, Escalation, Need, Standing


def evolve(action: CorrectiveAction, happened: e.Event) -> CorrectiveAction:
    match happened:
        case e.Opened() | e.Joined() | e.Regraded() | e.SourceWithdrawn() | e.AskedFor() | e.LetGo():
            return _source_changed(action, happened)
        case e.ExtensionAsked() | e.ExtensionDecided() | e.Escalated() | e.CancellationRefused() | e.Cancelled():
            return _time_changed(action, happened)
        case e.Implemented() | e.WindowEnded() | e.Verified() | e.WatchEnded() | e.Reopened() | e.Closed():
            return _effect_changed(action, happened)
        case _:
            return _work_changed(action, happened)


Sources = e.Opened | e.Joined | e.Regraded | e.SourceWithdrawn | e.AskedFor | e.LetGo


def _source_changed(action: CorrectiveAction, happened: Sources) -> CorrectiveAction:
    match happened:
        case e.Opened(number=number, entry=entry, group=group):
            opened = replace(action, status=Status.OPENED, number=number, group=group)
            return with_entries(opened, [entry], entry.at, "opened")
        case e.Joined(entry=entry):
            return with_entries(action, [*action.entries, entry], entry.at, f"joined by {entry.source.label}")
        case e.Regraded(entry=entry, at=at, reason=reason):
            others = [each for each in action.entries if each.source.id != entry.source.id]
            former = tuple(each for each in action.former if each.source.id != entry.source.id)
            return with_entries(replace(action, former=former), [*others, entry], at, reason)
        case e.SourceWithdrawn(source=source, at=at, reason=reason):
            entries = [
                replace(each, standing=Standing.WITHDRAWN) if each.source.id == source else each
                for each in action.entries
            ]
            return with_entries(action, entries, at, reason)
        case e.AskedFor(source=source, at=at):
            return replace(action, sought=source, sought_at=at)
        case e.LetGo():
            return replace(action, sought=None, sought_at=None)


Work = (
    e.Assigned
    | e.Contained
    | e.NeedDecided
    | e.Analysed
    | e.ExtentChecked
    | e.Planned
    | e.PlanApproved
    | e.PlanRejected
    | e.Completed
)


def _work_changed(action: CorrectiveAction, happened: Work) -> CorrectiveAction:
    match happened:
        case e.Assigned(owner=owner):
            return replace(with_owner(action, owner), appointed=True)
        case e.Contained(correction=correction):
            return replace(action, status=Status.CONTAINED, corrections=(*action.corrections, correction))
        case e.NeedDecided(need=need):
            return _with_need(action, need)
        case e.Analysed(analysis=analysis):
            return _in_cycle(replace(action, status=Status.ANALYSED), analysis=analysis)
        case e.ExtentChecked(extent=extent):
            return _in_cycle(action, extent=extent)
        case e.Planned(plan=plan):
            return _in_cycle(replace(action, status=Status.PLANNED, group=None), plan=plan)
        case e.PlanApproved(by=by, at=at):
            assert action.cycle.plan is not None
            approved = replace(action.cycle.plan, approved_by=by, approved_at=at)
            return _in_cycle(replace(action, status=Status.IMPLEMENTING), plan=approved)
        case e.PlanRejected():
            return _in_cycle(replace(action, status=Status.ANALYSED), plan=None)
        case e.Completed(completion=completion):
            return _in_cycle(action, completions=(*action.cycle.completions, completion))


def _with_need(action: CorrectiveAction, need: Need) -> CorrectiveAction:
    decided = _in_cycle(action, need=need)
    if not need.needed:
        return replace(decided, status=Status.VERIFYING, group=None)
    return replace(decided, status=Status.CONTAINED) if action.status == Status.VERIFYING else decided


Effect = e.Implemented | e.WindowEnded | e.Verified | e.WatchEnded | e.Reopened | e.Closed


def _effect_changed(action: CorrectiveAction, happened: Effect) -> CorrectiveAction:
    match happened:
        case e.Implemented(window=window):
            return _in_cycle(replace(action, status=Status.IMPLEMENTED), window=window)
        case e.WindowEnded():
            return replace(action, status=Status.VERIFYING)
        case e.Verified(verification=verification):
            return _in_cycle(action, verification=verification)
        case e.WatchEnded():
            return action
        case e.Reopened():
            return _reopened(action, happened)
        case e.Closed(at=at):
            return replace(action, status=Status.CLOSED, closed_at=at, group=None)


def _reopened(action: CorrectiveAction, happened: e.Reopened) -> CorrectiveAction:
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


Time = e.ExtensionAsked | e.ExtensionDecided | e.Escalated | e.CancellationRefused | e.Cancelled


def _time_changed(action: CorrectiveAction, happened: Time) -> CorrectiveAction:
    match happened:
        case e.ExtensionAsked(extension=extension):
            return replace(action, extensions=(*action.extensions, extension))
        case e.ExtensionDecided():
            return _extension_decided(action, happened)
        case e.Escalated(step=step, at=at, due=due, to_role=role, to=to):
            reached = Escalation(step=step, cycle=action.cycle.number, at=at, due=due, to_role=role, to=to)
            return replace(action, escalations=(*action.escalations, reached), climbed=(*action.climbed, step))
        case e.CancellationRefused(at=at):
            kept = [
                replace(each, standing=Standing.KEPT) if each.standing == Standing.WITHDRAWN else each
                for each in action.entries
            ]
            return with_entries(action, kept, at, "kept")
        case e.Cancelled(at=at):
            return replace(action, status=Status.CANCELLED, closed_at=at, group=None)


def _extension_decided(action: CorrectiveAction, happened: e.ExtensionDecided) -> CorrectiveAction:
    asked = replace(action.extensions[-1], approved=happened.approved, decided_by=happened.by, decision=happened.reason)
    decided = replace(action, extensions=(*action.extensions[:-1], asked))
    if not happened.approved:
        return decided
    entries = [replace(each, due=max(each.due, asked.until)) for each in action.entries]
    return with_entries(decided, entries, happened.at, asked.reason)


def _in_cycle(action: CorrectiveAction, **changes: Any) -> CorrectiveAction:
    """The action with its current cycle changed; earlier cycles are never touched."""
    return replace(action, cycles=(*action.cycles[:-1], replace(action.cycle, **changes)))
