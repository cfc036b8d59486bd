"""However news arrive, and however often: every source has exactly one action, and all end up the same."""

from collections import Counter
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given as for_all
from hypothesis import settings
from hypothesis import strategies as st

from contracts.audit import FindingAmended, FindingIssued, FindingWithdrawn, Grade
from contracts.improvement import CriterionBound, Measure
from contracts.risk import RiskAboveLimit
from contracts.sla import BreachConfirmed, BreachWithdrawn, Metric, OutageMeasured
from events.codec import codec_of, state_from_json, to_json
from events.kernel import Actor, AllWhere, Due, Found, Given, HolderOf, News, NextNumber, StateOf, derived_id
from improvement_service import corrective_actions, measures
from improvement_service.corrective_actions import commands as c
from improvement_service.corrective_actions.aggregate import corrective_actions as actions
from improvement_service.corrective_actions.lateness import deadline
from improvement_service.corrective_actions.state import CorrectiveAction, Status
from improvement_service.corrective_actions.values import Cause, Criterion, Method, Task, Verdict
from improvement_service.policies.aggregate import policies
from improvement_service.policies.domain import Policies, Version
from improvement_service.policies.rules import DEFAULT, Call, Grouping, Policy, Priority, Rule

TENANT = "meridian"


class World:
    """The service without its machinery: streams, claims and known commands, as the design says they behave."""

    def __init__(self, policy: Policies) -> None:
        self.states: dict[UUID, Any] = {derived_id("policy", TENANT): policy}
        self.kinds: dict[UUID, str] = {derived_id("policy", TENANT): policies.kind}
        self.known: set[UUID] = set()
        self.said: Counter[UUID] = Counter()
        self.log: dict[UUID, list[Any]] = {}
        self.number = 100

    def hear(self, news: News) -> None:
        """Every feature that listens reacts; what we announce is heard by ourselves as well."""
        for feature in (corrective_actions.feature, measures.feature):
            if type(news.body) not in feature.hears:
                continue
            assert feature.react is not None
            for reaction in feature.react(news):
                command = derived_id(TENANT, news.event, reaction.rule, reaction.key)
                if command not in self.known:
                    self._handle(reaction.aggregate, reaction.stream, reaction.command, command, news.at)
                    self.known.add(command)

    def do(self, stream: UUID, command: Any, at: datetime, by: str) -> None:
        self._handle(actions, stream, command, derived_id(repr(command), at, by), at, by)

    def actions(self) -> dict[UUID, CorrectiveAction]:
        of_kind = {id: self.states[id] for id, kind in self.kinds.items() if kind == actions.kind}
        return {id: state for id, state in of_kind.items() if state.status != Status.ABSENT}

    def _handle(self, aggregate: Any, stream: UUID, command: Any, id: UUID, at: datetime, by: str = "system") -> None:
        before = self.states.get(stream, aggregate.initial)
        facts = {need: self._fact(need) for need in aggregate.needs(before, command)}
        given = Given(tenant=TENANT, stream=stream, command=id, at=at, by=Actor(person=by), facts=facts)
        events = aggregate.decide(before, command, given)
        after = aggregate.fold(events, before)
        for key in aggregate.claims(after):
            holder = self._holder(key)
            if holder not in (None, stream):
                assert holder is not None
                return self._handle(aggregate, holder, command, id, at, by)
        if events:
            self.states[stream], self.kinds[stream] = after, aggregate.kind
            self.log.setdefault(stream, []).extend(events)
        state = before
        for event in events:
            state = aggregate.evolve(state, event)
            body = aggregate.announce(state, event)
            if body is not None:
                self.said[stream] += 1
                event_id = derived_id(stream, self.said[stream])
                self.hear(News(tenant=TENANT, service="improvement", stream=stream, event=event_id, at=at, body=body))
        return None

    def _holder(self, key: str) -> UUID | None:
        held = (
            id for id, kind in self.kinds.items() if kind == actions.kind and key in actions.claims(self.states[id])
        )
        return next(held, None)

    def _fact(self, need: Any) -> Any:
        match need:
            case NextNumber():
                self.number += 1
                return self.number
            case HolderOf(key=key):
                id = self._holder(key)
                return None if id is None else Found(id=id, version=1, state=self.states[id])
            case StateOf(of=of, id=id):
                return Found(id=id, version=1, state=self.states.get(id, of()))
            case AllWhere(of=of):
                found = {id: state for id, state in self.states.items() if isinstance(state, of)}
                return tuple(Found(id=id, version=1, state=state) for id, state in found.items())


# --- the news of a quarter -------------------------------------------------------------------------------------------


def day(month: int, on: int) -> datetime:
    return datetime(2026, month, on, 9, tzinfo=UTC)


def told(service: str, stream: str, at: datetime, body: Any) -> News:
    event = derived_id(service, stream, at, repr(body))
    return News(tenant=TENANT, service=service, stream=derived_id(stream), event=event, at=at, body=body)


def issued(name: str, grade: Grade, at: datetime) -> News:
    body = FindingIssued(
        number=name,
        audit=derived_id("audit"),
        audit_number="AUD-2026-02",
        grade=grade,
        edition="2018",
        clause="8.3.3",
        service="SVC-MAIL",
        statement="SVC-MAIL has no SLA.",
    )
    return told("audit", name, at, body)


def amended(name: str, previous: Grade, grade: Grade, at: datetime) -> News:
    body = FindingAmended(
        number=name,
        previous_grade=previous,
        grade=grade,
        clause="8.3.3",
        service="SVC-MAIL",
        statement="SVC-MAIL has no SLA.",
        reason="Evidence of the other side.",
    )
    return told("audit", name, at, body)


def withdrawn(name: str, at: datetime) -> News:
    return told("audit", name, at, FindingWithdrawn(number=name, reason="Dispute upheld.", by="p-okafor"))


def breach(service: str, month: int) -> News:
    at = day(month, 14)
    body = BreachConfirmed(
        sla=derived_id("sla", service),
        sla_number="SLA-1",
        version=1,
        service=service,
        customer="halden-bank",
        target="availability",
        metric=Metric.AVAILABILITY,
        month=f"2026-{month:02}",
        at=at,
        used="75 min",
        budget="43.2 min",
        sources=("INC-4711",),
    )
    return told("sla", f"{service} {month}", at, body)


def taken_back(service: str, month: int, at: datetime) -> News:
    body = BreachWithdrawn(
        sla=derived_id("sla", service),
        sla_number="SLA-1",
        version=1,
        service=service,
        customer="halden-bank",
        target="availability",
        metric=Metric.AVAILABILITY,
        month=f"2026-{month:02}",
    )
    return told("sla", f"{service} {month}", at, body)


def known_again(service: str, month: int) -> News:
    again = breach(service, month)
    later = replace(again.body, at=again.at + timedelta(days=6), used="55 min")
    return told("sla", f"{service} {month}", later.at, later)


def risk(level: int, at: datetime) -> News:
    body = RiskAboveLimit(
        number="R-017",
        title="single ISP",
        services=("SVC-NET",),
        assessment=level,
        level=level,
        limit=12,
        owner="p-net",
    )
    return told("risk", "R-017", at, body)


NEWS: dict[str, list[News]] = {
    "F-1": [issued("F-1", Grade.MAJOR, day(2, 12)), amended("F-1", Grade.MAJOR, Grade.MINOR, day(3, 5))],
    "F-2": [issued("F-2", Grade.MINOR, day(2, 13)), withdrawn("F-2", day(2, 25))],
    "F-3": [
        issued("F-3", Grade.MINOR, day(2, 14)),
        amended("F-3", Grade.MINOR, Grade.OBSERVATION, day(2, 20)),
        amended("F-3", Grade.OBSERVATION, Grade.MAJOR, day(3, 2)),
    ],
    "F-4": [issued("F-4", Grade.OBSERVATION, day(2, 15))],
    "SVC-ERP": [breach("SVC-ERP", 3)],
    "SVC-MAIL": [breach("SVC-MAIL", 3)],
    "SVC-DNS": [breach("SVC-DNS", 3), taken_back("SVC-DNS", 3, day(3, 16))],
    "SVC-PAY": [breach("SVC-PAY", 3), taken_back("SVC-PAY", 3, day(3, 16)), known_again("SVC-PAY", 3)],
    "R-017": [risk(16, day(3, 1)), risk(20, day(3, 9))],
}
TURNS = [name for name, news in NEWS.items() for _ in news]
SOURCES_WITH_AN_ACTION = {"F-1", "F-3", "availability 2026-03 SLA-1", "R-017"}


def in_turn(turns: list[str], again: set[int]) -> list[News]:
    """Each stream in its own order, the streams in any; some news are delivered a second time, much later too."""
    left = {name: iter(news) for name, news in NEWS.items()}
    once = [next(left[name]) for name in turns]
    return [news for n, news in enumerate(once) for _ in range(2 if n in again else 1)] + [once[n] for n in again]


def grouped_by(grouping: Grouping) -> Policies:
    """A policy that is changed in the middle of February, between two findings."""
    stricter = Rule(
        kind=DEFAULT.rules[0].kind,
        grade=Grade.MINOR,
        call=Call(priority=Priority.MEDIUM, due_days=120, owner_role="process-owner"),
    )
    first: Policy = replace(DEFAULT, grouping=grouping)
    second: Policy = replace(first, rules=(stricter, *first.rules))
    changes = ((1, day(1, 1), first), (2, day(2, 13) + timedelta(hours=12), second))
    versions = tuple(Version(version=n, since=since, policy=policy, reason="", by="") for n, since, policy in changes)
    return Policies(versions=(*Policies().versions, *versions))


def outcome(world: World) -> list[Any]:
    """What the actions have come to, without their ids and numbers."""
    return sorted(
        (
            [each.label for each in action.sources],
            [each.source.label for each in action.former],
            action.status,
            action.priority,
            action.due,
            action.original_due,
            action.owner_role,
            action.owner,
            action.service,
            action.cancellation_asked,
            tuple(sorted(actions.claims(action))),
        )
        for action in world.actions().values()
    )


def played(heard: list[News], grouping: Grouping) -> World:
    world = World(grouped_by(grouping))
    for news in heard:
        world.hear(news)
    return world


@pytest.mark.parametrize("grouping", list(Grouping))
def test_any_order_and_any_redelivery_come_to_the_same(grouping: Grouping) -> None:
    expected = outcome(played(in_turn(TURNS, set()), grouping))

    @settings(max_examples=120, deadline=None)
    @for_all(st.permutations(TURNS), st.sets(st.integers(0, len(TURNS) - 1)))
    def holds(turns: list[str], again: set[int]) -> None:
        world = played(in_turn(turns, again), grouping)
        assert outcome(world) == expected
        held = Counter(source.id for action in world.actions().values() for source in action.sources)
        assert set(held.values()) == {1}

    holds()


def test_each_finding_is_judged_by_the_policy_of_its_own_day() -> None:
    by_label = {each.sources[0].label: each for each in played(in_turn(TURNS, set()), Grouping.NONE).actions().values()}
    assert set(by_label) >= SOURCES_WITH_AN_ACTION
    assert "F-4" not in by_label
    # F-1, amended on 03-05 by the stricter version: 120 days from its issue on 02-12.
    assert (by_label["F-1"].due, by_label["F-1"].original_due) == (date(2026, 6, 12), date(2026, 5, 13))
    # F-2, issued on 02-13 before the change at 21:00: 180 days.
    assert by_label["F-2"].due == date(2026, 8, 12)
    assert by_label["F-2"].cancellation_asked
    # F-3, major in the end: 90 days from its issue on 02-14.
    assert by_label["F-3"].due == date(2026, 5, 15)


def test_a_breach_that_is_taken_back_asks_for_cancellation_and_once_known_again_does_not() -> None:
    by_service = {each.service: each for each in played(in_turn(TURNS, set()), Grouping.NONE).actions().values()}
    gone, back = by_service["SVC-DNS"], by_service["SVC-PAY"]
    assert gone.cancellation_asked
    assert (back.status, back.cancellation_asked, len(back.sources)) == (Status.OPENED, False, 1)
    # 30 days from the first breach on 03-14: that it was doubted in between gives nobody more time.
    assert (back.due, back.original_due) == (date(2026, 4, 13), date(2026, 4, 13))


def test_a_cancelled_breach_that_is_known_again_has_a_new_action() -> None:
    world = World(Policies())
    world.hear(breach("SVC-PAY", 3))
    world.hear(taken_back("SVC-PAY", 3, day(3, 16)))
    (stream,) = world.actions()
    world.do(stream, c.DecideCancellation(approved=True, reason="There was no breach."), day(3, 17), "p-hansen")
    world.hear(known_again("SVC-PAY", 3))
    assert [each.status for each in world.actions().values()] == [Status.CANCELLED, Status.OPENED]


def test_a_breach_taken_back_after_its_action_was_closed_changes_nothing() -> None:
    world, stream = implemented_for_erp()
    world.do(stream, c.Verify(verdict=Verdict.EFFECTIVE, evidence="Quiet."), day(9, 10), "p-weiss")
    world.hear(taken_back("SVC-ERP", 3, day(9, 11)))
    assert world.states[stream].status == Status.CLOSED
    assert len(world.actions()) == 1


# --- the loop closes by itself (scenario 10) -------------------------------------------------------------------------


def implemented_for_erp() -> tuple[World, UUID]:
    """An action for the breach of March on SVC-ERP, implemented on 2026-07-10."""
    world = World(Policies())
    world.hear(breach("SVC-ERP", 3))
    (stream,) = world.actions()
    criterion = Criterion(
        statement="No ERP outage over 15 minutes for 60 days.",
        measure=Measure.LONGEST_OUTAGE,
        subject="SVC-ERP",
        threshold=Decimal(15),
        window_days=60,
        verifier="p-weiss",
    )
    task = Task(
        key="task-1",
        cause="cause-1",
        what="Replace the switch.",
        expected_result="No single point of failure.",
        owner="p-nguyen",
        due=date(2026, 7, 10),
    )
    for by, command in [
        ("p-ruiz", c.Contain(correction="Traffic moved.")),
        ("p-ruiz", c.DecideNeed(needed=True, rationale="It will happen again.")),
        (
            "p-ruiz",
            c.Analyse(
                method=Method.FAULT_TREE,
                chain=("Only one switch.",),
                causes=(Cause(key="cause-1", statement="Only one switch.", verified=True),),
            ),
        ),
        ("p-ruiz", c.CheckExtent(exists_elsewhere=False, could_occur=True, answer="Only DC2.")),
        ("p-ruiz", c.MakePlan(tasks=(task,), criterion=criterion)),
        ("p-hansen", c.DecidePlan(approved=True, reason="Good.")),
        ("p-nguyen", c.Complete(task="task-1", evidence="CHG-88")),
    ]:
        world.do(stream, command, day(7, 10), by)
    return world, stream


def outage_of(minutes: int, at: datetime) -> News:
    body = OutageMeasured(
        service="SVC-ERP",
        outage="INC-5120",
        sources=("INC-5120",),
        started_at=at,
        ended_at=at + timedelta(minutes=minutes),
        seconds=minutes * 60,
    )
    return told("sla", "outages of SVC-ERP", at + timedelta(minutes=minutes), body)


def test_only_the_sla_service_is_told_of_22_minutes_and_the_action_returns_to_its_cause() -> None:
    world, stream = implemented_for_erp()
    world.hear(outage_of(22, day(8, 19)))
    action = world.states[stream]
    assert (action.status, action.cycle.number) == (Status.CONTAINED, 2)
    assert "INC-5120 of 22 min on 2026-08-19" in action.cycles[0].ended_because
    (measured,) = (state for id, state in world.states.items() if world.kinds[id] == "measure")
    assert measured.watches == ()


def test_events_and_states_read_from_storage_are_those_that_were_written() -> None:
    world, stream = implemented_for_erp()
    world.hear(outage_of(22, day(8, 19)))
    for id, state in world.states.items():
        if id in world.log:
            aggregate = {each.kind: each for each in (actions, measures.feature.aggregate)}[world.kinds[id]]
            codec = codec_of(aggregate)
            read = [codec.decode(*codec.encode(event)) for event in world.log[id]]
            assert to_json(aggregate.fold(read)) == to_json(state)
            assert state_from_json(aggregate, to_json(state)) == state
    assert stream in world.log


def test_a_short_outage_changes_nothing_and_an_outage_reported_after_closing_re_opens() -> None:
    world, stream = implemented_for_erp()
    world.hear(outage_of(15, day(8, 19)))
    world.do(stream, c.Verify(verdict=Verdict.EFFECTIVE, evidence="15 minutes at most."), day(9, 10), "p-weiss")
    assert world.states[stream].status == Status.CLOSED
    world.hear(outage_of(16, day(8, 19)))
    assert world.states[stream].cycle.number == 2


def test_a_late_contradiction_leaves_alone_what_belongs_to_a_newer_action() -> None:
    world, stream = implemented_for_erp()
    world.do(stream, c.Verify(verdict=Verdict.EFFECTIVE, evidence="Quiet."), day(9, 10), "p-weiss")
    again = replace(breach("SVC-ERP", 3), event=derived_id("the same target, told anew"), at=day(9, 11))
    world.hear(again)
    (newer,) = set(world.actions()) - {stream}
    world.hear(outage_of(22, day(8, 19)))
    assert world.states[stream].status == Status.CLOSED
    assert (world.states[newer].status, world.states[newer].cycle.number) == (Status.OPENED, 1)


def test_a_criterion_heard_by_its_measure_names_the_window() -> None:
    world, stream = implemented_for_erp()
    plan, window = world.states[stream].cycle.plan, world.states[stream].cycle.window
    watch = world.states[plan.measured_by].watches[0]
    assert (watch.action, watch.starts_at, watch.ends_at) == (stream, window.starts_at, window.ends_at)
    assert CriterionBound in measures.feature.hears


@settings(max_examples=60, deadline=None)
@for_all(st.lists(st.integers(1, 24 * 40), max_size=40))
def test_however_often_the_scheduler_looks_each_step_is_reached_once(
    hours: list[int],
) -> None:
    world = World(Policies())
    world.hear(issued("F-1", Grade.MAJOR, day(2, 12)))
    (stream,) = world.actions()
    now = day(5, 1)
    for pause in [*hours, 24 * 60]:
        now += timedelta(hours=pause)
        if (due := deadline(world.states[stream])) is not None and due <= now:
            world.do(stream, Due(), now, "system")
            still = deadline(world.states[stream])
            assert still is None or still > now
    assert [each.step for each in world.states[stream].escalations] == ["reminder", "owner", "process-owner", "cio"]
