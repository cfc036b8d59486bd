"""When the next audit has to look, and when one has looked: concluded by its team, in its fieldwork (A-14)."""

from collections.abc import Iterable, Sequence
from typing import Any

from audit_service.audits.state import FIELDWORK, Audit
from audit_service.audits.team import refuse_outsider
from audit_service.follow_up_items.commands import Command, Conclude, TakeNote
from audit_service.follow_up_items.events import Concluded, Event, Noted
from audit_service.follow_up_items.state import FollowUpItem, Status
from audit_service.follow_up_items.values import Conclusion
from events.kernel import Given, Need, NotFound, Refused, StateOf


def needs(_item: FollowUpItem, command: Command) -> Iterable[Need[Any]]:
    return [StateOf(Audit, command.audit)] if isinstance(command, Conclude) else []


def decide(item: FollowUpItem, command: Command, given: Given) -> Sequence[Event]:
    match command:
        case TakeNote():
            return _take_note(item, command)
        case Conclude():
            return _conclude(item, command, given)


def _take_note(item: FollowUpItem, command: TakeNote) -> Sequence[Event]:
    if command.note in item.notes:
        return []
    noted = Noted(
        action=command.action,
        action_number=command.action_number,
        service=command.service,
        owner=command.owner,
        note=command.note,
    )
    return [noted]


def _conclude(item: FollowUpItem, command: Conclude, given: Given) -> Sequence[Event]:
    if item.status is Status.ABSENT:
        raise NotFound("there is no such follow-up item")
    audit = given[StateOf(Audit, command.audit)].state
    if item.status is Status.CONCLUDED:
        raise Refused(f"the follow-up of {item.action_number} is concluded", rule="A-14")
    if given.stream not in audit.follow_up_items:
        raise Refused(f"{audit.number or 'that audit'} was not prepared to look at {item.action_number}", rule="A-14")
    if audit.status not in FIELDWORK:
        raise Refused(f"{audit.number} is {audit.status}, not in its fieldwork", rule="A-14")
    refuse_outsider(audit, given)
    conclusion = Conclusion(audit=command.audit, by=given.by.person, at=given.at, text=command.text)
    return [Concluded(conclusion=conclusion)]
