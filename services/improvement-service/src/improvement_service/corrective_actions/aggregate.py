"""A corrective action: which of its few rules answers to which command, and what each must know from elsewhere."""

from collections.abc import Iterable, Sequence
from typing import Any, get_args

from contracts.improvement import Source
from duties import role_roster
from events.kernel import Aggregate, AllWhere, Due, Given, HolderOf, Need, NextNumber, NotFound, StateOf
from improvement_service.corrective_actions import commands as c
from improvement_service.corrective_actions import effect, intake, lateness, work
from improvement_service.corrective_actions.announce import announce
from improvement_service.corrective_actions.events import Event
from improvement_service.corrective_actions.evolve import evolve
from improvement_service.corrective_actions.state import CorrectiveAction, Status, claims, source_key
from improvement_service.measures.domain import measures
from improvement_service.policies.domain import THE_POLICY, policies_from

NUMBER = NextNumber("CA", first=101)
ROSTERS = AllWhere(role_roster)
FromOthers = c.Open | c.Regrade | c.Withdraw | c.Contradict
Work = c.Assign | c.Contain | c.DecideNeed | c.Analyse | c.CheckExtent | c.MakePlan | c.DecidePlan | c.Complete
Outcome = c.Verify | c.AskExtension | c.DecideExtension | c.DecideCancellation


def holder_of(source: Source) -> HolderOf[CorrectiveAction]:
    """The action that a source belongs to now."""
    return HolderOf(corrective_actions, source_key(source.kind, source.id))


def needs(action: CorrectiveAction, command: c.Command) -> Iterable[Need[Any]]:
    unborn = action.status == Status.ABSENT
    match command:
        case c.Open():
            yield from (THE_POLICY, ROSTERS)
            if unborn:
                yield NUMBER
        case c.Regrade(occasion=occasion):
            yield from (THE_POLICY, ROSTERS)
            if unborn:
                yield from (NUMBER, holder_of(occasion.source))
        case c.Withdraw(source=source) if unborn:
            yield holder_of(source)
        case c.Verify() if action.cycle.plan is not None and action.cycle.plan.measured_by is not None:
            yield StateOf(measures, action.cycle.plan.measured_by)
        case c.DecideExtension() | Due():
            yield ROSTERS
        case _:
            return


def decide(action: CorrectiveAction, command: c.Command, given: Given) -> Sequence[Event]:
    match command:
        case c.Open() | c.Regrade() | c.Withdraw() | c.Contradict():
            return _hear(action, command, given)
        case Due():
            return list(lateness.fall_due(action, given, given[ROSTERS]))
        case _ if action.status == Status.ABSENT:
            raise NotFound("there is no such corrective action")
        case c.Verify() | c.AskExtension() | c.DecideExtension() | c.DecideCancellation():
            return _judge(action, command, given)
        case _:
            return _work(action, command, given)


def _hear(action: CorrectiveAction, command: FromOthers, given: Given) -> Sequence[Event]:
    match command:
        case c.Contradict():
            return effect.contradict(action, command, given)
        case c.Withdraw(source=source):
            if action.status == Status.ABSENT:
                return intake.withdraw_unheld(source, command, given[holder_of(source)] is not None)
            return intake.withdraw(action, command)
        case c.Open() | c.Regrade():
            return _hear_of_source(action, command, given)


def _hear_of_source(action: CorrectiveAction, command: c.Open | c.Regrade, given: Given) -> Sequence[Event]:
    policies, rosters = policies_from(given[THE_POLICY]), given[ROSTERS]
    match command:
        case c.Open(occasion=occasion) if action.status == Status.ABSENT:
            return intake.open_for(occasion, policies, rosters, given[NUMBER])
        case c.Open():
            return intake.join(action, command, policies, rosters)
        case c.Regrade(occasion=occasion) if action.status == Status.ABSENT:
            held = given[holder_of(occasion.source)] is not None
            return intake.regrade_unheld(command, held, policies, rosters, given[NUMBER])
        case c.Regrade():
            return intake.regrade(action, command, policies, rosters)


def _work(action: CorrectiveAction, command: Work, given: Given) -> Sequence[Event]:
    match command:
        case c.Assign():
            return work.assign(action, command)
        case c.Contain():
            return work.contain(action, command, given)
        case c.DecideNeed():
            return work.decide_need(action, command, given)
        case c.Analyse():
            return work.analyse(action, command, given)
        case c.CheckExtent():
            return work.check_extent(action, command, given)
        case c.MakePlan():
            return work.make_plan(action, command, given)
        case c.DecidePlan():
            return work.decide_plan(action, command, given)
        case c.Complete():
            return work.complete(action, command, given)


def _judge(action: CorrectiveAction, command: Outcome, given: Given) -> Sequence[Event]:
    match command:
        case c.Verify():
            watched = action.cycle.plan.measured_by if action.cycle.plan else None
            measured = given[StateOf(measures, watched)].state if watched else measures.initial
            return effect.verify(action, command, given, measured)
        case c.AskExtension():
            return lateness.ask_extension(action, command, given)
        case c.DecideExtension():
            return lateness.decide_extension(action, command, given, given[ROSTERS])
        case c.DecideCancellation():
            return lateness.decide_cancellation(action, command, given)


corrective_actions = Aggregate[CorrectiveAction, c.Command, Event](
    kind="corrective-action",
    initial=CorrectiveAction(),
    decide=decide,
    evolve=evolve,
    needs=needs,
    deadline=lateness.deadline,
    claims=claims,
    announce=announce,
    events=get_args(Event),
)
