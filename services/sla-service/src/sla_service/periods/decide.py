"""How a period is judged: every report, and every instant that passes, may cross a line, and each line is crossed once.

What was once decided stays decided: it is recorded with its own instant, and later knowledge is added to it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from events.kernel import Decision, Due, Found, Given, Need, Row, RowsOf, fingerprint
from sla_service.agreed_time import union
from sla_service.periods import availability, resolution
from sla_service.periods.basis import Basis, agreed_spans, basis_of
from sla_service.periods.commands import Command, Measure, Reconsider
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
from sla_service.periods.figures import Assessment
from sla_service.periods.state import Period, Stage
from sla_service.samples import TABLE, in_force, label, report_of, row_of, unknown_rows
from sla_service.slas.aggregate import agreement
from sla_service.slas.state import Sla
from sla_service.slas.terms import AvailabilityTarget

REPORTED = RowsOf(TABLE)


def needs(period: Period, command: Command) -> Iterable[Need[Any]]:
    sla = command.sla if isinstance(command, Measure) else period.sla
    return [] if sla is None else (REPORTED, agreement(sla))


def decide(period: Period, command: Command, given: Given) -> Sequence[Event] | Decision[Event]:
    match command:
        case Measure():
            return _measure(period, command, given)
        case Reconsider() | Due():
            return _go_on(period, given)


@dataclass(frozen=True)
class Ground:
    """What a judgement stands on: the basis, whether it is another than before, and the agreement it comes from."""

    basis: Basis
    governed: tuple[Governed, ...]
    sla: Sla


def _measure(period: Period, command: Measure, given: Given) -> Sequence[Event] | Decision[Event]:
    found, known = given[agreement(command.sla)], given[REPORTED]
    ground = _ground(period, found, command.target, command.month)
    if ground is None:
        return []
    reported = (row_of(found.state.service, command.source, sample) for sample in command.samples)
    rows = unknown_rows(known, reported)
    if not rows:
        return []
    assessment = _assess(ground, (*known, *rows), given)
    measured = Measured(
        rows=len(rows),
        sha256=fingerprint(rows),
        samples=tuple(label(row.source, row.id) for row in rows),
        figures=assessment.figures,
        at_risk=assessment.at_risk_now,
        next_at=assessment.next_at,
    )
    return Decision([*ground.governed, measured, *_verdicts(period, ground, assessment, given)], rows)


def _go_on(period: Period, given: Given) -> Sequence[Event]:
    if period.sla is None or period.stage is not Stage.PROVISIONAL:
        return []
    ground = _ground(period, given[agreement(period.sla)], period.target, period.month)
    if ground is None:
        return [Lapsed()]
    known = given[REPORTED]
    assessment = _assess(ground, known, given)
    went_on = WentOn(figures=assessment.figures, at_risk=assessment.at_risk_now, next_at=assessment.next_at)
    return [*ground.governed, went_on, *_verdicts(period, ground, assessment, given)]


def _ground(period: Period, found: Found[Sla], target: str, month: str) -> Ground | None:
    """The basis as agreed now, or as it was when the figures became final; None where nothing is in force."""
    sla = found.state
    basis = basis_of(sla, target, month) if period.stage is Stage.PROVISIONAL else period.basis
    if basis is None or period.stage is Stage.LAPSED:
        return None
    governed = Governed(
        sla=found.id, sla_number=sla.number, service=sla.service, customer=sla.customer, month=month, basis=basis
    )
    return Ground(basis, () if basis == period.basis else (governed,), sla)


def _assess(ground: Ground, rows: Sequence[Row], given: Given) -> Assessment:
    reports = in_force([report_of(row) for row in rows])
    if isinstance(ground.basis.target, AvailabilityTarget):
        agreed = union(
            span
            for segment in ground.basis.segments
            for span in agreed_spans(ground.sla.version(segment.version).terms, segment.span)
        )
        return availability.assess(ground.basis, agreed, reports, given.at)
    return resolution.assess(ground.basis, reports, given.at)


def _verdicts(period: Period, ground: Ground, assessment: Assessment, given: Given) -> Sequence[Event]:
    """What follows from the figures, in the order in which it became a fact."""
    verdicts: list[Event] = []
    if assessment.at_risk is not None and period.at_risk is None:
        crossing = assessment.at_risk
        verdicts.append(CameAtRisk(at=crossing.at, used=crossing.used, budget=assessment.budget))
    verdicts += _breach(period, assessment)
    met = assessment.breach is None
    if period.stage is not Stage.PROVISIONAL:
        verdicts.append(Restated(number=period.restated + 1, figures=assessment.figures, met=met))
    elif given.at >= ground.basis.ends_at:
        verdicts.append(Finalised(at=ground.basis.ends_at, figures=assessment.figures, met=met))
    return verdicts


def _breach(period: Period, assessment: Assessment) -> Sequence[Event]:
    """One breach a period: what becomes known later restates it."""
    crossing = assessment.breach
    if period.breach is None:
        if crossing is None:
            return []
        budget, sources = assessment.budget, assessment.sources
        return [Breached(at=crossing.at, used=crossing.used, budget=budget, sources=sources)]
    if period.breach.known_at == (crossing.at if crossing else None):
        return []
    if crossing is None:
        return [BreachRestated(at=None, used=None, budget=None, sources=assessment.sources)]
    budget, sources = assessment.budget, assessment.sources
    return [BreachRestated(at=crossing.at, used=crossing.used, budget=budget, sources=sources)]
