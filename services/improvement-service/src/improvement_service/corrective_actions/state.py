"""A corrective action as it stands: derived from its sources, their terms, and what was done in each cycle."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import date, datetime
from enum import StrEnum
from uuid import UUID

from contracts.improvement import Source, SourceKind
from events.kernel import value
from events.words import Key, Person, Role
from improvement_service.corrective_actions.values import (
    Correction,
    Cycle,
    DueChange,
    Entry,
    Escalation,
    Extension,
    Standing,
    Terms,
)
from improvement_service.policies.rules import Priority


class Status(StrEnum):
    """How far an action has come (C-08); each cycle goes from the cause to the verdict."""

    ABSENT = "absent"
    OPENED = "opened"
    CONTAINED = "contained"
    ANALYSED = "analysed"
    PLANNED = "planned"
    IMPLEMENTING = "implementing"
    IMPLEMENTED = "implemented"
    VERIFYING = "verifying"
    CLOSED = "closed"
    CANCELLED = "cancelled"


OVER = (Status.CLOSED, Status.CANCELLED)
UNDER_WAY = (Status.OPENED, Status.CONTAINED, Status.ANALYSED, Status.PLANNED, Status.IMPLEMENTING)
"""The due date is the date for implementing, so only these can be overdue; the effect has its own window."""


@value
class CorrectiveAction:
    """`priority`, `due`, `owner_role`, `service` and `clause` follow from the entries; they stand here for lists."""

    status: Status = Status.ABSENT
    number: str = ""
    priority: Priority | None = None
    due: date | None = None
    original_due: date | None = None
    owner_role: Role | None = None
    owner: Person | None = None
    service: Key | None = None
    clause: Key | None = None
    entries: tuple[Entry, ...] = ()
    former: tuple[Entry, ...] = ()
    group: str | None = None
    """Under this name further sources may join; gone for good once a plan is made."""
    sought: Source | None = None
    sought_at: datetime | None = None
    appointed: bool = False
    owners: tuple[Person, ...] = ()
    """Everybody who ever owned it: none of them verifies (C-09)."""
    corrections: tuple[Correction, ...] = ()
    cycles: tuple[Cycle, ...] = (Cycle(),)
    dues: tuple[DueChange, ...] = ()
    extensions: tuple[Extension, ...] = ()
    escalations: tuple[Escalation, ...] = ()
    climbed: tuple[Key, ...] = ()
    """The steps of the ladder that were reached since it was last set up."""
    ladder_from: datetime | None = None
    closed_at: datetime | None = None

    @property
    def cycle(self) -> Cycle:
        return self.cycles[-1]

    @property
    def terms(self) -> Terms:
        """The terms of the eldest source hold for the whole action."""
        return self.entries[0].terms

    @property
    def sources(self) -> tuple[Source, ...]:
        return tuple(each.source for each in self.entries)

    @property
    def cancellation_asked(self) -> bool:
        """All sources were withdrawn, and nobody has yet decided what becomes of the action."""
        withdrawn = all(each.standing is Standing.WITHDRAWN for each in self.entries)
        return self.status not in (Status.ABSENT, *OVER) and withdrawn

    @property
    def correction_only(self) -> bool:
        return self.cycle.need is not None and not self.cycle.need.needed

    @property
    def extension_asked(self) -> Extension | None:
        return self.extensions[-1] if self.extensions and self.extensions[-1].approved is None else None

    def entry_of(self, source: UUID) -> Entry | None:
        return next((each for each in self.entries if each.source.id == source), None)

    def former_entry_of(self, source: UUID) -> Entry | None:
        return next((each for each in self.former if each.source.id == source), None)


def with_entries(action: CorrectiveAction, entries: Iterable[Entry], at: datetime, because: str) -> CorrectiveAction:
    """The action with these sources; those withdrawn leave as soon as any other stays.

    All that follows from sources follows from them as a set, so the order in which they came does not matter.
    """
    ordered = sorted(entries, key=lambda each: (each.at, str(each.source.id)))
    staying = [each for each in ordered if each.standing is not Standing.WITHDRAWN] or ordered
    former = (*action.former, *(each for each in ordered if each not in staying))
    leading = min(staying, key=lambda each: each.weight)
    changed = replace(
        action,
        entries=tuple(staying),
        former=former,
        priority=leading.priority,
        original_due=min(each.original_due for each in (*staying, *former)),
        owner_role=leading.owner_role,
        service=staying[0].source.service,
        clause=staying[0].source.clause,
    )
    owned = changed if action.appointed else with_owner(changed, leading.owner)
    return with_due(owned, min(each.due for each in staying), at, because)


def with_owner(action: CorrectiveAction, owner: str | None) -> CorrectiveAction:
    owners = action.owners if owner is None or owner in action.owners else (*action.owners, owner)
    return replace(action, owner=owner, owners=owners)


def with_due(action: CorrectiveAction, due: date, at: datetime, because: str) -> CorrectiveAction:
    """The action with another due date; a later one sets the ladder up anew, an earlier one repeats no step."""
    if action.due is None:
        return replace(action, due=due, ladder_from=at)
    if due == action.due:
        return action
    dues = (*action.dues, DueChange(at=at, was=action.due, due=due, because=because))
    changed = replace(action, due=due, dues=dues)
    return replace(changed, climbed=(), ladder_from=at) if due > action.due else changed


def source_key(kind: SourceKind, id: UUID) -> str:
    """The claim that makes a source belong to one open action at a time (C-01)."""
    return f"source:{kind}:{id}"


def claims(action: CorrectiveAction) -> Iterable[str]:
    if action.sought is not None:
        yield source_key(action.sought.kind, action.sought.id)
    if action.status in (Status.ABSENT, *OVER):
        return
    for source in action.sources:
        yield source_key(source.kind, source.id)
    if action.group is not None:
        yield f"group:{action.group}"
