"""The terms in which risks are described, rated and treated (ISO 31000, ISO/IEC 27005)."""

from enum import StrEnum

from events.kernel import value
from events.words import Day, Line, Person
from risk_service.words import Level, Step


class Source(StrEnum):
    """Where a risk comes from (K-02; ISO/IEC 20000-1, 6.1.2)."""

    ORGANIZATION = "organization"
    UNMET_SERVICE_REQUIREMENT = "unmet-service-requirement"
    OTHER_PARTY = "other-party"


class Kind(StrEnum):
    THREAT = "threat"
    OPPORTUNITY = "opportunity"


class Option(StrEnum):
    """How a risk is treated (K-04)."""

    MODIFY = "modify"
    AVOID = "avoid"
    SHARE = "share"
    RETAIN = "retain"


class Progress(StrEnum):
    """How far a treatment is."""

    PLANNED = "planned"
    EVALUATED = "evaluated"


@value
class Rating:
    """A step on each scale; their product is the level."""

    likelihood: Step
    impact: Step

    @property
    def level(self) -> int:
        return self.likelihood * self.impact


@value
class PlannedAction:
    """What somebody will do about a risk, and the level expected of it."""

    title: Line
    owner: Person
    due: Day
    expected_level: Level


@value
class Action:
    """A planned action under its number; `evidence` says that it was done."""

    number: int
    planned: PlannedAction
    evidence: str | None = None
