"""What an audit is made of: its plan, its results, its reports (A-04, A-05, A-13)."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from audit_service.evidence import Criterion, Evidence
from events.kernel import value
from events.words import Count, Day, Key, Line, Person, Text, Zone


@value
class Scope:
    """What is looked at: services, processes and sites, as they were in a period.

    Processes or sites without services mean all that they are there for: every service.
    """

    services: tuple[Key, ...] = ()
    processes: tuple[Line, ...] = ()
    sites: tuple[Line, ...] = ()
    period_from: Day | None = None
    period_to: Day | None = None

    @property
    def named(self) -> bool:
        """Whether it was said at all what is looked at."""
        return bool(self.services or self.processes or self.sites)

    def reaches(self, service: str | None) -> bool:
        """Whether a service lies in it; what concerns no single service (null) does."""
        return service is None or not self.services or service in self.services


@value
class AuditPlan:
    """What an audit sets out to do; it may have gaps while it is planned, and none when the audit starts (A-04).

    Days are those of `zone`. Auditors must have had no duty for the services in scope for `look_back_months`.
    """

    title: Line
    objectives: tuple[Text, ...] = ()
    criteria: tuple[Criterion, ...] = ()
    scope: Scope = Scope()
    method: Text | None = None
    starts_on: Day | None = None
    ends_on: Day | None = None
    zone: Zone
    look_back_months: Count = 12


class Verdict(StrEnum):
    CONFORM = "conform"
    FINDING = "finding"
    NOT_AUDITED = "not-audited"


@value
class Result:
    """What the audit says to one criterion, and on what evidence."""

    criterion: Criterion
    outcome: Verdict
    reason: Text | None
    evidence: tuple[Evidence, ...]
    recorded_by: Person


@value
class Report:
    """One issued revision of the report; it is never altered, a correction is the next revision (A-13)."""

    revision: int
    issued_at: datetime
    issued_by: Person
    recipients: tuple[Person, ...]
    summary: Text
    findings: tuple[UUID, ...]
    correction: Text | None
    acknowledged_by: tuple[Person, ...] = ()
