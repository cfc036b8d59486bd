"""Availability month by month: budgets, breaches and their instants, with figures worked out by hand."""

from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from samples_of_2026 import AVAILABLE, MISSES, History, incident, named, outage, t

from contracts.sla import BreachConfirmed, Metric, OutageMeasured, PeriodClosed, TargetAtRisk
from events.kernel import Refused
from sla_service.periods.events import Breached, CameAtRisk, Finalised
from sla_service.periods.state import Stage, Status
from sla_service.slas.aggregate import slas
from sla_service.slas.commands import Terminate
from sla_service.slas.terms import AvailabilityTarget, Weekday, Window


def test_75_minutes_down_in_april_are_99_826_percent_and_the_budget_of_43_2_is_gone_at_09_53_12(
    world: Any, agree: History
) -> None:
    sla = world.in_force(*agree(AVAILABLE))
    world.sleep_until("2026-04-14T10:30:00Z")
    world.post("SVC-ERP", "desk", outage("INC-4711", "04-14 09:10", "04-14 10:25"))
    period = world.period(sla, "availability", "2026-04")
    assert period.basis.agreed_seconds == 43_200 * 60
    assert period.basis.budget_seconds == Decimal("43.2") * 60
    assert (period.status, period.stage, period.figures.attainment) == (
        Status.BREACHED,
        Stage.PROVISIONAL,
        Decimal("99.826"),
    )
    assert named(world.events(sla, "availability", "2026-04"), CameAtRisk) == [
        CameAtRisk(at=t("04-14 09:42:24"), used="32.4 min", budget="43.2 min")
    ]
    assert world.heard(BreachConfirmed) == [
        BreachConfirmed(
            sla=sla,
            sla_number="SLA-1",
            version=1,
            service="SVC-ERP",
            customer="halden-bank",
            target="availability",
            metric=Metric.AVAILABILITY,
            month="2026-04",
            at=t("04-14 09:53:12"),
            used="75 min",
            budget="43.2 min",
            sources=("desk:INC-4711",),
        )
    ]


def test_while_an_outage_lasts_risk_and_breach_are_told_at_their_instant(world: Any, agree: History) -> None:
    sla = world.in_force(*agree(AVAILABLE))
    world.sleep_until("2026-04-14T09:15:00Z")
    world.post("SVC-ERP", "desk", outage("INC-4711", "04-14 09:10"))
    assert world.period(sla, "availability", "2026-04").next_at == t("04-14 09:42:24")
    world.until("2026-04-14T09:42:23Z")
    assert world.heard(TargetAtRisk) == []
    world.until("2026-04-14T09:42:24Z")
    assert [heard.at for heard in world.heard(TargetAtRisk)] == [t("04-14 09:42:24")]
    assert world.period(sla, "availability", "2026-04").next_at == t("04-14 09:53:12")
    world.until("2026-04-14T10:00:00Z")
    assert [(heard.at, heard.used) for heard in world.heard(BreachConfirmed)] == [(t("04-14 09:53:12"), "43.2 min")]


def test_a_due_that_comes_late_catches_up_every_step_in_order(world: Any, agree: History) -> None:
    sla = world.in_force(*agree(AVAILABLE))
    world.sleep_until("2026-04-14T09:15:00Z")
    world.post("SVC-ERP", "desk", outage("INC-4711", "04-14 09:10"))
    world.sleep_until("2026-05-02T00:00:00Z")
    world.until("2026-05-02T00:00:00Z")
    steps = [event for event in world.events(sla, "availability", "2026-04") if hasattr(event, "at")]
    assert [(type(step), step.at) for step in steps] == [
        (CameAtRisk, t("04-14 09:42:24")),
        (Breached, t("04-14 09:53:12")),
        (Finalised, t("05-01 00:00")),
    ]


def test_exactly_the_budget_is_no_breach_and_one_second_more_is_one_from_where_it_began(
    world: Any, agree: History
) -> None:
    sla = world.in_force(*agree(AVAILABLE))
    world.sleep_until("2026-04-20T12:00:00Z")
    world.post("SVC-ERP", "monitor", outage("A", "04-14 09:10", "04-14 09:53:12"))
    assert world.period(sla, "availability", "2026-04").status is Status.AT_RISK
    world.post("SVC-ERP", "monitor", outage("B", "04-15 09:00", "04-15 09:00:01"))
    assert world.period(sla, "availability", "2026-04").breach.at == t("04-15 09:00")


def test_an_outage_over_the_end_of_a_month_counts_in_both(world: Any, agree: History) -> None:
    sla = world.in_force(*agree(AVAILABLE))
    world.sleep_until("2026-05-01T02:00:00Z")
    world.post("SVC-ERP", "monitor", outage("A", "04-30 23:50", "05-01 00:20"))
    assert world.period(sla, "availability", "2026-04").figures.down_seconds == 10 * 60
    assert world.period(sla, "availability", "2026-05").figures.down_seconds == 20 * 60


def test_an_outage_that_lasts_goes_on_in_the_next_month_by_itself(world: Any, agree: History) -> None:
    sla = world.in_force(*agree(AVAILABLE))
    world.sleep_until("2026-04-30T23:55:00Z")
    world.post("SVC-ERP", "monitor", outage("A", "04-30 23:50"))
    world.until("2026-05-01T01:00:00Z")
    april, may = (world.period(sla, "availability", month) for month in ("2026-04", "2026-05"))
    assert (april.stage, april.met, april.figures.down_seconds) == (Stage.FINAL, True, 600)
    assert may.breach.at == t("05-01 00:44:38.4")
    world.post("SVC-ERP", "monitor", outage("A-end", "04-30 23:50", "04-30 23:58", corrects="A"))
    april, may = (world.period(sla, "availability", month) for month in ("2026-04", "2026-05"))
    assert (april.stage, april.restated, april.figures.down_seconds) == (Stage.RESTATED, 1, 480)
    assert april.final_figures.down_seconds == 600
    assert may.figures.down_seconds == 0
    assert may.breach.at == t("05-01 00:44:38.4")
    assert may.breach.known_at is None


def test_only_agreed_time_counts_and_the_figure_round_the_clock_is_shown_beside_it(world: Any, agree: History) -> None:
    """April 2026 in Berlin: 22 weekdays less Good Friday and Easter Monday, of ten hours: 200 h; 99 % leave 2 h."""
    hours = (Window(days=tuple(Weekday)[:5], opens="08:00", closes="18:00"),)
    target = AvailabilityTarget(key="availability", percent=Decimal(99))
    sla = world.in_force(
        *agree(
            target,
            time_zone="Europe/Berlin",
            service_hours=hours,
            holidays=(date(2026, 4, 3), date(2026, 4, 6)),
        )
    )
    world.sleep_until("2026-04-14T20:00:00Z")
    world.post("SVC-ERP", "monitor", outage("A", "04-13 15:00", "04-14 07:30"))
    period = world.period(sla, "availability", "2026-04")
    assert period.basis.agreed_seconds == 200 * 3600
    assert period.figures.down_seconds == 2 * 3600 + 30 * 60
    assert period.figures.down_seconds_unadjusted == 16 * 3600 + 30 * 60
    assert (period.figures.attainment, period.figures.attainment_unadjusted) == (Decimal("98.750"), Decimal("97.708"))
    assert period.breach.at == t("04-14 07:00"), "one hour until 18:00 in Berlin, one from 08:00 on"


def test_the_month_is_that_of_the_zone_and_knows_its_change_of_clocks(world: Any, agree: History) -> None:
    sla = world.in_force(*agree(AVAILABLE, time_zone="Europe/Berlin"))
    world.sleep_until("2026-04-02T00:00:00Z")
    world.post("SVC-ERP", "monitor", outage("A", "03-31 22:30", "03-31 22:40"))
    assert world.period(sla, "availability", "2026-03").status is Status.ABSENT
    world.post("SVC-ERP", "monitor", outage("B", "03-31 21:30", "03-31 21:40"))
    assert world.period(sla, "availability", "2026-03").basis.agreed_seconds == (31 * 24 - 1) * 3600


def test_an_agreement_from_mid_month_is_judged_by_the_time_in_force(world: Any, agree: History) -> None:
    sla = world.in_force(*agree(AVAILABLE, effective_from=date(2026, 4, 16)))
    world.sleep_until("2026-04-20T00:00:00Z")
    world.post("SVC-ERP", "monitor", outage("A", "04-15 23:50", "04-16 00:10"))
    period = world.period(sla, "availability", "2026-04")
    assert period.basis.agreed_seconds == 15 * 24 * 3600
    assert period.figures.down_seconds == 600


def test_a_service_without_an_agreement_has_its_outages_measured_all_the_same(world: Any) -> None:
    world.sleep_until("2026-04-14T12:00:00Z")
    made = world.post("SVC-NEW", "monitor", outage("A", "04-14 09:00", "04-14 09:22"))
    assert [order.key for order in made] == ["outages of SVC-NEW"]
    assert world.heard(OutageMeasured)[0].seconds == 22 * 60
    with pytest.raises(Refused, match="nothing was kept"):
        world.post("SVC-NEW", "desk", incident("I", "04-14 09:00"))


def test_a_terminated_agreement_is_decided_at_its_end_and_has_no_deadlines_afterwards(
    world: Any, agree: History
) -> None:
    sla = world.in_force(*agree(AVAILABLE, MISSES))
    world.sleep_until("2026-04-14T12:00:00Z")
    world.post("SVC-ERP", "monitor", outage("A", "04-14 09:00", "04-14 09:30"))
    world.do(slas, sla, Terminate(ends_on=date(2026, 4, 15), reason="replaced"))
    world.until("2026-04-16T00:00:00Z")
    period = world.period(sla, "availability", "2026-04")
    assert (period.stage, period.met, period.next_at) == (Stage.FINAL, False, None)
    assert period.basis.agreed_seconds == 15 * 24 * 3600
    assert period.breach.at == t("04-14 09:21:36"), "half the month has half the budget: 21.6 min"
    assert world.heard(PeriodClosed)[0].at == t("04-16 00:00")
