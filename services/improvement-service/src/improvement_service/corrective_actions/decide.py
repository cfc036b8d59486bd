"""What may happen to a corrective action: which of its few rules answers to which command."""

from collections.abc import Sequence

from events.kernel import Due, Given, NotFound, StateOf
from improvement_service.corrective_actions import effect, intake, lateness, work
from improvement_service.corrective_actions.commands import (
    Analyse,
    AskExtension,
    Assign,
    CheckExtent,
    Command,
    Complete,
    Contain,
    Contradict,
    DecideCancellation,
    DecideExtension,
    DecideNeed,
    DecidePlan,
    FromOthers,
    FromPeople,
    MakePlan,
    Open,
    Regrade,
    Verify,
    Withdraw,
)
from improvement_service.corrective_actions.events import Event
from improvement_service.corrective_actions.needs import NUMBER, ROSTERS, holder_of
from improvement_service.corrective_actions.state import CorrectiveAction, Status
from improvement_service.measures.state import Measured
from improvement_service.policies.aggregate import THE_POLICY


def decide(action: CorrectiveAction, command: Command, given: Given) -> Sequence[Event]:
    if isinstance(command, FromOthers):
        return _hear(action, command, given)
    if isinstance(command, Due):
        return list(lateness.fall_due(action, given, given[ROSTERS]))
    if action.status is Status.ABSENT:
        raise NotFound("there is no such corrective action")
    return _act(action, command, given)


# --- said by people --------------------------------------------------------------------------------------------------


def _act(action: CorrectiveAction, command: FromPeople, given: Given) -> Sequence[Event]:  # noqa: C901 one line per command
    match command:
        case Assign():
            return work.assign(action, command)
        case Contain():
            return work.contain(action, command, given)
        case DecideNeed():
            return work.decide_need(action, command, given)
        case Analyse():
            return work.analyse(action, command, given)
        case CheckExtent():
            return work.check_extent(action, command, given)
        case MakePlan():
            return work.make_plan(action, command, given)
        case DecidePlan():
            return work.decide_plan(action, command, given)
        case Complete():
            return work.complete(action, command, given)
        case Verify():
            return effect.verify(action, command, given, _measured(action, given))
        case AskExtension():
            return lateness.ask_extension(action, command, given)
        case DecideExtension():
            return lateness.decide_extension(action, command, given, given[ROSTERS])
        case DecideCancellation():
            return lateness.decide_cancellation(action, command, given)


def _measured(action: CorrectiveAction, given: Given) -> Measured:
    watched = action.cycle.plan.measured_by if action.cycle.plan else None
    return given[StateOf(Measured, watched)].state if watched else Measured()


# --- said by other services ------------------------------------------------------------------------------------------


def _hear(action: CorrectiveAction, command: FromOthers, given: Given) -> Sequence[Event]:
    match command:
        case Contradict():
            return effect.contradict(action, command, given)
        case Withdraw(source=source):
            if action.status is Status.ABSENT:
                return intake.withdraw_unheld(source, command, given[holder_of(source)] is not None)
            return intake.withdraw(action, command)
        case Open() | Regrade():
            return _hear_of_source(action, command, given)


def _hear_of_source(action: CorrectiveAction, command: Open | Regrade, given: Given) -> Sequence[Event]:
    policies, rosters = given.only(THE_POLICY), given[ROSTERS]
    match command:
        case Open(occasion=occasion) if action.status is Status.ABSENT:
            return intake.open_for(occasion, policies, rosters, given[NUMBER])
        case Open():
            return intake.join(action, command, policies, rosters)
        case Regrade(occasion=occasion) if action.status is Status.ABSENT:
            held = given[holder_of(occasion.source)] is not None
            return intake.regrade_unheld(command, held, policies, rosters, given[NUMBER])
        case Regrade():
            return intake.regrade(action, command, policies, rosters)
