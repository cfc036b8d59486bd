"""Whatever is reported twice, late, corrected or in another order, a month ends up with the same figures."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from samples_of_2026 import AVAILABLE, MISSES, SHARE, History, incident, named, outage, t

from contracts.sla import BreachConfirmed, BreachWithdrawn, Metric, OutageMeasured
from events.kernel import Refused, Unacceptable, fingerprint
from sla_service.periods.events import BreachRestated, Measured, Restated
from sla_service.periods.state import Stage, Status
from sla_service.samples import Outage, row_of


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
