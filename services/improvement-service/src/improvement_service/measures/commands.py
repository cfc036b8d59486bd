"""What can be asked of a measure."""

from uuid import UUID

from contracts.improvement import Measure
from events.kernel import value
from events.words import Count, Key
from improvement_service.measures.values import Reading, Watch


@value
class Take:
    """A reading was announced: a new one, or an outage that has grown."""

    measure: Measure
    subject: Key | None
    reading: Reading


@value
class Keep:
    """An action is implemented: from now on it is judged by this measure."""

    measure: Measure
    subject: Key | None
    watch: Watch


@value
class Release:
    """Nobody judges that cycle of the action any more."""

    action: UUID
    cycle: Count


Command = Take | Keep | Release
