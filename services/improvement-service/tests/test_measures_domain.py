"""Readings and watches meet in any order; a criterion is contradicted once, by figures alone."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from hypothesis import given as for_all
from hypothesis import strategies as st

from contracts.improvement import CriterionBound, CriterionContradicted, CriterionReleased, Measure
from contracts.sla import CoverageCounted, OutageMeasured
from events.kernel import News, derived_id
from events.testing import scenarios
from improvement_service.measures.aggregate import measures
from improvement_service.measures.commands import Keep, Take
from improvement_service.measures.events import Contradicted, ReadingTaken, WatchStarted
from improvement_service.measures.react import react
from improvement_service.measures.state import Measured, worst_in
from improvement_service.measures.values import Reading, Watch

ACTION = derived_id("action")
STARTS = datetime(2026, 7, 10, 8, tzinfo=UTC)
ENDS = STARTS + timedelta(days=60)
given = scenarios(measures, at="2026-08-19T12:00:00+02:00")


def outage(name: str, since: datetime, length: int, *, ongoing: bool = False) -> Reading:
    until = since + timedelta(minutes=length)
    return Reading(name=name, since=since, until=until, value=Decimal(length), ongoing=ongoing)


WATCH = Watch(action=ACTION, cycle=1, threshold=Decimal(15), starts_at=STARTS, ends_at=ENDS)
KEEP = Keep(measure=Measure.LONGEST_OUTAGE, subject="SVC-ERP", watch=WATCH)
STARTED = WatchStarted(measure=Measure.LONGEST_OUTAGE, subject="SVC-ERP", watch=WATCH)
OF_AUGUST = outage("INC-5120", datetime(2026, 8, 19, 7, tzinfo=UTC), 22)
CONTRADICTED = Contradicted(
    action=ACTION, cycle=1, reading="INC-5120", value=Decimal(22), threshold=Decimal(15), at=OF_AUGUST.since
)


def taken(reading: Reading) -> ReadingTaken:
    return ReadingTaken(measure=Measure.LONGEST_OUTAGE, subject="SVC-ERP", reading=reading)


def take(reading: Reading) -> Take:
    return Take(measure=Measure.LONGEST_OUTAGE, subject="SVC-ERP", reading=reading)


def test_an_outage_of_22_minutes_in_the_window_contradicts_the_criterion_of_15() -> None:
    outcome = given(STARTED).when(take(OF_AUGUST)).then(taken(OF_AUGUST), CONTRADICTED)
    outcome.then_announced(
        CriterionContradicted(
            action=ACTION,
            cycle=1,
            measure=Measure.LONGEST_OUTAGE,
            subject="SVC-ERP",
            reading="INC-5120",
            value=Decimal(22),
            threshold=Decimal(15),
            at=OF_AUGUST.since,
        )
    )


def test_a_watch_that_comes_late_looks_at_the_readings_that_are_there() -> None:
    given(taken(OF_AUGUST)).when(KEEP).then(STARTED, CONTRADICTED)


def test_exactly_the_threshold_is_allowed_and_what_lies_outside_the_window_does_not_count() -> None:
    for harmless in (
        outage("at-the-limit", OF_AUGUST.since, 15),
        outage("before", STARTS - timedelta(minutes=30), 30),
        outage("after", ENDS, 30),
    ):
        given(STARTED).when(take(harmless)).then(taken(harmless))
    reaching_in = outage("reaching-in", STARTS - timedelta(minutes=30), 31)
    assert len(given(STARTED).when(take(reaching_in)).events) == 2


def test_an_outage_contradicts_when_it_has_grown_beyond_the_threshold_and_only_once() -> None:
    small, grown = outage("INC-5120", OF_AUGUST.since, 10, ongoing=True), OF_AUGUST
    given(STARTED, taken(small)).when(take(grown)).then(taken(grown), CONTRADICTED)
    longer = outage("INC-5120", OF_AUGUST.since, 40)
    given(STARTED, taken(grown), CONTRADICTED).when(take(longer)).then(taken(longer))
    given(STARTED, taken(grown), CONTRADICTED).when(take(grown)).then()


def test_a_count_from_before_the_window_is_no_contradiction_until_a_verdict_asks() -> None:
    """News of both services may cross: a fresher count from before the window may still be on its way."""
    watch = Watch(action=ACTION, cycle=1, threshold=Decimal(0), starts_at=STARTS, ends_at=ENDS)
    three = Reading(name="a", since=STARTS - timedelta(days=9), until=STARTS - timedelta(days=9), value=Decimal(3))
    read = ReadingTaken(measure=Measure.SERVICES_WITHOUT_SLA, subject=None, reading=three)
    keep = Keep(measure=Measure.SERVICES_WITHOUT_SLA, subject=None, watch=watch)
    state = given(read).when(keep).state
    assert not state.watches[0].contradicted
    assert worst_in(state, STARTS, ENDS, ENDS) == (three, Decimal(3))
    none = Reading(name="b", since=STARTS - timedelta(days=1), until=STARTS - timedelta(days=1), value=Decimal(0))
    settled = given(read, ReadingTaken(measure=Measure.SERVICES_WITHOUT_SLA, subject=None, reading=none)).state
    assert worst_in(settled, STARTS, ENDS, ENDS) == (none, Decimal(0))


def test_an_open_outage_goes_on_lasting_when_a_verdict_is_given() -> None:
    still_open = outage("INC-9", ENDS - timedelta(minutes=20), 5, ongoing=True)
    state = given(taken(still_open)).state
    assert worst_in(state, STARTS, ENDS, ENDS) == (still_open, Decimal(20))
    assert worst_in(Measured(), STARTS, ENDS, ENDS) is None


def test_readings_are_kept_as_long_as_a_window_or_400_days_need_them() -> None:
    days = [outage(f"o{day}", STARTS + timedelta(days=day), 1) for day in (0, 100, 399, 401, 600)]
    unwatched = measures.fold(taken(each) for each in days)
    assert [each.name for each in unwatched.readings] == ["o100", "o399", "o401", "o600"]  # o100: the last before
    watched = measures.fold([STARTED, *(taken(each) for each in days[:4])])
    assert [each.name for each in watched.readings] == ["o0", "o100", "o399", "o401"]


# --- any order -------------------------------------------------------------------------------------------------------


def told(service: str, stream: str, at: datetime, body: Any) -> News:
    return News(
        tenant="meridian", service=service, stream=derived_id(stream), event=derived_id(repr(body)), at=at, body=body
    )


def outage_told(name: str, day: int, length: int, *, ended: bool) -> News:
    since = STARTS + timedelta(days=day)
    until = since + timedelta(minutes=length)
    return told(
        "sla",
        "outages of SVC-ERP",
        until,
        OutageMeasured(
            service="SVC-ERP",
            outage=name,
            sources=(name,),
            started_at=since,
            ended_at=until if ended else None,
            seconds=length * 60,
        ),
    )


def bound(action: str, threshold: int) -> News:
    body = CriterionBound(
        number=action,
        cycle=1,
        measure=Measure.LONGEST_OUTAGE,
        subject="SVC-ERP",
        threshold=Decimal(threshold),
        starts_at=STARTS,
        ends_at=ENDS,
    )
    return told("improvement", action, STARTS, body)


def released(action: str) -> News:
    body = CriterionReleased(number=action, cycle=1, measure=Measure.LONGEST_OUTAGE, subject="SVC-ERP")
    return told("improvement", action, ENDS, body)


OF_ERP = [
    outage_told("INC-1", -1, 20, ended=True),
    outage_told("INC-2", 5, 3, ended=False),
    outage_told("INC-2", 5, 14, ended=False),
    outage_told("INC-2", 5, 22, ended=True),
    outage_told("INC-3", 30, 16, ended=True),
]
STREAMS = {"erp": OF_ERP, "CA-101": [bound("CA-101", 15)], "CA-102": [bound("CA-102", 30), released("CA-102")]}


def listen(heard: list[News]) -> tuple[Measured, list[Any]]:
    """State and announcements after this news, as the consumer would leave them: a known command is not repeated."""
    state, said, known = Measured(), [], set()
    for news in heard:
        for reaction in react(news):
            command_id = derived_id(news.event, reaction.rule)
            if command_id in known:
                continue
            known.add(command_id)
            for event in measures.decide(state, reaction.command, None):  # type: ignore[arg-type]
                state = measures.evolve(state, event)
                said.append(measures.announce(state, event))
    return state, [each for each in said if each is not None]


@for_all(st.permutations([name for name, news in STREAMS.items() for _ in news]), st.sets(st.integers(0, 7)))
def test_whatever_comes_first_each_criterion_is_contradicted_once_or_never(turns: list[str], again: set[int]) -> None:
    left = {name: iter(news) for name, news in STREAMS.items()}
    heard = [news for turn, name in enumerate(turns) for news in [next(left[name])] * (2 if turn in again else 1)]
    state, said = listen(heard)
    assert [each.action for each in said] == [derived_id("CA-101")]
    assert [(each.name, each.value) for each in state.readings] == [
        ("INC-1", Decimal(20)),
        ("INC-2", Decimal(22)),
        ("INC-3", Decimal(16)),
    ]
    assert [(each.action, each.contradicted) for each in state.watches] == [(derived_id("CA-101"), True)]


def test_a_count_is_one_measure_of_the_tenant() -> None:
    counted = told("sla", "coverage", STARTS + timedelta(days=3), CoverageCounted(without_sla=1, services=("SVC-X",)))
    (reaction,) = react(counted)
    outcome = scenarios(measures, at="2026-07-13T10:00:00Z")().when(reaction.command)
    assert outcome.state.measure == Measure.SERVICES_WITHOUT_SLA
    assert outcome.state.readings[0].value == Decimal(1)
