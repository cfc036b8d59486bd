"""What the next audit of a scope must look at: whether a corrective action lasted, or why it did not (A-14).

One item per action and service concerned. It is opened again when there is news of the action after the conclusion.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from audit_service.audits.independence import refuse_outsider
from audit_service.audits.needs import the_audit
from audit_service.audits.state import FIELDWORK
from events.kernel import Given, Need, NotFound, Refused, event, value
from events.words import Key, Line, Person, Text


class Cause(StrEnum):
    INEFFECTIVE = "ineffective"
    CLOSED = "closed"


@value
class Note:
    """Why the next audit has to look: told by the news of a corrective action."""

    at: datetime
    cause: Cause
    cycle: int
    text: Text


@value
class Conclusion:
    audit: UUID
    by: Person
    at: datetime
    text: Text


# --- commands --------------------------------------------------------------------------------------------------------


@value
class TakeNote:
    action: UUID
    action_number: Line
    service: Key | None
    owner: Person | None = None
    note: Note


@value
class Conclude:
    """Say what the audit that was prepared to look at this item has seen."""

    audit: UUID
    text: Text


Command = TakeNote | Conclude


# --- events ----------------------------------------------------------------------------------------------------------


@event("follow-up-noted")
class Noted:
    action: UUID
    action_number: Line
    service: Key | None
    owner: Person | None = None
    note: Note


@event("follow-up-concluded")
class Concluded:
    conclusion: Conclusion


Event = Noted | Concluded


# --- state -----------------------------------------------------------------------------------------------------------


class Status(StrEnum):
    ABSENT = "absent"
    OPEN = "open"
    CONCLUDED = "concluded"


@value
class FollowUpItem:
    status: Status = Status.ABSENT
    action: UUID | None = None
    action_number: str = ""
    service: Key | None = None
    owner: Person | None = None
    """Who owned the action when it was last told of: no auditor of this item (A-06)."""
    notes: tuple[Note, ...] = ()
    conclusions: tuple[Conclusion, ...] = ()


def evolve(item: FollowUpItem, happened: Event) -> FollowUpItem:
    match happened:
        case Noted(action=action, action_number=number, service=service, owner=owner, note=note):
            return replace(
                item,
                status=Status.OPEN,
                action=action,
                action_number=number,
                service=service,
                owner=owner,
                notes=(*item.notes, note),
            )
        case Concluded(conclusion=conclusion):
            return replace(item, status=Status.CONCLUDED, conclusions=(*item.conclusions, conclusion))


# --- decisions -------------------------------------------------------------------------------------------------------


def needs(_item: FollowUpItem, command: Command) -> Iterable[Need[Any]]:
    return [the_audit(command.audit)] if isinstance(command, Conclude) else []


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
    audit = given[the_audit(command.audit)].state
    if item.status is Status.CONCLUDED:
        raise Refused(f"the follow-up of {item.action_number} is concluded", rule="A-14")
    if given.stream not in audit.follow_up_items:
        raise Refused(f"{audit.number or 'that audit'} was not prepared to look at {item.action_number}", rule="A-14")
    if audit.status not in FIELDWORK:
        raise Refused(f"{audit.number} is {audit.status}, not in its fieldwork", rule="A-14")
    refuse_outsider(audit, given)
    conclusion = Conclusion(audit=command.audit, by=given.by.person, at=given.at, text=command.text)
    return [Concluded(conclusion=conclusion)]
