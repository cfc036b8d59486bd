"""An agreement that changes in mid-month: each version judges its own days, with figures worked out by hand (S-05)."""

from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from samples_of_2026 import AVAILABLE, MISSES, History, incident, outage, t

from contracts.sla import BreachConfirmed, TargetAtRisk
from sla_service.periods.state import Stage, Status
from sla_service.samples import Incident
from sla_service.slas.aggregate import slas
from sla_service.slas.commands import Amend, Sign
from sla_service.slas.terms import AvailabilityTarget, ResolutionTarget, Side, Weekday, Window

LOW = AvailabilityTarget(key="availability", percent=Decimal("99.5"))


def amended(world: Any, sla: Any, **changes: Any) -> None:
    """Both sides sign another version."""
    terms = replace(world.streams[sla].state.active.terms, **changes)
    world.do(slas, sla, Amend(terms=terms, reason="agreed anew"))
    for side in Side:
        world.do(slas, sla, Sign(side=side, person=f"p-{side}", on=world.now.date()))


def test_half_a_month_at_99_9_and_half_at_99_5_percent_allow_129_6_minutes(world: Any, agree: History) -> None:
    """15 days are 21,600 min: 0.1 % of them are 21.6, 0.5 % of the other 15 days 108. 75 are used, 54.6 left."""
    sla = world.in_force(*agree(AVAILABLE))
    world.sleep_until("2026-04-10T12:00:00Z")
    amended(world, sla, targets=(LOW,), effective_from=date(2026, 4, 16))
    world.until("2026-04-21T12:00:00Z")
    world.post("SVC-ERP", "desk", outage("A", "04-14 09:10", "04-14 10:25"))
    april = world.period(sla, "availability", "2026-04")
    assert (april.status, april.basis.budget_seconds) == (Status.OK, Decimal("129.6") * 60)
    assert [(each.version, each.percent, each.starts_at, each.ends_at) for each in april.basis.segments] == [
        (1, Decimal("99.9"), t("04-01 00:00"), t("04-16 00:00")),
        (2, Decimal("99.5"), t("04-16 00:00"), t("05-01 00:00")),
    ]
    world.post("SVC-ERP", "desk", outage("B", "04-21 09:00", "04-21 10:00"))
    assert [(heard.at, heard.used, heard.budget) for heard in world.heard(BreachConfirmed)] == [
        (t("04-21 09:54:36"), "135 min", "129.6 min")
    ]
    # 135 of 43,200 min are 0.3125 %, of the month as a whole.
    assert world.period(sla, "availability", "2026-04").figures.attainment == Decimal("99.688")


def test_a_stricter_version_that_takes_over_during_an_outage_is_heeded_at_once(world: Any, agree: History) -> None:
    """108 + 21.6 = 129.6 min from midnight on, instead of 216: at risk since 97.2, gone 129.6 min after 22:00."""
    sla = world.in_force(*agree(LOW))
    world.sleep_until("2026-04-15T23:00:00Z")
    amended(world, sla, targets=(AVAILABLE,), effective_from=date(2026, 4, 16))
    world.post("SVC-ERP", "desk", outage("A", "04-15 22:00"))
    assert world.period(sla, "availability", "2026-04").basis.budget_seconds == 216 * 60
    world.until("2026-04-16T00:09:35Z")
    assert [heard.at for heard in world.heard(TargetAtRisk)] == [t("04-15 23:37:12")]
    assert world.heard(BreachConfirmed) == []
    world.until("2026-04-16T00:09:36Z")
    assert [heard.at for heard in world.heard(BreachConfirmed)] == [t("04-16 00:09:36")]


def test_each_version_counts_by_its_own_service_hours(world: Any, agree: History) -> None:
    """Round the clock until Wednesday the 15th: 21.6 min; then 11 working days of 600 min: 6.6 min; together 28.2.

    20 min at night on the 14th count, a Saturday does not, and of 17:50 to 18:30 on the 17th 10 min: the 8.2 that are
    left are gone at 17:58:12.
    """
    sla = world.in_force(*agree(AVAILABLE))
    world.sleep_until("2026-04-10T12:00:00Z")
    office = Window(days=tuple(Weekday)[:5], opens="08:00", closes="18:00")
    amended(world, sla, service_hours=(office,), effective_from=date(2026, 4, 16))
    world.until("2026-04-20T00:00:00Z")
    night, saturday = outage("A", "04-14 03:00", "04-14 03:20"), outage("B", "04-18 09:00", "04-18 12:00")
    world.post("SVC-ERP", "desk", night, saturday, outage("C", "04-17 17:50", "04-17 18:30"))
    april = world.period(sla, "availability", "2026-04")
    assert (april.basis.agreed_seconds, april.figures.down_seconds) == ((21_600 + 6_600) * 60, 30 * 60)
    assert [(heard.at, heard.budget) for heard in world.heard(BreachConfirmed)] == [(t("04-17 17:58:12"), "28.2 min")]


def test_a_target_is_judged_on_the_days_on_which_a_version_names_it(world: Any, agree: History) -> None:
    """Both have half of April: 21.6 min."""
    sla = world.in_force(*agree(AVAILABLE))
    world.sleep_until("2026-04-10T12:00:00Z")
    world.post("SVC-ERP", "desk", outage("A", "04-10 09:00", "04-10 09:20"))
    amended(world, sla, targets=(replace(AVAILABLE, key="portal"),), effective_from=date(2026, 4, 16))
    world.until("2026-04-17T12:00:00Z")
    dropped = world.period(sla, "availability", "2026-04")
    assert (dropped.stage, dropped.met, dropped.basis.ends_at) == (Stage.FINAL, True, t("04-16 00:00"))
    world.post("SVC-ERP", "desk", outage("B", "04-17 09:00", "04-17 09:25"))
    assert world.period(sla, "availability", "2026-04").figures.down_seconds == 20 * 60
    added = world.period(sla, "portal", "2026-04")
    assert (added.stage, added.version, added.breach.at) == (Stage.PROVISIONAL, 2, t("04-17 09:21:36"))


def test_a_version_begins_by_the_clocks_of_its_own_zone(world: Any, agree: History) -> None:
    """Midnight in Berlin is 22:00 of the day before: 15 days less 2 h, then 15 days; the month ends at 22:00, too."""
    sla = world.in_force(*agree(AVAILABLE))
    world.sleep_until("2026-04-10T12:00:00Z")
    amended(world, sla, targets=(LOW,), time_zone="Europe/Berlin", effective_from=date(2026, 4, 16))
    world.until("2026-04-20T00:00:00Z")
    world.post("SVC-ERP", "desk", outage("A", "04-15 23:00", "04-15 23:10"))
    first, second = world.period(sla, "availability", "2026-04").basis.segments
    assert (first.ends_at, second.starts_at, second.ends_at) == (t("04-15 22:00"),) * 2 + (t("04-30 22:00"),)
    assert (first.agreed_seconds, second.agreed_seconds) == ((15 * 24 - 2) * 3600, 15 * 24 * 3600)


@given(st.integers(2, 30))
@settings(max_examples=12, deadline=None)
def test_the_budget_is_the_sum_over_the_days_of_each_version(new_world: Any, agree: History, day: int) -> None:
    """A day of 86,400 s allows 86.4 s at 99.9 %, and 432 s at 99.5 %."""
    world = new_world()
    sla = world.in_force(*agree(AVAILABLE))
    world.sleep_until("2026-04-01T12:00:00Z")
    amended(world, sla, targets=(LOW,), effective_from=date(2026, 4, day))
    world.until("2026-04-30T12:00:00Z")
    world.post("SVC-ERP", "desk", outage("A", "04-14 09:10", "04-14 09:11"))
    budget = world.period(sla, "availability", "2026-04").basis.budget_seconds
    assert budget == (day - 1) * Decimal("86.4") + (31 - day) * 432


def test_incidents_are_judged_by_the_version_at_the_beginning_of_the_month_in_which_they_count(
    world: Any, agree: History
) -> None:
    """One of two in time are 50 %: too few by the 90 % of April, enough by the 50 % that are asked for from May on."""
    share = ResolutionTarget(key="p1", within=4 * 3600, percent=Decimal(90))
    sla = world.in_force(*agree(share))
    world.sleep_until("2026-04-10T12:00:00Z")
    amended(world, sla, targets=(replace(share, percent=Decimal(50)),), effective_from=date(2026, 4, 16))
    for month in ("04", "05"):
        world.until(f"2026-{month}-25T12:00:00Z")
        good = Incident(id=f"{month}-1", opened_at=t(f"{month}-20 08:00"), resolved_at=t(f"{month}-20 09:00"))
        late = Incident(id=f"{month}-2", opened_at=t(f"{month}-20 08:00"), resolved_at=t(f"{month}-20 13:00"))
        world.post("SVC-ERP", "desk", good, late)
    world.until("2026-06-01T00:00:00Z")
    april, may = (world.period(sla, "p1", month) for month in ("2026-04", "2026-05"))
    assert [(each.version, each.met) for each in (april, may)] == [(1, False), (2, True)]
    assert (april.basis.ends_at, may.basis.ends_at) == (t("05-01 00:00"), t("06-01 00:00"))


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
