"""What the demo holds against the services: a recount by hand, and eyes for what is missing or told twice."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import nats
import pytest

from stack.demo import outcome, recount, wording
from stack.demo.listener import Listener
from stack.demo.outcome import Said
from stack.demo.real_input import Incident, Outage, Probe, incidents, outages_of, probes
from stack.demo.recount import ResolutionTarget, Verdict
from stack.nats import Nats

BERLIN = ZoneInfo("Europe/Berlin")
LATE = datetime(2030, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)


# --- the rows --------------------------------------------------------------------------------------------------------


def test_the_real_input_is_all_there() -> None:
    rows = incidents()
    assert len(rows) == len({row.number for row in rows}) == 600
    assert sum(row.resolved_at is None for row in rows) == 17
    assert [sum(row.priority == each for row in rows) for each in "1234"] == [10, 26, 501, 63]
    seen = probes()
    assert [sum(probe.up is each for probe in seen) for each in (True, False)] == [267, 47]
    assert len({probe.service for probe in seen}) == 18


def test_times_of_the_desk_are_local_to_sao_paulo() -> None:
    first = next(row for row in incidents() if row.number == "INC0000045")
    assert first.opened_at == datetime(2016, 2, 29, 4, 16, tzinfo=UTC)


def test_an_outage_runs_from_the_first_down_to_the_next_up() -> None:
    def probe(minute: int, *, up: bool) -> Probe:
        return Probe(datetime(2026, 8, 11, 10, minute, tzinfo=UTC), "Chat", up)

    seen = [probe(0, up=True), probe(5, up=False), probe(10, up=False), probe(15, up=True), probe(20, up=False)]
    assert outages_of(seen) == [Outage("Chat", seen[1].at, seen[3].at), Outage("Chat", seen[4].at, None)]


# --- the recount -----------------------------------------------------------------------------------------------------


def at(day: int, hour: int, minute: int = 0) -> datetime:
    return datetime(2026, 4, day, hour, minute, tzinfo=BERLIN)


def test_a_budget_is_gone_in_the_middle_of_an_outage() -> None:
    """99.9 % of April is 43.2 minutes: an outage from 09:10 to 10:25 uses them up at 09:53:12."""
    outage = Outage("SVC-ERP", at(14, 9, 10), at(14, 10, 25))
    verdict = recount.availability("SVC-ERP", "a", Decimal("99.9"), [outage], "2026-04", BERLIN, LATE)
    assert verdict.attainment == Decimal("99.826")
    assert verdict.breached_at == at(14, 9, 53) + timedelta(seconds=12)


def test_overlapping_reports_are_down_once_and_an_open_one_lasts() -> None:
    reports = [Outage("S", at(14, 9, 10), at(14, 9, 40)), Outage("S", at(14, 9, 20), at(14, 9, 45))]
    verdict = recount.availability("S", "a", Decimal("99.9"), reports, "2026-04", BERLIN, LATE)
    assert (verdict.attainment, verdict.breached_at) == (Decimal("99.919"), None)
    still_down = [Outage("S", at(14, 9, 10), None)]
    assert (
        recount.availability("S", "a", Decimal("99.9"), still_down, "2026-04", BERLIN, at(14, 9, 53)).breached_at
        is None
    )
    assert recount.availability("S", "a", Decimal("99.9"), still_down, "2026-04", BERLIN, at(14, 10)).breached_at


def incident(number: int, opened: datetime, hours: float | None) -> Incident:
    return Incident(f"INC{number}", "1", opened, opened + hours * HOUR if hours is not None else None, made_sla=True)


def test_what_is_late_counts_where_its_time_was_over() -> None:
    rows = [
        incident(1, at(10, 9), 3),
        incident(2, at(11, 9), 5),
        incident(3, at(30, 22), 900),
        incident(4, at(12, 9), None),
    ]
    target = ResolutionTarget("p1", "1", 4 * HOUR, percent=Decimal(50))
    april, may = recount.resolution("S", target, rows, BERLIN, LATE)
    assert (april.month, april.attainment, april.breached_at) == ("2026-04", Decimal("33.333"), at(30, 0) + 24 * HOUR)
    assert (may.month, may.attainment) == ("2026-05", Decimal("0.000"))


def test_misses_breach_at_the_one_that_exceeds_them() -> None:
    rows = [incident(n, at(10 + n, 9), 20) for n in range(4)]
    target = ResolutionTarget("p1", "1", 4 * HOUR, misses_allowed=2)
    assert recount.resolution("S", target, rows, BERLIN, LATE)[0].breached_at == at(12, 13)


# --- what is held against the services -------------------------------------------------------------------------------


def period(**changes: Any) -> dict[str, Any]:
    shown = {"id": "period", "service": "S", "target": "a", "month": "2026-04", "attainment": "99.826"}
    return {**shown, "breach": {"at": "2026-04-14T07:53:12Z"}, **changes}


def action(number: str, source: str, **changes: Any) -> dict[str, Any]:
    return {"number": number, "status": "opened", "sources": [{"id": source}], "former": [], **changes}


def said(**lists: Any) -> Said:
    nothing: dict[str, Any] = {"findings": [], "periods": [], "risks": [], "actions": [], "announced": 0}
    return Said(**{**nothing, **lists})


VERDICT = Verdict("S", "a", "2026-04", Decimal("99.826"), at(14, 9, 53) + timedelta(seconds=12))


def test_figures_that_equal_the_rows_are_not_complained_of() -> None:
    assert outcome.against_the_rows(said(periods=[period()]), [VERDICT]) == []


@pytest.mark.parametrize(
    ("shown", "complaint"),
    [
        (period(attainment="99.827"), "attainment of S a 2026-04: 99.827 %, the rows give 99.826 %"),
        (period(breach=None), "breach of S a 2026-04: said at None"),
        (period(breach={"at": "2026-04-14T07:53:13Z"}), "breach of S a 2026-04: said at 2026-04-14 07:53:13"),
        (period(month="2026-05"), "S a 2026-04 is in no list"),
    ],
)
def test_whatever_differs_from_the_rows_is_named(shown: dict[str, Any], complaint: str) -> None:
    assert any(each.startswith(complaint) for each in outcome.against_the_rows(said(periods=[shown]), [VERDICT]))


def test_a_source_without_an_action_and_one_with_two_are_named() -> None:
    finding = {"id": "f", "number": "F-1", "grade": "major"}
    twice = [action("CA-1", "period"), action("CA-2", "other", former=[{"source": {"id": "period"}}])]
    found = said(findings=[finding], periods=[period()], actions=twice)
    assert outcome.without_exactly_one(found) == [
        "finding F-1 has no corrective action",
        "breach S a 2026-04 has 2 corrective actions: CA-1, CA-2",
    ]
    assert found.figures()["duplicates"] == 1


def test_lists_and_bus_that_disagree_are_named() -> None:
    assert outcome.differences({"findings": 1, "risks": 2}, {"findings": 1, "risks": 1}) == [
        "risks: the lists say 2, the bus says 1"
    ]


def test_the_ending_says_why_actions_stay_open() -> None:
    actions = [action("CA-2", "b"), action("CA-1", "a", status="closed"), action("CA-3", "c", status="implemented")]
    assert outcome.ending(said(actions=actions), date(2026, 10, 1)) == (
        "1 of 3 corrective actions are closed; 2 stay open because the story ends on 2026-10-01, before their work is "
        "done or their effect is proven (CA-2 opened, CA-3 implemented)."
    )


# --- how figures are told --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "told", "as_agreed"),
    [
        ("94.172 min", "94 min", "at most 94 min"),
        ("44.5 min", "45 min", "at most 45 min"),
        ("33.333 % of 3", "33.3 % of 3 incidents", "at least 33.3 % of 3 incidents"),
        ("0 % of 1", "0.0 % of 1 incident", "at least 0.0 % of 1 incident"),
        ("90 %", "90 %", "at least 90 %"),
        ("5 misses", "5 misses", "at most 5 misses"),
    ],
)
def test_figures_are_rounded_as_people_do(written: str, told: str, as_agreed: str) -> None:
    assert (wording.figure(written), wording.agreed(written)) == (told, as_agreed)


# --- the listener ----------------------------------------------------------------------------------------------------


@pytest.fixture
def bus(tmp_path: Path) -> Iterator[Nats]:
    """A server of its own: the listener hears everything, and other tests leave their streams on the shared one."""
    with Nats(tmp_path) as server:
        yield server


@pytest.fixture
def listener(bus: Nats) -> Iterator[Listener]:
    listening = Listener(bus.url, lambda _: None).start()
    yield listening
    listening.stop()


def test_every_message_is_told_a_second_time_and_no_more(bus: Nats, listener: Listener) -> None:
    async def tell() -> int:
        client = await nats.connect(bus.url)
        try:
            stream = client.jetstream()
            await stream.add_stream(name="DEMO", subjects=["closeloop.demo.>"])
            for n in range(5):
                headers = {
                    "Nats-Msg-Id": f"{n}",
                    "ce-id": f"{n}",
                    "ce-type": "closeloop.audit.finding-issued.v1",
                    "ce-subject": f"finding-{n}",
                    "ce-time": "2026-02-12T09%3A00%3A00Z",
                }
                await stream.publish("closeloop.demo.audit.finding.finding-issued.v1", b"{}", headers=headers)
            for _ in range(100):
                if (await stream.stream_info("DEMO")).state.messages >= 10:
                    break
                await asyncio.sleep(0.05)
            await asyncio.sleep(0.3)
            return int((await stream.stream_info("DEMO")).state.messages)
        finally:
            await client.close()

    assert asyncio.run(tell()) == 10
    listener.catch_up()
    assert [each.stream for each in listener.named("finding-issued")] == [f"finding-{n}" for n in range(5)]
    assert listener.repeated == 5
