"""What the next audit of a scope must look at: whether a corrective action lasted, or why it did not (A-14).

One item per action and service concerned. It is opened again when there is news of the action after the conclusion.
"""

from dataclasses import replace
from enum import StrEnum
from uuid import UUID

from audit_service.follow_up_items.events import Concluded, Event, Noted
from audit_service.follow_up_items.values import Conclusion, Note
from events.kernel import value
from events.words import Key, Person


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
