"""What can be asked of a period: one target of one agreement in one calendar month."""

from uuid import UUID

from events.kernel import Due, value
from events.words import Key, Line
from sla_service.samples import Sample


@value
class Measure:
    """One source reports samples of the service."""

    sla: UUID
    target: Key
    month: Line
    source: Key
    samples: tuple[Sample, ...]


@value
class Reconsider:
    """The agreement changed: look again at what governs this month."""


Command = Measure | Reconsider | Due
