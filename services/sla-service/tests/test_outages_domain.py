"""Outages as they really were: overlapping reports are one, named by the first, and told when they change."""

from datetime import UTC, datetime
from typing import Any

from contracts.sla import OutageMeasured
from sla_service.samples import Outage


def t(written: str) -> datetime:
    return datetime.fromisoformat(f"2026-{written}").replace(tzinfo=UTC)


def outage(id: str, start: str, end: str | None = None, corrects: str | None = None) -> Outage:
    return Outage(id=id, started_at=t(start), ended_at=t(end) if end else None, corrects=corrects)


def told(world: Any) -> list[tuple[str, tuple[str, ...], int, bool]]:
    return [(h.outage, h.sources, h.seconds, h.ended_at is None) for h in world.heard(OutageMeasured)]


def test_an_outage_is_told_while_it_lasts_and_again_when_it_is_over(world: Any) -> None:
    world.sleep_until("2026-08-19T10:10:00Z")
    world.post("SVC-ERP", "monitor", outage("A", "08-19 10:00"))
    world.sleep_until("2026-08-19T10:30:00Z")
    world.post("SVC-ERP", "monitor", outage("A-end", "08-19 10:00", "08-19 10:22", corrects="A"))
    assert told(world) == [
        ("monitor:A", ("monitor:A",), 600, True),
        ("monitor:A", ("monitor:A-end",), 22 * 60, False),
    ]


def test_a_report_that_bridges_two_outages_makes_them_one_named_by_the_first_report(world: Any) -> None:
    world.sleep_until("2026-08-19T12:00:00Z")
    world.post(
        "SVC-ERP", "monitor", outage("A", "08-19 10:20", "08-19 10:30"), outage("B", "08-19 10:00", "08-19 10:10")
    )
    world.post("SVC-ERP", "desk", outage("C", "08-19 10:05", "08-19 10:25"))
    assert told(world)[2:] == [
        ("monitor:B", (), 0, False),
        ("monitor:A", ("desk:C", "monitor:A", "monitor:B"), 1800, False),
    ]


def test_what_is_reported_again_is_not_told_again(world: Any) -> None:
    world.sleep_until("2026-08-19T12:00:00Z")
    for _ in range(3):
        world.post("SVC-ERP", "monitor", outage("A", "08-19 10:20", "08-19 10:30"))
    assert len(told(world)) == 1


def test_an_outage_that_ended_400_days_ago_is_forgotten_but_not_taken_back(world: Any) -> None:
    world.sleep_until("2026-08-19T12:00:00Z")
    world.post("SVC-ERP", "monitor", outage("A", "08-19 10:20", "08-19 10:30"))
    world.sleep_until("2027-10-01T12:00:00Z")
    world.post("SVC-ERP", "monitor", outage("B", "08-20 10:20", "08-20 10:30"))
    world.post("SVC-ERP", "monitor", Outage(id="C", started_at=world.now, ended_at=world.now))
    (stream,) = world.streams.values()
    assert [each.name for each in stream.state.outages] == ["monitor:C"]
    assert len(stream.rows) == 3
    assert [name for name, *_ in told(world)] == ["monitor:A", "monitor:C"]
