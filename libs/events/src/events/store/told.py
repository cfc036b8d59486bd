"""How an announcement is told: under its own id and number, unless others have heard those from a log that was lost.

After an older database was restored, others know announcements that our log does not have. Their ids and numbers are
never used again: the later announcements of a stream take the numbers that are free, in order. Otherwise whoever
listens would take something new for something that it has heard already.
"""

from collections.abc import Iterable
from dataclasses import replace
from uuid import UUID

from sqlalchemy import RowMapping

from events.kernel import derived_id
from events.store.port import StoredEvent


def lost_beside(events: str) -> str:
    """Two SQL columns beside those of `events` (its alias): what was lost of the same stream, and of the same id."""
    decided = "FROM lost_announcements l JOIN restores r ON r.number = l.restore"
    return f"""
        (SELECT array_agg(l.public_version) {decided}
         WHERE l.tenant = {events}.tenant AND l.stream = {events}.stream) AS lost_versions,
        EXISTS (SELECT 1 {decided} WHERE l.event_id = {events}.event_id) AS lost_id
    """


def as_told(event: StoredEvent, row: RowMapping) -> StoredEvent:
    """The event as others hear of it; `row` has the columns of `lost_beside`."""
    return told(event, row["lost_versions"] or (), id_was_lost=row["lost_id"])


def told(event: StoredEvent, lost_versions: Iterable[int], *, id_was_lost: bool) -> StoredEvent:
    """An announcement, given the numbers of its stream that were lost, and whether its id was."""
    assert event.public_version is not None
    version = nth_free(event.public_version, lost_versions)
    return replace(event, public_version=version, id=_another_id(event, version) if id_was_lost else event.id)


def nth_free(n: int, taken: Iterable[int]) -> int:
    """The n-th of the numbers 1, 2, 3... that are not taken."""
    for each in sorted(set(taken)):
        n += each <= n
    return n


def _another_id(event: StoredEvent, version: int) -> UUID:
    return derived_id("told anew", event.id, event.tenant, event.stream, version)
