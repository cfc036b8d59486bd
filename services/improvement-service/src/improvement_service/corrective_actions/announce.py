"""What other services hear of corrective actions."""

from contracts.improvement import (
    CorrectiveActionCancelled,
    CorrectiveActionClosed,
    CorrectiveActionEscalated,
    CorrectiveActionOpened,
    CorrectiveActionReopened,
    CriterionBound,
    CriterionReleased,
    SourceJoined,
)
from improvement_service.corrective_actions import events
from improvement_service.corrective_actions.state import CorrectiveAction
from improvement_service.corrective_actions.values import Window


def announce(action: CorrectiveAction, happened: events.Event) -> object | None:
    match happened:
        case events.Opened(entry=entry):
            return CorrectiveActionOpened(
                number=action.number,
                sources=action.sources,
                priority=entry.priority,
                due=entry.due,
                owner_role=entry.owner_role,
            )
        case events.Joined(entry=entry):
            return SourceJoined(number=action.number, source=entry.source)
        case events.Implemented(window=window):
            return _bound(action, window)
        case events.WatchEnded(cycle=cycle):
            return _released(action, cycle)
        case events.Escalated():
            return _escalated(action, happened)
        case events.Reopened(cycle=cycle, reason=reason):
            return CorrectiveActionReopened(
                number=action.number, cycle=cycle, sources=action.sources, reason=reason, owner=action.owner
            )
        case events.Cancelled(by=by, reason=reason):
            return CorrectiveActionCancelled(number=action.number, sources=action.sources, approver=by, reason=reason)
        case events.Closed(by=by):
            return CorrectiveActionClosed(
                number=action.number,
                cycle=action.cycle.number,
                sources=action.sources,
                verified_by=by,
                cycles=len(action.cycles),
                owner=action.owner,
            )
        case _:
            return None


def _bound(action: CorrectiveAction, window: Window) -> CriterionBound | None:
    assert action.cycle.plan is not None
    criterion = action.cycle.plan.criterion
    if criterion.measure is None or criterion.threshold is None:
        return None
    return CriterionBound(
        number=action.number,
        cycle=action.cycle.number,
        measure=criterion.measure,
        subject=criterion.subject,
        threshold=criterion.threshold,
        starts_at=window.starts_at,
        ends_at=window.ends_at,
    )


def _released(action: CorrectiveAction, cycle: int) -> CriterionReleased | None:
    assert action.cycle.plan is not None
    criterion = action.cycle.plan.criterion
    if criterion.measure is None:
        return None
    return CriterionReleased(number=action.number, cycle=cycle, measure=criterion.measure, subject=criterion.subject)


def _escalated(action: CorrectiveAction, reached: events.Escalated) -> CorrectiveActionEscalated:
    return CorrectiveActionEscalated(
        number=action.number,
        cycle=action.cycle.number,
        step=reached.step,
        to_role=reached.to_role,
        to=reached.to,
        due=reached.due,
        overdue_days=reached.overdue_days,
    )
