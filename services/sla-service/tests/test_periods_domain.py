"""Targets month by month, with figures worked out by hand."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.sla import BreachConfirmed, BreachWithdrawn, Metric, OutageMeasured, PeriodClosed, TargetAtRisk
from events.kernel import Refused, Unacceptable, fingerprint
from sla_service.periods.events import Breached, BreachRestated, CameAtRisk, Finalised, Lapsed, Measured, Restated
from sla_service.periods.state import Stage, Status
from sla_service.samples import Incident, Outage, row_of
from sla_service.slas.aggregate import slas
from sla_service.slas.commands import Amend, Sign, Terminate
from sla_service.slas.terms import AvailabilityTarget, ResolutionTarget, Side, Weekday, Window

AVAILABLE = AvailabilityTarget(key="availability", percent=Decimal("99.9"))
SHARE = ResolutionTarget(key="p1", priority="1", within=4 * 3600, percent=Decimal(90), at_risk_after=3)
MISSES = ResolutionTarget(key="p2", priority="2", within=24 * 3600, misses_allowed=2)
History = Callable[..., list[Any]]


def t(written: str) -> datetime:
    """04-14 09:10 of 2026, in UTC"""
    return datetime.fromisoformat(f"2026-{written}").replace(tzinfo=UTC)


def outage(id: str, start: str, end: str | None = None, corrects: str | None = None) -> Outage:
    return Outage(id=id, started_at=t(start), ended_at=t(end) if end else None, corrects=corrects)


def incident(
    id: str, opened: str, resolved: str | None = None, priority: str = "1", corrects: str | None = None
) -> Incident:
    done = t(resolved) if resolved else None
    return Incident(id=id, opened_at=t(opened), resolved_at=done, priority=priority, corrects=corrects)


def named(events: list[Any], kind: type[Any]) -> list[Any]:
    return [event for event in events if isinstance(event, kind)]


# --- availability


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


def test_reported_twice_and_delivered_three_times_it_stays_75_minutes_and_one_breach(
    world: Any, agree: History
) -> None:
    sla = world.in_force(*agree(AVAILABLE))
    world.sleep_until("2026-04-14T10:30:00Z")
    world.post("SVC-ERP", "desk", outage("INC-4711", "04-14 09:10", "04-14 10:25"))
    for _ in range(3):
        world.post("SVC-ERP", "monitor", outage("MON-88", "04-14 09:20", "04-14 10:20"))
    period = world.period(sla, "availability", "2026-04")
    assert period.figures.down_seconds == 75 * 60
    assert period.figures.sources == ("desk:INC-4711", "monitor:MON-88")
    assert len(world.heard(BreachConfirmed)) == 1
    assert len(named(world.events(sla, "availability", "2026-04"), Measured)) == 2
    assert world.heard(OutageMeasured)[-1].sources == ("desk:INC-4711", "monitor:MON-88")
    assert {heard.seconds for heard in world.heard(OutageMeasured)} == {4500}


def test_an_event_vouches_for_its_rows_by_count_and_hash(world: Any, agree: History) -> None:
    sla = world.in_force(*agree(AVAILABLE))
    world.sleep_until("2026-04-14T12:00:00Z")
    old, new = outage("A", "04-14 09:00", "04-14 09:05"), outage("B", "04-14 10:00", "04-14 10:05")
    world.post("SVC-ERP", "monitor", old)
    world.post("SVC-ERP", "monitor", old, new)
    first, second = named(world.events(sla, "availability", "2026-04"), Measured)
    assert (first.rows, first.sha256) == (1, fingerprint([row_of("SVC-ERP", "monitor", old)]))
    assert (second.rows, second.sha256) == (1, fingerprint([row_of("SVC-ERP", "monitor", new)]))
    assert second.figures.down_seconds == 600


def test_the_same_sample_with_another_content_is_refused(world: Any, agree: History) -> None:
    world.in_force(*agree(AVAILABLE))
    world.sleep_until("2026-04-14T12:00:00Z")
    world.post("SVC-ERP", "monitor", outage("A", "04-14 09:00", "04-14 09:05"))
    with pytest.raises(Refused, match="reported before with another content") as refusal:
        world.post("SVC-ERP", "monitor", outage("A", "04-14 09:00", "04-14 09:06"))
    assert refusal.value.status == 409
    with pytest.raises(Refused, match="reported before with another content"):
        world.post("SVC-ERP", "desk", outage("A", "04-14 09:00"), outage("A", "04-14 09:01"))


def test_what_is_to_come_or_ends_before_it_begins_is_refused(world: Any, agree: History) -> None:
    world.in_force(*agree(AVAILABLE))
    world.sleep_until("2026-04-14T12:00:00Z")
    with pytest.raises(Unacceptable, match="future"):
        world.post("SVC-ERP", "monitor", outage("A", "04-14 11:00", "04-14 12:01"))
    with pytest.raises(Unacceptable, match="before it begins"):
        world.post("SVC-ERP", "monitor", outage("A", "04-14 11:00", "04-14 10:00"))
    with pytest.raises(Unacceptable, match="itself"):
        world.post("SVC-ERP", "monitor", outage("A", "04-14 11:00", corrects="A"))


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


def test_a_correction_that_brings_it_back_under_budget_leaves_the_breach_on_record(world: Any, agree: History) -> None:
    sla = world.in_force(*agree(AVAILABLE))
    world.sleep_until("2026-04-14T12:00:00Z")
    world.post("SVC-ERP", "desk", outage("INC-1", "04-14 09:10", "04-14 10:25"))
    world.post("SVC-ERP", "desk", outage("INC-1b", "04-14 09:10", "04-14 09:25", corrects="INC-1"))
    period = world.period(sla, "availability", "2026-04")
    assert (period.status, period.breach.at, period.breach.known_at) == (Status.BREACHED, t("04-14 09:53:12"), None)
    assert period.figures.down_seconds == 900
    assert len(named(world.events(sla, "availability", "2026-04"), BreachRestated)) == 1
    world.until("2026-05-01T00:00:00Z")
    assert world.period(sla, "availability", "2026-04").met is True
    assert len(world.heard(BreachConfirmed)) == 1
    assert world.heard(BreachWithdrawn) == [
        BreachWithdrawn(
            sla=sla,
            sla_number="SLA-1",
            version=1,
            service="SVC-ERP",
            customer="halden-bank",
            target="availability",
            metric=Metric.AVAILABILITY,
            month="2026-04",
        )
    ]


def test_final_figures_that_are_restated_to_no_breach_take_it_back_and_others_hear_of_it(
    world: Any, agree: History
) -> None:
    sla = world.in_force(*agree(MISSES))
    world.sleep_until("2026-04-10T00:00:00Z")
    late = [incident(f"I{n}", "04-01 08:00", f"04-0{n} 09:00", "2") for n in (3, 4, 5)]  # 3 misses of 2 allowed
    world.post("SVC-ERP", "desk", *late)
    world.until("2026-05-04T00:00:00Z")
    april = world.period(sla, "p2", "2026-04")
    # All three were opened at 08:00, and are misses since 24 h later.
    assert (april.stage, april.met, april.breach.at) == (Stage.FINAL, False, t("04-02 08:00"))
    assert world.heard(BreachWithdrawn) == []
    world.post("SVC-ERP", "desk", incident("I5b", "04-01 08:00", "04-01 09:00", "2", corrects="I5"))
    april = world.period(sla, "p2", "2026-04")
    assert (april.stage, april.met, april.breach.known_at) == (Stage.RESTATED, True, None)
    assert [heard.month for heard in world.heard(BreachWithdrawn)] == ["2026-04"]


def test_a_breach_that_was_taken_back_and_is_known_again_is_confirmed_again(world: Any, agree: History) -> None:
    """43.2 min allowed: 75 min are a breach, 15 min are none, and 15 + 40 are one again, 28.2 min into the second."""
    world.in_force(*agree(AVAILABLE))
    world.sleep_until("2026-04-21T00:00:00Z")
    world.post("SVC-ERP", "desk", outage("A", "04-14 09:10", "04-14 10:25"))
    world.post("SVC-ERP", "desk", outage("A2", "04-14 09:10", "04-14 09:25", corrects="A"))
    world.post("SVC-ERP", "desk", outage("B", "04-20 10:00", "04-20 10:40"))
    assert [(heard.at, heard.used, heard.budget, heard.sources) for heard in world.heard(BreachConfirmed)] == [
        (t("04-14 09:53:12"), "75 min", "43.2 min", ("desk:A",)),
        (t("04-20 10:28:12"), "55 min", "43.2 min", ("desk:A2", "desk:B")),
    ]
    assert len(world.heard(BreachWithdrawn)) == 1
    world.post("SVC-ERP", "desk", outage("B2", "04-20 10:00", "04-20 10:30", corrects="B"))  # still 1.8 min too long
    assert (len(world.heard(BreachConfirmed)), len(world.heard(BreachWithdrawn))) == (2, 1)


def test_a_correction_to_another_month_is_taken_out_of_the_first(world: Any, agree: History) -> None:
    sla = world.in_force(*agree(AVAILABLE))
    world.sleep_until("2026-06-01T12:00:00Z")
    world.post("SVC-ERP", "desk", outage("INC-1", "02-14 09:10", "02-14 10:25"))
    world.post("SVC-ERP", "desk", outage("INC-1b", "05-14 09:10", "05-14 10:25", corrects="INC-1"))
    assert world.period(sla, "availability", "2026-02").figures.down_seconds == 0
    assert world.period(sla, "availability", "2026-02").stage is Stage.RESTATED
    assert world.period(sla, "availability", "2026-05").figures.down_seconds == 4500
    assert [(heard.outage, heard.seconds) for heard in world.heard(OutageMeasured)] == [
        ("desk:INC-1", 4500),
        ("desk:INC-1", 4500),
    ]
    assert world.heard(OutageMeasured)[-1].started_at == t("05-14 09:10")


def test_an_end_that_arrives_before_the_open_report_still_takes_it_out_of_every_month(
    world: Any, agree: History
) -> None:
    sla = world.in_force(*agree(AVAILABLE, MISSES))
    world.sleep_until("2026-05-01T01:00:00Z")
    world.post(
        "SVC-ERP",
        "desk",
        outage("A-end", "04-30 23:50", "04-30 23:58", corrects="A"),
        incident("I-end", "04-30 20:00", "04-30 22:00", "2", corrects="I"),
    )
    world.post("SVC-ERP", "desk", outage("A", "04-30 23:50"), incident("I", "04-30 20:00", None, "2"))
    world.until("2026-06-02T00:00:00Z")
    assert world.period(sla, "availability", "2026-04").figures.down_seconds == 480
    assert world.period(sla, "availability", "2026-05").figures.down_seconds == 0
    assert world.period(sla, "p2", "2026-04").figures.in_time == 1
    assert world.period(sla, "p2", "2026-05").figures.misses == 0
    assert world.heard(BreachConfirmed) == []


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


# --- resolution time


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


def test_what_is_reported_after_the_final_figures_restates_them_and_they_stay_readable(
    world: Any, agree: History
) -> None:
    sla = world.in_force(*agree(SHARE))
    world.sleep_until("2026-04-10T00:00:00Z")
    world.post("SVC-ERP", "desk", *(incident(str(n), "04-01 08:00", "04-01 09:00") for n in range(9)))
    world.until("2026-05-04T00:00:00Z")
    assert world.period(sla, "p1", "2026-04").stage is Stage.FINAL
    world.post(
        "SVC-ERP", "desk", incident("a", "04-02 08:00", "04-03 09:00"), incident("b", "04-02 08:00", "04-03 09:00")
    )
    period = world.period(sla, "p1", "2026-04")
    assert (period.stage, period.restated, period.met) == (Stage.RESTATED, 1, False)
    assert (period.final_figures.attainment, period.figures.attainment) == (Decimal("100.000"), Decimal("81.818"))
    assert period.breach.at == t("05-01 00:00")
    assert period.next_at is None
    assert [event.number for event in named(world.events(sla, "p1", "2026-04"), Restated)] == [1]


def test_a_month_that_lies_behind_the_agreements_end_lapses(world: Any, agree: History) -> None:
    sla = world.in_force(*agree(MISSES))
    world.sleep_until("2026-04-30T21:00:00Z")
    world.post("SVC-ERP", "desk", incident("1", "04-30 20:00", None, "2"))
    world.do(slas, sla, Terminate(ends_on=date(2026, 4, 30), reason="replaced"))
    world.until("2026-06-10T00:00:00Z")
    assert named(world.events(sla, "p2", "2026-05"), Lapsed)
    assert world.period(sla, "p2", "2026-05").stage is Stage.LAPSED
    assert world.heard(BreachConfirmed) == []


# --- any order, any cut


MINUTES = st.integers(0, 3 * 24 * 60)
REPORTS = st.lists(st.tuples(st.sampled_from(["desk", "monitor"]), MINUTES, st.integers(0, 90)), min_size=1, max_size=8)


@given(REPORTS, st.randoms(use_true_random=False))
@settings(max_examples=20, deadline=None)
def test_downtime_is_the_union_whatever_the_order_and_cut_of_the_reports(
    new_world: Any, agree: History, reports: list[tuple[str, int, int]], shuffled: Any
) -> None:
    start = t("04-10 00:00")
    samples = [
        (source, Outage(id=f"O{n}", started_at=start + timedelta(minutes=a), ended_at=start + timedelta(minutes=a + b)))
        for n, (source, a, b) in enumerate(reports)
    ]
    down = {minute for _, a, b in reports for minute in range(a, a + b)}
    breaches = set()
    for _ in range(2):
        world = new_world()
        sla = world.in_force(*agree(AVAILABLE))
        world.sleep_until("2026-04-20T00:00:00Z")
        shuffled.shuffle(samples)
        for source, sample in samples:
            world.post("SVC-ERP", source, sample)
        period = world.period(sla, "availability", "2026-04")
        assert period.figures.down_seconds == 60 * len(down)
        assert (period.status is Status.BREACHED) == (len(down) > 43)
        breaches.add(period.breach and period.breach.known_at)
        assert sum(heard.seconds for heard in {h.outage: h for h in world.heard(OutageMeasured)}.values()) == 60 * len(
            down
        )
    assert len(breaches) == 1


@given(st.permutations(range(6)))
@settings(max_examples=60, deadline=None)
def test_in_whatever_order_corrections_come_others_end_up_knowing_whether_there_is_a_breach(
    new_world: Any, agree: History, order: list[int]
) -> None:
    """What stands in the end: 15 min of A, 20 min of B, 5 min of C: 40 of 43.2 min. Each first report alone is more."""
    samples = [
        outage("A", "04-14 09:10", "04-14 10:25"),
        outage("A2", "04-14 09:10", "04-14 09:25", corrects="A"),
        outage("B", "04-15 09:00", "04-15 10:00"),
        outage("B2", "04-15 09:00", "04-15 09:20", corrects="B"),
        outage("C", "04-16 09:00", "04-16 09:50"),
        outage("C2", "04-16 09:00", "04-16 09:05", corrects="C"),
    ]
    world = new_world()
    sla = world.in_force(*agree(AVAILABLE))
    world.sleep_until("2026-04-20T00:00:00Z")
    for n in order:
        world.post("SVC-ERP", "desk", samples[n])
        told = [type(news.body) for news in world.announced if isinstance(news.body, BreachConfirmed | BreachWithdrawn)]
        breach = world.period(sla, "availability", "2026-04").breach
        assert told == [BreachConfirmed, BreachWithdrawn] * (len(told) // 2) + [BreachConfirmed] * (len(told) % 2)
        assert (len(told) % 2 == 1) == (breach is not None and breach.known_at is not None)
    assert len(told) % 2 == 0
    assert world.period(sla, "availability", "2026-04").figures.down_seconds == 40 * 60


# --- versions


def test_a_month_follows_its_versions_and_the_next_the_last_of_them(world: Any, agree: History) -> None:
    sla = world.in_force(*agree(AVAILABLE))
    stricter = world.streams[sla].state.version(1).terms
    stricter = replace(
        stricter, targets=(replace(AVAILABLE, percent=Decimal("99.99")),), effective_from=date(2026, 4, 10)
    )
    world.sleep_until("2026-04-09T12:00:00Z")
    world.do(slas, sla, Amend(terms=stricter, reason="more was asked for"))
    for side in Side:
        world.do(slas, sla, Sign(side=side, person=f"p-{side}", on=date(2026, 4, 9)))
    world.until("2026-05-14T12:00:00Z")
    world.post("SVC-ERP", "desk", outage("A", "04-14 09:10", "04-14 09:20"), outage("B", "05-14 09:10", "05-14 09:20"))
    april, may = (world.period(sla, "availability", month) for month in ("2026-04", "2026-05"))
    # 9 days at 99.9 % allow 12.96 min, 21 days at 99.99 % 3.024: 10 min are 62.6 % of 15.984.
    assert (april.version, april.status, april.basis.budget_seconds) == (1, Status.OK, Decimal("15.984") * 60)
    assert (may.version, may.breach.at) == (2, t("05-14 09:14:27.84")), "744 h leave 4.464 min"


def test_a_month_that_was_opened_early_follows_the_version_that_takes_over_before_it_begins(
    world: Any, agree: History
) -> None:
    sla = world.in_force(*agree(MISSES))
    stricter = world.streams[sla].state.version(1).terms
    stricter = replace(stricter, targets=(replace(MISSES, misses_allowed=0),), effective_from=date(2026, 5, 1))
    world.sleep_until("2026-04-30T21:00:00Z")
    world.post("SVC-ERP", "desk", incident("1", "04-30 20:00", None, "2"))
    assert world.period(sla, "p2", "2026-05").version == 1
    world.do(slas, sla, Amend(terms=stricter, reason="no more misses"))
    for side in Side:
        world.do(slas, sla, Sign(side=side, person=f"p-{side}", on=date(2026, 4, 30)))
    world.until("2026-05-02T00:00:00Z")
    period = world.period(sla, "p2", "2026-05")
    assert (period.version, period.breach.at) == (2, t("05-01 20:00"))


def test_a_back_dated_amendment_judges_from_the_day_of_the_last_signature(world: Any, agree: History) -> None:
    sla = world.in_force(*agree(AVAILABLE))
    world.sleep_until("2026-04-14T12:00:00Z")
    world.post("SVC-ERP", "desk", outage("A", "04-14 09:10", "04-14 09:20"))
    terms = world.streams[sla].state.version(1).terms
    earlier = replace(terms, targets=(replace(AVAILABLE, percent=Decimal("99.99")),), effective_from=date(2026, 3, 1))
    world.do(slas, sla, Amend(terms=earlier, reason="agreed in March by telephone"))
    for side in Side:
        world.do(slas, sla, Sign(side=side, person=f"p-{side}", on=date(2026, 4, 14)))
    world.post("SVC-ERP", "desk", outage("B", "04-14 11:10", "04-14 11:20"))
    assert world.streams[sla].state.to_restate == ("2026-03", "2026-04")
    april = world.period(sla, "availability", "2026-04")
    # 13 days at 99.9 % allow 18.72 min, 17 days at 99.99 % 2.448: 20 of 21.168 min are no breach.
    assert [(each.version, each.starts_at) for each in april.basis.segments] == [
        (1, t("04-01 00:00")),
        (2, t("04-14 00:00")),
    ]
    assert (april.basis.budget_seconds, world.heard(BreachConfirmed)) == (Decimal("21.168") * 60, [])


# --- size


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
