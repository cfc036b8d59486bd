"""Follow-up items: one stream per corrective action and service."""

from typing import get_args
from uuid import UUID

from audit_service.follow_up_items.commands import Command
from audit_service.follow_up_items.decide import decide, needs
from audit_service.follow_up_items.events import Event
from audit_service.follow_up_items.state import FollowUpItem, evolve
from events.kernel import Aggregate, derived_id

follow_up_items = Aggregate[FollowUpItem, Command, Event](
    kind="follow-up-item",
    initial=FollowUpItem(),
    decide=decide,
    evolve=evolve,
    events=get_args(Event),
    needs=needs,
)


def follow_up_item_id(tenant: str, action: UUID, service: str | None) -> UUID:
    return derived_id("follow-up-item", tenant, action, service or "")
