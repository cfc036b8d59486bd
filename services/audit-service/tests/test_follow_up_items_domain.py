"""Follow-up items: a corrective action that came back, or that must be seen to last, meets the next audit (A-14)."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from audit_service.audits.state import Audit
from audit_service.audits.state import Status as AuditStatus
from audit_service.audits.values import AuditPlan
from audit_service.follow_up_items.aggregate import follow_up_item_id, follow_up_items
from audit_service.follow_up_items.commands import Conclude, TakeNote
from audit_service.follow_up_items.events import Concluded, Noted
from audit_service.follow_up_items.react import react
from audit_service.follow_up_items.state import Status
from audit_service.follow_up_items.values import Cause, Conclusion, Note
from contracts.improvement import CorrectiveActionClosed, CorrectiveActionReopened, Source, SourceKind
from events.kernel import Found, News, Reaction, StateOf, derived_id
from events.testing import STREAM, scenarios

ACTION, AUDIT = derived_id("CA-101b"), derived_id("AUD-2")
given = scenarios(follow_up_items, by="j-weiss", at="2026-09-14T10:00:00+02:00")

CAME_BACK = Note(
    at=datetime(2026, 8, 19, 12, tzinfo=UTC), cause=Cause.INEFFECTIVE, cycle=2, text="Outage of 22 minutes on 08-19"
)
noted = Noted(action=ACTION, action_number="CA-101b", service="SVC-ERP", note=CAME_BACK)
take_note = TakeNote(action=ACTION, action_number="CA-101b", service="SVC-ERP", note=CAME_BACK)
concluded = Concluded(
    conclusion=Conclusion(
        audit=AUDIT,
        by="j-weiss",
        at=datetime.fromisoformat("2026-09-14T10:00:00+02:00"),
        text="The failover was tested twice",
    )
)
CONCLUDE = Conclude(audit=AUDIT, text="The failover was tested twice")


def source(kind: SourceKind, service: str | None, name: str = "one") -> Source:
    return Source(kind=kind, id=derived_id(kind, service, name), label=name, service=service)


def heard(body: Any) -> list[Reaction]:
    at = datetime(2026, 8, 19, 12, tzinfo=UTC)
    return list(
        react(News(tenant="meridian", service="improvement", stream=ACTION, event=derived_id("e"), at=at, body=body))
    )


def audit_with(*items: UUID, status: AuditStatus = AuditStatus.IN_PROGRESS) -> dict[Any, Any]:
    plan = AuditPlan(title="ERP", zone="Europe/Berlin")
    audit = Audit(status=status, audit=AUDIT, number="AUD-2", plan=plan, lead="j-weiss", follow_up_items=items)
    return {StateOf(Audit, AUDIT): Found(id=AUDIT, version=3, state=audit)}


def test_a_reopened_action_leaves_one_item_for_each_service_whatever_it_came_from() -> None:
    sources = (
        source(SourceKind.BREACH, "SVC-ERP"),
        source(SourceKind.BREACH, "SVC-ERP", "another"),
        source(SourceKind.FINDING, "SVC-NET"),
        source(SourceKind.RISK, None),
    )
    reactions = heard(
        CorrectiveActionReopened(number="CA-101b", cycle=2, sources=sources, reason="Outage of 22 minutes on 08-19")
    )
    assert [each.stream for each in reactions] == [
        follow_up_item_id("meridian", ACTION, service) for service in ("SVC-ERP", "SVC-NET", None)
    ]
    assert reactions[0].command == take_note
    assert len({each.key for each in reactions}) == 3
    assert given().when(reactions[0].command).then(noted).state.status is Status.OPEN


def test_a_closed_action_is_looked_at_again_only_where_an_audit_had_found_it() -> None:
    sources = (source(SourceKind.BREACH, "SVC-ERP"), source(SourceKind.FINDING, "SVC-MAIL"))
    closed = CorrectiveActionClosed(number="CA-101b", cycle=1, sources=sources, verified_by="j-weiss", cycles=1)
    (reaction,) = heard(closed)
    assert reaction.command.service == "SVC-MAIL"
    assert reaction.command.note.cause is Cause.CLOSED


def test_an_item_keeps_who_owns_the_action_as_it_was_told_last() -> None:
    sources = (source(SourceKind.FINDING, "SVC-ERP"),)
    told = CorrectiveActionReopened(number="CA-101b", cycle=2, sources=sources, reason="Outage", owner="p-ruiz")
    closed = CorrectiveActionClosed(
        number="CA-101b", cycle=2, sources=sources, verified_by="j-weiss", cycles=2, owner="p-nguyen"
    )
    (reopened_note,), (closed_note,) = heard(told), heard(closed)
    first = given().when(reopened_note.command)
    assert first.state.owner == "p-ruiz"
    assert given(*first.events).when(closed_note.command).state.owner == "p-nguyen"


def test_what_is_told_twice_is_noted_once() -> None:
    given(noted).when(take_note).then()


def test_an_item_is_concluded_by_the_team_of_the_audit_that_was_prepared_to_look_at_it() -> None:
    outcome = given(noted).knowing(audit_with(STREAM)).when(CONCLUDE).then(concluded)
    assert outcome.state.status is Status.CONCLUDED
    given(noted).knowing(audit_with()).when(CONCLUDE).then_refused("not prepared to look at", rule="A-14", status=409)
    stranger = given(noted).knowing(audit_with(STREAM)).acting("m-ruiz")
    stranger.when(CONCLUDE).then_refused("not on the team", rule="A-06", status=403)
    given(noted, concluded).knowing(audit_with(STREAM)).when(CONCLUDE).then_refused("is concluded", status=409)
    given().knowing(audit_with(STREAM)).when(CONCLUDE).then_refused("no such follow-up item", status=404)


@pytest.mark.parametrize("status", [AuditStatus.PREPARED, AuditStatus.REPORTED, AuditStatus.CLOSED])
def test_an_item_is_concluded_during_fieldwork(status: AuditStatus) -> None:
    facts = audit_with(STREAM, status=status)
    given(noted).knowing(facts).when(CONCLUDE).then_refused("not in its fieldwork", rule="A-14", status=409)


def test_an_item_opens_again_when_the_action_comes_back_after_the_conclusion() -> None:
    again = replace(take_note, note=replace(CAME_BACK, cycle=3, at=datetime(2026, 10, 1, tzinfo=UTC)))
    outcome = given(noted, concluded).when(again)
    assert outcome.state.status is Status.OPEN
    assert [note.cycle for note in outcome.state.notes] == [2, 3]
    assert len(outcome.state.conclusions) == 1
