"""What a measure is made of: readings, and the watches that actions keep on it."""

from datetime import datetime, timedelta
from decimal import Decimal
from uuid import UUID

from events.kernel import value
from events.words import Count, Line


@value
class Reading:
    """An outage (`value` in minutes, from `since` until as far as is known) or a count (in force until the next)."""

    name: Line
    since: datetime
    until: datetime
    value: Decimal
    ongoing: bool = False

    def length_by(self, at: datetime) -> Decimal:
        """The value, at least: an outage that is still open goes on lasting."""
        return max(self.value, minutes(at - self.since)) if self.ongoing else self.value


@value
class Watch:
    """In this window, the measure must not exceed the threshold, or the action has not been effective."""

    action: UUID
    cycle: Count
    threshold: Decimal
    starts_at: datetime
    ends_at: datetime
    contradicted: bool = False

    def contradicted_by(self, reading: Reading) -> bool:
        """Whether a reading, as far as it is certain, lies above the threshold inside the window."""
        reaches_in = reading.until > self.starts_at or reading.since >= self.starts_at
        return reading.value > self.threshold and reading.since < self.ends_at and reaches_in


def minutes(length: timedelta) -> Decimal:
    """A length in minutes, exact where four decimals can say it."""
    exact = Decimal(int(length.total_seconds())) / 60
    return exact if exact == round(exact, 4) else round(exact, 4)
