"""What happens when a corrective action is late: the ladder, and extensions (C-10, C-11, scenario 9)."""

from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

from actions_at_meridian import (
    ASK,
    DAY_60,
    GRANT,
    IMPLEMENTED,
    OF_JUNE,
    finding,
    given,
    hourly,
    lived,
    opened_for,
    policies,
    state_of,
)

from contracts.improvement import (
    CorrectiveActionEscalated,
    SourceKind,
)
from events.kernel import Due
from events.testing import Scenario
from improvement_service.corrective_actions import commands as c
from improvement_service.corrective_actions.api import view
from improvement_service.corrective_actions.lateness import deadline, overdue
from improvement_service.corrective_actions.state import CorrectiveAction, Status
from improvement_service.policies.aggregate import THE_POLICY
from improvement_service.policies.rules import DEFAULT, Call, Priority, Rule

REMINDER, OWNER, PROCESS_OWNER, CIO = (
    "2026-06-23T00:00:00+02:00",
    "2026-07-01T00:00:00+02:00",
    "2026-07-08T00:00:00+02:00",
    "2026-07-15T00:00:00+02:00",
)


def steps(history: list[Any]) -> list[tuple[str, str, str | None]]:
    berlin = state_of(history).terms.time_zone
    assert berlin == "Europe/Berlin"
    return [
        (each.step, each.at.astimezone(datetime.fromisoformat(REMINDER).tzinfo).isoformat(), each.to)
        for each in state_of(history).escalations
    ]


LADDER = [
    ("reminder", REMINDER, "p-ruiz"),
    ("owner", OWNER, "p-ruiz"),
    ("process-owner", PROCESS_OWNER, "p-hansen"),
    ("cio", CIO, "p-lindqvist"),
]


def test_the_ladder_is_climbed_once_although_the_scheduler_looks_every_hour() -> None:
    assert state_of(OF_JUNE).due == date(2026, 6, 30)
    assert steps(hourly(OF_JUNE, "2026-06-20T00:00:00+02:00", "2026-07-20T00:00:00+02:00")) == LADDER


def test_an_outage_of_the_scheduler_catches_up_once_in_order_each_with_its_own_instant() -> None:
    outcome = given(*OF_JUNE).at("2026-07-09T10:00:00+02:00").when(Due())
    assert [(each.step, each.at) for each in outcome.events] == [
        (step, datetime.fromisoformat(at)) for step, at, _ in LADDER[:3]
    ]
    assert deadline(outcome.state) == datetime.fromisoformat(CIO)
    outcome.then_announced(
        *(
            CorrectiveActionEscalated(
                number="CA-101", cycle=1, step=step, to_role=role, to=to, due=date(2026, 6, 30), overdue_days=days
            )
            for (step, _, to), role, days in zip(
                LADDER[:3], ("service-level-manager", "service-level-manager", "process-owner"), (-7, 0, 7), strict=True
            )
        )
    )


def test_overdue_is_derived_from_the_clock_and_begins_when_the_due_day_has_ended() -> None:
    action = state_of(OF_JUNE)
    assert not overdue(action, datetime.fromisoformat("2026-06-30T23:59:59+02:00"))
    assert overdue(action, datetime.fromisoformat(OWNER))
    shown = view(action, datetime.fromisoformat("2026-07-03T12:00:00+02:00"))
    assert (shown.overdue, shown.overdue_days, shown.age_days) == (True, 3, 93)


def test_a_reminder_for_a_time_before_the_action_is_not_sent_and_an_implemented_one_is_not_late() -> None:
    urgent = replace(
        DEFAULT,
        rules=(Rule(kind=SourceKind.FINDING, call=Call(priority=Priority.HIGH, due_days=3, owner_role="cio")),),
    )
    history = opened_for(finding(), facts={THE_POLICY: policies(("2026-01-01T00:00:00+01:00", urgent))})
    assert deadline(state_of(history)) == datetime.fromisoformat("2026-02-16T00:00:00+01:00")
    assert deadline(state_of(IMPLEMENTED)) == datetime(2026, 6, 8, 22, tzinfo=UTC)
    waiting = given(*IMPLEMENTED).at(DAY_60).when(Due()).state
    assert (waiting.status, deadline(waiting)) == (Status.VERIFYING, None)


def test_an_extension_is_not_for_the_owner_to_approve_and_keeps_original_date_and_count() -> None:
    late = hourly(OF_JUNE, "2026-06-20T00:00:00+02:00", "2026-07-03T00:00:00+02:00")
    on_3_july: Scenario[CorrectiveAction] = given(*late).at("2026-07-03T10:00:00+02:00")
    on_3_july.acting("p-nguyen").when(ASK).then_refused("the owner asks", rule="C-10", status=403)
    on_3_july.acting("p-hansen").when(GRANT).then_refused("no extension", rule="C-10")
    asked = lived(late, ("2026-07-03T10:00:00+02:00", "p-ruiz", ASK))
    given(*asked).acting("p-ruiz").when(GRANT).then_refused("somebody else", rule="C-10", status=403)
    granted = lived(asked, ("2026-07-03T12:00:00+02:00", "p-hansen", GRANT))
    shown = view(state_of(granted), datetime.fromisoformat("2026-07-03T12:00:00+02:00"))
    assert (shown.due, shown.original_due, shown.extension_count) == (date(2026, 7, 31), date(2026, 6, 30), 1)
    assert not shown.overdue
    restarted = hourly(granted, "2026-07-04T00:00:00+02:00", "2026-08-20T00:00:00+02:00", every_hours=7)
    assert [step for step, _, _ in steps(restarted)] == [
        "reminder",
        "owner",
        "reminder",
        "owner",
        "process-owner",
        "cio",
    ]


def test_an_extension_needs_an_approver_whose_assignment_is_known() -> None:
    asked = lived(OF_JUNE, ("2026-06-03T10:00:00+02:00", "p-ruiz", ASK))
    stranger = given(*asked).acting("p-somebody").at("2026-06-03T12:00:00+02:00").when(GRANT)
    stranger.then_refused("no assignment of p-somebody as process-owner or cio is known", rule="C-10", status=409)
    above = given(*asked).acting("p-lindqvist").at("2026-06-03T12:00:00+02:00").when(GRANT)
    assert above.state.due == date(2026, 7, 31)
    refused = given(*asked).acting("p-hansen").when(c.DecideExtension(approved=False, reason="No."))
    assert (refused.state.due, refused.state.extension_asked) == (date(2026, 6, 30), None)


def test_an_extension_into_the_past_or_before_the_due_date_makes_no_sense() -> None:
    sooner = replace(ASK, until=date(2026, 6, 30))
    given(*OF_JUNE).when(sooner).then_refused("after the due date", rule="C-10", status=422)
    given(*OF_JUNE).at("2026-08-01T00:00:00+02:00").when(ASK).then_refused("in the future", rule="C-10", status=422)
