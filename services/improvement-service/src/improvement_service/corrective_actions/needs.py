"""What decisions about a corrective action must know: the policy, who holds which role, and whose a source is."""

from collections.abc import Iterable
from typing import Any

from contracts.improvement import Source
from duties import Roster
from events.kernel import AllWhere, Due, HolderOf, Need, NextNumber, StateOf
from improvement_service.corrective_actions.commands import Command, DecideExtension, Open, Regrade, Verify, Withdraw
from improvement_service.corrective_actions.state import CorrectiveAction, Status, source_key
from improvement_service.measures.state import Measured
from improvement_service.policies.aggregate import THE_POLICY

NUMBER = NextNumber("CA", first=101)
ROSTERS = AllWhere(Roster)


def holder_of(source: Source) -> HolderOf[CorrectiveAction]:
    """The action that a source belongs to now."""
    return HolderOf(CorrectiveAction, source_key(source.kind, source.id))


def needs(action: CorrectiveAction, command: Command) -> Iterable[Need[Any]]:
    unborn = action.status is Status.ABSENT
    match command:
        case Open():
            yield from (THE_POLICY, ROSTERS)
            if unborn:
                yield NUMBER
        case Regrade(occasion=occasion):
            yield from (THE_POLICY, ROSTERS)
            if unborn:
                yield from (NUMBER, holder_of(occasion.source))
        case Withdraw(source=source) if unborn:
            yield holder_of(source)
        case Verify() if action.cycle.plan is not None and action.cycle.plan.measured_by is not None:
            yield StateOf(Measured, action.cycle.plan.measured_by)
        case DecideExtension() | Due():
            yield ROSTERS
        case _:
            return
