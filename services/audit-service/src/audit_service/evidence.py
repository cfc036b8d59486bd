"""What an auditor looked at: criteria to judge by and objective evidence (A-09)."""

from datetime import datetime
from enum import StrEnum

from events.kernel import Unacceptable, value
from events.words import Count, Day, Instant, Key, Line, Person, Sha256


@value
class Criterion:
    """One requirement to audit against; a clause number means nothing without its standard and edition."""

    standard: Line
    edition: Line
    clause: Key

    @property
    def norm(self) -> str:
        """Standard and edition as they are cited: ISO/IEC 20000-1:2018."""
        return f"{self.standard}:{self.edition}"

    def __str__(self) -> str:
        return f"{self.norm} {self.clause}"


class Method(StrEnum):
    EXAMINE = "examine"
    INTERVIEW = "interview"
    OBSERVE = "observe"
    TEST = "test"


@value
class Evidence:
    """What was seen, how, how much of it, when and by whom; `hash` pins a document as it was."""

    source: Line
    method: Method
    sample_size: Count
    population: Count
    collected_at: Instant
    collector: Person
    prepared_by: Person | None = None
    """Who made what was seen, where that is known: nobody judges by evidence of their own making (A-06)."""
    effective_from: Day | None = None
    effective_to: Day | None = None
    hash: Sha256 | None = None


def refuse_unsound(evidence: tuple[Evidence, ...], at: datetime) -> None:
    """Refuse evidence that cannot have been collected as it says."""
    for each in evidence:
        if each.sample_size > each.population:
            raise Unacceptable(
                f"a sample of {each.sample_size} out of {each.population} ({each.source}) is more than there is",
                rule="A-09",
            )
        if each.collected_at > at:
            raise Unacceptable(f"{each.source} cannot have been collected in the future", rule="A-09")
        if each.effective_from and each.effective_to and each.effective_to < each.effective_from:
            raise Unacceptable(f"the effective period of {each.source} ends before it begins", rule="A-09")
