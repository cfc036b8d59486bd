"""What is true of a period now; samples are side rows, only their figures are here."""

from dataclasses import replace
from datetime import datetime
from enum import StrEnum
from typing import assert_never
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


def evolve(period: Period, event: Event) -> Period:
    match event:
        case Governed():
            period = _governed(period, event)
        case Measured():
            samples = (*period.samples, *event.samples)
            period = replace(_counted(period, event), samples=samples)
        case WentOn():
            period = _counted(period, event)
        case CameAtRisk():
            period = replace(period, at_risk=AtRisk(at=event.at, used=event.used, budget=event.budget))
        case Breached():
            breach = Breach(at=event.at, used=event.used, budget=event.budget, sources=event.sources)
            period = replace(period, breach=breach)
        case BreachRestated():
            period = _breach_restated(period, event)
        case Finalised():
            period = replace(period, stage=Stage.FINAL, final_figures=event.figures, met=event.met, next_at=None)
        case Restated():
            period = replace(period, stage=Stage.RESTATED, restated=event.number, met=event.met, next_at=None)
        case Lapsed():
            period = replace(period, stage=Stage.LAPSED, next_at=None)
        case _:
            assert_never(event)
    return replace(period, status=_status(period))


def _governed(period: Period, event: Governed) -> Period:
    return replace(
        period,
        sla=event.sla,
        sla_number=event.sla_number,
        version=event.basis.version,
        service=event.service,
        customer=event.customer,
        target=event.basis.target.key,
        metric=event.basis.target.metric,
        month=event.month,
        basis=event.basis,
    )


def _counted(period: Period, event: Measured | WentOn) -> Period:
    return replace(period, figures=event.figures, at_risk_now=event.at_risk, next_at=event.next_at)


def _breach_restated(period: Period, event: BreachRestated) -> Period:
    assert period.breach is not None
    restatement = Restatement(at=event.at, used=event.used, sources=event.sources)
    return replace(period, breach=replace(period.breach, restated=(*period.breach.restated, restatement)))


def _status(period: Period) -> Status:
    """A breach stays one, also when it was restated."""
    if period.breach is not None:
        return Status.BREACHED
    return Status.AT_RISK if period.at_risk_now else Status.OK


def deadline(period: Period) -> datetime | None:
    """The next instant at which something happens by itself: a line is crossed, an incident too old, the month over."""
    return period.next_at
