"""Follow-up items: one stream per corrective action and service."""

from audit_service.follow_up_items.domain import (
    Command,
    Concluded,
    Event,
    FollowUpItem,
    Noted,
    decide,
    evolve,
    needs,
)
from events.kernel import Aggregate

follow_up_items = Aggregate[FollowUpItem, Command, Event](
    kind="follow-up-item",
    initial=FollowUpItem(),
    decide=decide,
    evolve=evolve,
    events=(Noted, Concluded),
    needs=needs,
)
