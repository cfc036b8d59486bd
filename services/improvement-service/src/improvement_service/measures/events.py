"""What has happened to a measure."""

from datetime import datetime
from decimal import Decimal
from uuid import UUID

from contracts.improvement import Measure
from events.kernel import event
from events.words import Count, Key, Line
from improvement_service.measures.values import Reading, Watch


@event("reading-taken")
class ReadingTaken:
    measure: Measure
    subject: Key | None
    reading: Reading


@event("watch-started")
class WatchStarted:
    measure: Measure
    subject: Key | None
    watch: Watch


@event("criterion-contradicted")
class Contradicted:
    action: UUID
    cycle: Count
    reading: Line
    value: Decimal
    threshold: Decimal
    at: datetime


@event("watch-released")
class WatchReleased:
    action: UUID
    cycle: Count


Event = ReadingTaken | WatchStarted | Contradicted | WatchReleased
