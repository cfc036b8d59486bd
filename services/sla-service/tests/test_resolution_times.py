"""Incidents resolved in time or not, month by month, with figures worked out by hand."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from samples_of_2026 import MISSES, SHARE, History, incident, named, t

from contracts.sla import BreachConfirmed, TargetAtRisk
from sla_service.periods.events import Lapsed
from sla_service.periods.state import Stage, Status
from sla_service.samples import Incident
from sla_service.slas.aggregate import slas
from sla_service.slas.commands import Terminate
from sla_service.slas.terms import ResolutionTarget


def test_a_share_is_at_risk_as_soon_as_enough_incidents_tell_and_decided_at_the_end_of_the_month(
    world: Any, agree: History
) -> None:
    sla = world.in_force(*agree(SHARE))
    world.sleep_until("2026-04-10T00:00:00Z")
    world.post(
        "SVC-ERP", "desk", incident("1", "04-01 08:00", "04-01 12:00"), incident("2", "04-02 08:00", "04-02 12:01")
    )
    assert world.period(sla, "p1", "2026-04").status is Status.OK, "two incidents say nothing yet"
    world.post("SVC-ERP", "desk", incident("3", "04-03 08:00", "04-03 09:00"))
    period = world.period(sla, "p1", "2026-04")
    assert (period.status, period.at_risk.at, period.at_risk.used) == (
        Status.AT_RISK,
        t("04-03 09:00"),
        "66.667 % of 3",
    )
    hits = [incident(f"h{n}", "04-05 08:00", "04-05 09:00") for n in range(7)]
    world.post("SVC-ERP", "desk", *hits)
    period = world.period(sla, "p1", "2026-04")
    assert (period.figures.in_time, period.figures.misses, period.figures.attainment) == (9, 1, Decimal("90.000"))
    assert (period.status, period.at_risk.at) == (Status.OK, t("04-03 09:00"))
    world.post("SVC-ERP", "desk", incident("late", "04-06 08:00", "04-07 08:00"))
    world.until("2026-04-30T23:59:59Z")
    assert world.heard(BreachConfirmed) == []
    world.until("2026-05-01T00:00:00Z")
    assert [(heard.at, heard.used, heard.budget, heard.sources) for heard in world.heard(BreachConfirmed)] == [
        (t("05-01 00:00"), "81.818 % of 11", "90 %", ("desk:2", "desk:late"))
    ]
    assert len(world.heard(TargetAtRisk)) == 1


def test_the_miss_that_exceeds_those_allowed_is_the_breach_at_the_instant_it_became_a_fact(
    world: Any, agree: History
) -> None:
    sla = world.in_force(*agree(MISSES))
    world.sleep_until("2026-04-20T00:00:00Z")
    late = [incident(str(day), f"04-0{day} 08:00", f"04-0{day + 2} 08:00", "2") for day in (1, 2)]
    world.post("SVC-ERP", "desk", *late)
    assert world.period(sla, "p2", "2026-04").status is Status.AT_RISK
    assert world.period(sla, "p2", "2026-04").at_risk.at == t("04-03 08:00")
    world.post("SVC-ERP", "desk", incident("3", "04-05 08:00", "04-09 08:00", "2"))
    assert [(heard.at, heard.used, heard.budget) for heard in world.heard(BreachConfirmed)] == [
        (t("04-06 08:00"), "3 misses", "2 misses")
    ]


def test_an_open_incident_is_a_miss_once_its_time_is_over_and_stays_one_when_it_is_resolved(
    world: Any, agree: History
) -> None:
    """Opened on 30 April with 24 h: a miss of May; resolved in June, it is still that one miss of May."""
    sla = world.in_force(*agree(MISSES))
    world.sleep_until("2026-04-30T21:00:00Z")
    world.post("SVC-ERP", "desk", incident("1", "04-30 20:00", None, "2"))
    assert world.period(sla, "p2", "2026-05").figures.misses == 0
    assert world.period(sla, "p2", "2026-05").next_at == t("05-01 20:00")
    world.until("2026-05-01T20:00:00Z")
    assert world.period(sla, "p2", "2026-05").figures.misses == 1
    world.until("2026-06-03T00:00:00Z")
    world.post("SVC-ERP", "desk", incident("1-resolved", "04-30 20:00", "06-02 20:00", "2", corrects="1"))
    assert world.period(sla, "p2", "2026-05").figures.misses == 1
    assert world.period(sla, "p2", "2026-05").figures.open == ()
    assert world.period(sla, "p2", "2026-06").status is Status.ABSENT
    assert world.period(sla, "p2", "2026-04").status is Status.ABSENT


def test_an_open_incident_resolved_in_time_counts_in_the_month_of_its_resolution(world: Any, agree: History) -> None:
    sla = world.in_force(*agree(MISSES))
    world.sleep_until("2026-04-30T21:00:00Z")
    world.post("SVC-ERP", "desk", incident("1", "04-30 20:00", None, "2"))
    world.sleep_until("2026-04-30T23:00:00Z")
    world.post("SVC-ERP", "desk", incident("1-resolved", "04-30 20:00", "04-30 22:00", "2", corrects="1"))
    world.until("2026-06-01T00:00:00Z")
    assert world.period(sla, "p2", "2026-04").figures.in_time == 1
    may = world.period(sla, "p2", "2026-05")
    assert (may.figures.in_time, may.figures.misses, may.met) == (0, 0, True)


def test_an_incident_reported_only_after_a_late_resolution_counts_in_the_month_of_its_resolution(
    world: Any, agree: History
) -> None:
    sla = world.in_force(*agree(ResolutionTarget(key="p2", within=3600, misses_allowed=0)))
    world.sleep_until("2026-05-03T00:00:00Z")
    world.post("SVC-ERP", "desk", incident("1", "04-28 20:00", "05-02 20:00"))
    assert world.period(sla, "p2", "2026-04").status is Status.ABSENT
    assert world.period(sla, "p2", "2026-05").breach.at == t("05-01 00:00"), "a fact of May from its beginning on"


def test_only_incidents_of_the_targets_priority_count_and_a_corrected_priority_moves_them(
    world: Any, agree: History
) -> None:
    sla = world.in_force(*agree(SHARE, MISSES))
    world.sleep_until("2026-04-10T00:00:00Z")
    world.post("SVC-ERP", "desk", incident("1", "04-01 08:00", "04-01 09:00", "1"))
    assert world.period(sla, "p2", "2026-04").status is Status.ABSENT
    world.post("SVC-ERP", "desk", incident("1b", "04-01 08:00", "04-01 09:00", "2", corrects="1"))
    assert world.period(sla, "p1", "2026-04").figures.in_time == 0
    assert world.period(sla, "p2", "2026-04").figures.in_time == 1


def test_a_month_that_lies_behind_the_agreements_end_lapses(world: Any, agree: History) -> None:
    sla = world.in_force(*agree(MISSES))
    world.sleep_until("2026-04-30T21:00:00Z")
    world.post("SVC-ERP", "desk", incident("1", "04-30 20:00", None, "2"))
    world.do(slas, sla, Terminate(ends_on=date(2026, 4, 30), reason="replaced"))
    world.until("2026-06-10T00:00:00Z")
    assert named(world.events(sla, "p2", "2026-05"), Lapsed)
    assert world.period(sla, "p2", "2026-05").stage is Stage.LAPSED
    assert world.heard(BreachConfirmed) == []


def test_600_incidents_in_one_report_each_count_once(world: Any, agree: History) -> None:
    targets = [
        ResolutionTarget(key=f"p{n}", priority=str(n), within=n * 86400, percent=Decimal(90)) for n in range(1, 5)
    ]
    sla = world.in_force(*agree(*targets, effective_from=date(2025, 1, 1), time_zone="America/Sao_Paulo"))
    world.sleep_until("2026-01-15T00:00:00Z")
    begin = datetime(2025, 3, 2, tzinfo=UTC)
    samples = [
        Incident(
            id=f"INC{n}",
            opened_at=begin + timedelta(hours=5 * n),
            resolved_at=begin + timedelta(hours=5 * n + n % 90),
            priority=str(1 + n % 4),
        )
        for n in range(600)
    ]
    made = world.post("SVC-ERP", "desk", *samples)
    assert len(made) >= 16
    counted = [world.period(sla, f"p{n}", f"2025-{month:02}").figures for n in range(1, 5) for month in range(3, 9)]
    assert sum(each.in_time + each.misses for each in counted if each) == 600
