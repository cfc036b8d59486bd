"""Months other than the April of the stories: changes of clocks, holidays, leap days, agreements that begin and end."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from contracts.sla import BreachConfirmed, PeriodClosed, TargetAtRisk
from events.kernel import Refused
from sla_service.periods.state import Stage, Status
from sla_service.samples import Incident, Outage
from sla_service.slas.aggregate import slas
from sla_service.slas.commands import Amend, Side, Sign, Terminate
from sla_service.slas.terms import AvailabilityTarget, ResolutionTarget, Weekday, Window

History = Callable[..., list[Any]]
BERLIN = "Europe/Berlin"
AVAILABLE = AvailabilityTarget(key="availability", percent=Decimal("99.9"))
NO_MISS = ResolutionTarget(key="p1", priority="1", within=4 * 3600, misses_allowed=0)
OFFICE_HOURS = (
    Window(
        days=(Weekday.MONDAY, Weekday.TUESDAY, Weekday.WEDNESDAY, Weekday.THURSDAY, Weekday.FRIDAY),
        opens="08:00",
        closes="18:00",
    ),
)


def at(written: str) -> datetime:
    """2026-03-29T02:30+01:00; without an offset in UTC"""
    instant = datetime.fromisoformat(written)
    return instant if instant.tzinfo else instant.replace(tzinfo=UTC)


def outage(id: str, start: str, end: str | None = None, corrects: str | None = None) -> Outage:
    return Outage(id=id, started_at=at(start), ended_at=at(end) if end else None, corrects=corrects)


def incident(id: str, opened: str, resolved: str | None, priority: str = "1", corrects: str | None = None) -> Incident:
    return Incident(
        id=id,
        opened_at=at(opened),
        resolved_at=at(resolved) if resolved else None,
        priority=priority,
        corrects=corrects,
    )


def amended(world: Any, sla: Any, on: date, **changes: Any) -> None:
    """Both sides sign another version."""
    terms = replace(world.streams[sla].state.active.terms, **changes)
    world.do(slas, sla, Amend(terms=terms, reason="agreed anew"))
    for side in Side:
        world.do(slas, sla, Sign(side=side, person=f"p-{side}", on=on))


# --- availability


@pytest.mark.parametrize(
    ("month", "since", "starts", "hours", "budget", "at_risk", "breach"),
    [
        # 31 x 24 - 1 = 743 h; 0.1 % of 44,580 min = 44.58 min = 2,674.8 s; 75 % of it 2,006.1 s = 33:26.1
        ("2026-03", date(2026, 1, 1), "2026-03-29T01:30+01:00", 743, "44.58 min", "01:03:26.1", "01:14:34.8"),
        # 31 x 24 + 1 = 745 h; 0.1 % of 44,700 min = 44.7 min = 2,682 s; 75 % of it 2,011.5 s = 33:31.5
        ("2026-10", date(2026, 1, 1), "2026-10-25T02:30+02:00", 745, "44.7 min", "01:03:31.5", "01:14:42"),
        # 29 x 24 = 696 h; 0.1 % of 41,760 min = 41.76 min = 2,505.6 s; 75 % of it 1,879.2 s = 31:19.2
        ("2028-02", date(2028, 2, 1), "2028-02-29T01:30+01:00", 696, "41.76 min", "01:01:19.2", "01:11:45.6"),
    ],
)
def test_the_budget_is_that_of_the_months_real_hours_and_runs_through_the_change_of_clocks(
    world: Any,
    agree: History,
    month: str,
    since: date,
    starts: str,
    hours: int,
    budget: str,
    at_risk: str,
    breach: str,
) -> None:
    """Each outage begins at 00:30 UTC and lasts an hour."""
    sla = world.in_force(*agree(AVAILABLE, effective_from=since, time_zone=BERLIN))
    day = at(starts).astimezone(UTC).date().isoformat()
    world.sleep_until(f"{day}T12:00:00Z")
    world.post("SVC-ERP", "monitor", outage("A", starts, f"{day}T01:30:00"))
    period = world.period(sla, "availability", month)
    assert period.basis.agreed_seconds == hours * 3600
    assert [(heard.at, heard.budget) for heard in world.heard(TargetAtRisk)] == [(at(f"{day}T{at_risk}"), budget)]
    assert [(heard.at, heard.budget) for heard in world.heard(BreachConfirmed)] == [(at(f"{day}T{breach}"), budget)]


def test_office_hours_over_the_weekend_on_which_the_clocks_go_forward(world: Any, agree: History) -> None:
    """22 weekdays x 10 h = 220 h in March 2026, of which 0.5 % are 66 min: 30 on Friday and 36 on Monday use them up.

    Out from Friday 27 March 17:30 CET (16:30 UTC) to Monday 30 March 08:40 CEST (06:40 UTC): 30 + 40 = 70 min of
    13,200, that is 99.470 % up (round the clock 3,730 of 44,580 min, 91.633 % up).
    """
    target = AvailabilityTarget(key="availability", percent=Decimal("99.5"))
    sla = world.in_force(*agree(target, service_hours=OFFICE_HOURS, time_zone=BERLIN))
    world.sleep_until("2026-03-30T12:00:00Z")
    world.post("SVC-ERP", "monitor", outage("A", "2026-03-27T17:30+01:00", "2026-03-30T08:40+02:00"))
    period = world.period(sla, "availability", "2026-03")
    assert (period.basis.agreed_seconds, period.figures.down_seconds) == (220 * 3600, 70 * 60)
    assert (period.figures.attainment, period.figures.attainment_unadjusted) == (Decimal("99.470"), Decimal("91.633"))
    assert [heard.at for heard in world.heard(BreachConfirmed)] == [at("2026-03-30T08:36+02:00")]


def test_holidays_take_their_hours_out_of_the_budget_and_of_the_downtime(world: Any, agree: History) -> None:
    """22 weekdays of April 2026 less Good Friday and Easter Monday: 20 x 10 h, of which 0.1 % are 12 min.

    Out from Thursday 2 April 17:50 to Tuesday 7 April 08:02: 10 + 2 = 12 min, exactly the budget and no breach.
    """
    holidays = (date(2026, 4, 3), date(2026, 4, 6))
    sla = world.in_force(*agree(AVAILABLE, service_hours=OFFICE_HOURS, holidays=holidays, time_zone=BERLIN))
    world.sleep_until("2026-04-08T12:00:00Z")
    world.post("SVC-ERP", "monitor", outage("A", "2026-04-02T17:50+02:00", "2026-04-07T08:02+02:00"))
    period = world.period(sla, "availability", "2026-04")
    assert (period.basis.agreed_seconds, period.figures.down_seconds) == (200 * 3600, 12 * 60)
    assert (period.status, world.heard(BreachConfirmed)) == (Status.AT_RISK, [])
    world.post("SVC-ERP", "desk", outage("B", "2026-04-07T08:02+02:00", "2026-04-07T08:02:01+02:00"))
    assert [heard.at for heard in world.heard(BreachConfirmed)] == [at("2026-04-07T08:02+02:00")]


def test_what_was_down_outside_the_agreed_time_is_no_source_of_a_breach(world: Any, agree: History) -> None:
    sla = world.in_force(*agree(AVAILABLE, service_hours=OFFICE_HOURS))
    world.sleep_until("2026-04-20T00:00:00Z")
    world.post("SVC-ERP", "monitor", outage("SUNDAY", "2026-04-12T09:00", "2026-04-12T12:00"))
    world.post("SVC-ERP", "monitor", outage("MONDAY", "2026-04-13T09:00", "2026-04-13T10:00"))
    assert [heard.sources for heard in world.heard(BreachConfirmed)] == [("monitor:MONDAY",)]
    assert world.period(sla, "availability", "2026-04").figures.down_seconds_unadjusted == 4 * 3600


def test_one_outage_over_three_months_is_three_breaches_each_in_its_month(world: Any, agree: History) -> None:
    """From 31 January 23:00 to 2 March 01:00: 60 min in January, all of February, 1,500 min in March."""
    sla = world.in_force(*agree(AVAILABLE))
    world.sleep_until("2026-01-31T23:05:00Z")
    world.post("SVC-ERP", "monitor", outage("A", "2026-01-31T23:00"))
    world.until("2026-03-02T02:00:00Z")
    world.post("SVC-ERP", "monitor", outage("A-end", "2026-01-31T23:00", "2026-03-02T01:00", corrects="A"))
    months = [world.period(sla, "availability", f"2026-0{n}").figures.down_seconds for n in (1, 2, 3)]
    assert months == [3600, 28 * 86400, 25 * 3600]
    assert [(heard.month, heard.at) for heard in world.heard(BreachConfirmed)] == [
        ("2026-01", at("2026-01-31T23:44:38.4")),  # 0.1 % of 744 h: 44.64 min
        ("2026-02", at("2026-02-01T00:40:19.2")),  # 0.1 % of 672 h: 40.32 min
        ("2026-03", at("2026-03-01T00:44:38.4")),
    ]


def test_at_100_percent_the_first_moment_is_the_breach_and_nothing_was_at_risk_before(
    world: Any, agree: History
) -> None:
    sla = world.in_force(*agree(AvailabilityTarget(key="availability", percent=Decimal(100))))
    world.sleep_until("2026-04-14T12:00:00Z")
    world.post("SVC-ERP", "monitor", outage("A", "2026-04-14T09:00", "2026-04-14T09:00:01"))
    assert [heard.at for heard in world.heard(BreachConfirmed)] == [at("2026-04-14T09:00")]
    assert world.heard(TargetAtRisk) == []
    assert world.period(sla, "availability", "2026-04").status is Status.BREACHED


def test_forty_sources_that_overlap_in_a_staircase_are_one_downtime(world: Any, agree: History) -> None:
    """Each reports 10 minutes, one minute after the one before: 09:00 to 09:49, that is 49 minutes of 43.2 allowed."""
    sla = world.in_force(*agree(AVAILABLE))
    world.sleep_until("2026-04-14T12:00:00Z")
    for n in range(40):
        begin = at("2026-04-14T09:00") + timedelta(minutes=n)
        world.post("SVC-ERP", f"probe-{n:02}", Outage(id="A", started_at=begin, ended_at=begin + timedelta(minutes=10)))
    period = world.period(sla, "availability", "2026-04")
    assert period.figures.down_seconds == 49 * 60
    assert [heard.at for heard in world.heard(BreachConfirmed)] == [at("2026-04-14T09:43:12")]


def test_a_report_that_is_taken_back_leaves_no_trace_in_the_figures(world: Any, agree: History) -> None:
    """There was no outage: the correction says that it ended when it began."""
    sla = world.in_force(*agree(AVAILABLE))
    world.sleep_until("2026-04-14T12:00:00Z")
    world.post("SVC-ERP", "monitor", outage("A", "2026-04-14T09:00", "2026-04-14T10:00"))
    world.post("SVC-ERP", "monitor", outage("A-false", "2026-04-14T09:00", "2026-04-14T09:00", corrects="A"))
    period = world.period(sla, "availability", "2026-04")
    assert (period.figures.down_seconds, period.figures.sources) == (0, ())
    assert period.breach.known_at is None
    world.until("2026-05-01T00:00:00Z")
    assert world.heard(PeriodClosed)[0].met is True


# --- agreements that begin, end and follow one another within a month


def test_an_agreement_that_ends_within_the_month_has_the_budget_of_its_days(world: Any, agree: History) -> None:
    """1 to 20 October in Berlin, before the clocks go back: 480 h, of which 0.1 % are 28.8 min."""
    sla = world.in_force(*agree(AVAILABLE, time_zone=BERLIN, effective_to=date(2026, 10, 20)))
    world.sleep_until("2026-10-20T21:00:00Z")
    world.post("SVC-ERP", "monitor", outage("A", "2026-10-20T22:50+02:00"))
    world.until("2026-10-20T22:00:00Z")
    period = world.period(sla, "availability", "2026-10")
    assert (period.basis.agreed_seconds, period.figures.down_seconds) == (480 * 3600, 70 * 60)
    assert (period.stage, period.met) == (Stage.FINAL, False)
    assert [heard.at for heard in world.heard(BreachConfirmed)] == [at("2026-10-20T23:18:48+02:00")]
    world.until("2026-12-01T00:00:00Z")
    assert len(world.heard(BreachConfirmed)) == 1


def test_where_a_version_with_a_last_day_has_an_agreed_successor_the_month_goes_on(world: Any, agree: History) -> None:
    """The first version ends with 15 April, the next begins on the 16th: April is one month with 43.2 min."""
    sla = world.in_force(*agree(AVAILABLE, effective_to=date(2026, 4, 15)))
    world.sleep_until("2026-04-10T12:00:00Z")
    amended(world, sla, date(2026, 4, 10), effective_from=date(2026, 4, 16), effective_to=None)
    world.post("SVC-ERP", "monitor", outage("A", "2026-04-10T09:00", "2026-04-10T09:25"))
    world.until("2026-04-20T12:00:00Z")
    assert world.period(sla, "availability", "2026-04").stage is Stage.PROVISIONAL
    world.post("SVC-ERP", "monitor", outage("B", "2026-04-20T09:00", "2026-04-20T09:20"))
    period = world.period(sla, "availability", "2026-04")
    assert (period.basis.agreed_seconds, period.figures.down_seconds) == (30 * 86400, 45 * 60)
    assert [heard.at for heard in world.heard(BreachConfirmed)] == [at("2026-04-20T09:18:12")]


def test_an_agreement_with_an_agreed_successor_can_end_after_the_last_day_of_its_first_version(
    world: Any, agree: History
) -> None:
    sla = world.in_force(*agree(AVAILABLE, effective_to=date(2026, 4, 15)))
    world.sleep_until("2026-04-10T12:00:00Z")
    amended(world, sla, date(2026, 4, 10), effective_from=date(2026, 4, 16), effective_to=None)
    world.do(slas, sla, Terminate(ends_on=date(2026, 6, 30), reason="replaced"))
    world.until("2026-06-30T23:00:00Z")
    assert world.streams[sla].state.status == "active"
    world.until("2026-07-01T00:00:00Z")
    assert world.streams[sla].state.status == "terminated"


# --- resolution time


def test_no_miss_allowed_the_first_is_the_breach_and_nothing_was_at_risk_before(world: Any, agree: History) -> None:
    sla = world.in_force(*agree(NO_MISS))
    world.sleep_until("2026-04-14T12:00:00Z")
    world.post("SVC-ERP", "desk", incident("1", "2026-04-14T08:00", "2026-04-14T12:00"))
    assert world.period(sla, "p1", "2026-04").status is Status.OK, "resolved at the last instant allowed"
    world.post("SVC-ERP", "desk", incident("2", "2026-04-14T09:00", None))
    world.until("2026-04-14T12:59:59Z")
    assert world.heard(BreachConfirmed) == []
    world.until("2026-04-14T13:00:00Z")
    assert [(heard.at, heard.used, heard.budget) for heard in world.heard(BreachConfirmed)] == [
        (at("2026-04-14T13:00"), "1 miss", "0 misses")
    ]
    assert world.heard(TargetAtRisk) == []


def test_100_percent_is_missed_by_one_and_at_risk_as_soon_as_that_one_is_known(world: Any, agree: History) -> None:
    sla = world.in_force(*agree(ResolutionTarget(key="all", within=3600, percent=Decimal(100), at_risk_after=1)))
    world.sleep_until("2026-04-14T12:00:00Z")
    world.post("SVC-ERP", "desk", incident("1", "2026-04-14T08:00", "2026-04-14T09:00:01", "4"))
    assert world.heard(TargetAtRisk)[0].at == at("2026-04-14T09:00"), "when its hour was over"
    hits = [incident(f"h{n}", "2026-04-14T08:00", "2026-04-14T08:30") for n in range(9)]
    world.post("SVC-ERP", "desk", *hits)
    world.until("2026-05-01T00:00:00Z")
    period = world.period(sla, "all", "2026-04")
    assert (period.figures.attainment, period.met) == (Decimal("90.000"), False)


def test_an_incident_that_is_reopened_counts_once_by_its_last_resolution(world: Any, agree: History) -> None:
    """Opened at 08:00 with 4 h, said to be resolved at 10:00, reopened: a miss at 12:00, and only that one."""
    sla = world.in_force(*agree(replace(NO_MISS, misses_allowed=1)))
    world.sleep_until("2026-04-30T10:30:00Z")
    world.post("SVC-ERP", "desk", incident("1", "2026-04-30T08:00", "2026-04-30T10:00"))
    assert world.period(sla, "p1", "2026-04").figures.in_time == 1
    world.post("SVC-ERP", "desk", incident("1-reopened", "2026-04-30T08:00", None, corrects="1"))
    world.until("2026-05-02T00:00:00Z")
    april = world.period(sla, "p1", "2026-04")
    assert (april.figures.in_time, april.figures.misses, april.met) == (0, 1, True)
    world.post("SVC-ERP", "desk", incident("1-done", "2026-04-30T08:00", "2026-05-01T09:00", corrects="1-reopened"))
    april = world.period(sla, "p1", "2026-04")
    assert (april.figures.in_time, april.figures.misses, april.figures.open) == (0, 1, ())
    assert world.period(sla, "p1", "2026-05").status is Status.ABSENT


def test_a_correction_beside_the_sample_that_it_moves_to_another_month_takes_it_out_of_the_first(
    world: Any, agree: History
) -> None:
    """A whole month is sent again at its end: 70 min of 31 March were on 1 April; one incident was reopened."""
    sla = world.in_force(*agree(AVAILABLE, NO_MISS))
    world.sleep_until("2026-04-30T12:00:00Z")
    world.post(
        "SVC-ERP",
        "monitor",
        outage("A", "2026-03-31T09:00", "2026-03-31T10:10"),
        outage("A-moved", "2026-04-01T09:00", "2026-04-01T10:10", corrects="A"),
        incident("1", "2026-03-31T22:00", "2026-03-31T23:00"),
        incident("1-done", "2026-03-31T22:00", "2026-04-01T07:00", corrects="1"),
    )
    march, april = (world.period(sla, "availability", month).figures for month in ("2026-03", "2026-04"))
    assert (march.down_seconds, april.down_seconds) == (0, 70 * 60)
    march, april = (world.period(sla, "p1", month).figures for month in ("2026-03", "2026-04"))
    assert (march.in_time, march.misses, april.in_time, april.misses) == (0, 0, 0, 1)


def test_an_incident_of_another_priority_or_of_none_concerns_nobody(world: Any, agree: History) -> None:
    world.in_force(*agree(NO_MISS))
    world.sleep_until("2026-04-14T12:00:00Z")
    for priority in ("2", "01", ""):
        with pytest.raises((Refused, ValueError)):
            world.post("SVC-ERP", "desk", incident("1", "2026-04-14T08:00", None, priority))
    with pytest.raises(Refused, match="nothing was kept"):
        world.post("SVC-ERP", "desk", Incident(id="1", opened_at=at("2026-04-14T08:00")))


def test_the_month_of_a_resolution_is_that_of_the_zone(world: Any, agree: History) -> None:
    """Resolved on 31 March 23:30 UTC, which is 1 April 01:30 in Berlin; at 21:59 UTC it still was March there."""
    share = ResolutionTarget(key="p1", within=4 * 3600, percent=Decimal(90))
    sla = world.in_force(*agree(share, time_zone=BERLIN))
    world.sleep_until("2026-04-01T12:00:00Z")
    world.post("SVC-ERP", "desk", incident("1", "2026-03-31T21:00", "2026-03-31T23:30"))
    world.post("SVC-ERP", "desk", incident("2", "2026-03-31T21:00", "2026-03-31T21:59:59"))
    assert world.period(sla, "p1", "2026-03").figures.in_time == 1
    assert world.period(sla, "p1", "2026-04").figures.in_time == 1
