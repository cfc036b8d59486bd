"""What is true of a period now; samples are side rows, only their figures are here."""

from dataclasses import replace
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from contracts.sla import Metric
from events.kernel import value
from sla_service.periods.basis import Basis
from sla_service.periods.events import (
    Breached,
    BreachRestated,
    CameAtRisk,
    Event,
    Finalised,
    Governed,
    Lapsed,
    Measured,
    Restated,
    WentOn,
)
from sla_service.periods.figures import Figures


class Status(StrEnum):
    """How the target stands."""

    ABSENT = "absent"
    OK = "ok"
    AT_RISK = "at-risk"
    BREACHED = "breached"


class Stage(StrEnum):
    """How settled the figures are (S-05)."""

    PROVISIONAL = "provisional"
    FINAL = "final"
    RESTATED = "restated"
    LAPSED = "lapsed"


@value
class AtRisk:
    """When the target first was at risk in this month."""

    at: datetime
    used: str
    budget: str


@value
class Restatement:
    """What is known now of a breach: its instant, or (null) that there is none any more."""

    at: datetime | None
    used: str | None
    budget: str | None
    sources: tuple[str, ...]


@value
class Breach:
    """The breach as it was confirmed, once; and what became known since."""

    at: datetime
    used: str
    budget: str
    sources: tuple[str, ...]
    restated: tuple[Restatement, ...] = ()

    @property
    def known_at(self) -> datetime | None:
        """The instant of the breach by what is known now."""
        return self.restated[-1].at if self.restated else self.at

    @property
    def known_before(self) -> datetime | None:
        """The instant of the breach by what was known before it was last restated."""
        return self.restated[-2].at if len(self.restated) > 1 else self.at


@value
class Period:
    """One target of one agreement in one calendar month of the agreement's zone."""

    status: Status = Status.ABSENT
    stage: Stage = Stage.PROVISIONAL
    restated: int = 0
    sla: UUID | None = None
    sla_number: str = ""
    version: int = 0
    service: str = ""
    customer: str = ""
    target: str = ""
    metric: Metric | None = None
    month: str = ""
    basis: Basis | None = None
    figures: Figures | None = None
    final_figures: Figures | None = None
    met: bool | None = None
    """Whether the target was met, once that is decided."""
    at_risk_now: bool = False
    at_risk: AtRisk | None = None
    breach: Breach | None = None
    samples: tuple[str, ...] = ()
    """By name what was reported for this month, so that corrections find their way."""
    next_at: datetime | None = None


def evolve(period: Period, happened: Event) -> Period:
    period = _changed(period, happened)
    return replace(period, status=_status_of(period))


def _changed(period: Period, happened: Event) -> Period:
    match happened:
        case Governed():
            return _governed(period, happened)
        case Measured():
            return replace(_counted(period, happened), samples=(*period.samples, *happened.samples))
        case WentOn():
            return _counted(period, happened)
        case CameAtRisk():
            return replace(period, at_risk=AtRisk(at=happened.at, used=happened.used, budget=happened.budget))
        case Breached():
            breach = Breach(at=happened.at, used=happened.used, budget=happened.budget, sources=happened.sources)
            return replace(period, breach=breach)
        case BreachRestated():
            return _breach_restated(period, happened)
        case Finalised():
            return replace(period, stage=Stage.FINAL, final_figures=happened.figures, met=happened.met, next_at=None)
        case Restated():
            return replace(period, stage=Stage.RESTATED, restated=happened.number, met=happened.met, next_at=None)
        case Lapsed():
            return replace(period, stage=Stage.LAPSED, next_at=None)


def _governed(period: Period, happened: Governed) -> Period:
    return replace(
        period,
        sla=happened.sla,
        sla_number=happened.sla_number,
        version=happened.basis.version,
        service=happened.service,
        customer=happened.customer,
        target=happened.basis.target.key,
        metric=happened.basis.target.metric,
        month=happened.month,
        basis=happened.basis,
    )


def _counted(period: Period, happened: Measured | WentOn) -> Period:
    return replace(period, figures=happened.figures, at_risk_now=happened.at_risk, next_at=happened.next_at)


def _breach_restated(period: Period, happened: BreachRestated) -> Period:
    assert period.breach is not None
    restatement = Restatement(at=happened.at, used=happened.used, budget=happened.budget, sources=happened.sources)
    return replace(period, breach=replace(period.breach, restated=(*period.breach.restated, restatement)))


def _status_of(period: Period) -> Status:
    """A breach stays one, also when it was restated."""
    if period.breach is not None:
        return Status.BREACHED
    return Status.AT_RISK if period.at_risk_now else Status.OK


def deadline(period: Period) -> datetime | None:
    """The next instant at which something happens by itself: a line is crossed, an incident too old, the month over."""
    return period.next_at
