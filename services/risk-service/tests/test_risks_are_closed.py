"""A risk is closed when nothing about it is open, and reopened with its history (K-07)."""

from risks_at_meridian import ACCEPT, ASSESS_12, FIRST_DONE, R017, SECOND_LINE, breach, given, heard, names, played

from events.codec import codec_of, state_from_json, to_json
from risk_service.risks.aggregate import risks
from risk_service.risks.commands import Close, Reopen
from risk_service.risks.state import Status
from risk_service.words import Trigger


def test_a_risk_is_closed_only_when_nothing_about_it_is_open() -> None:
    close = Close(reason="DC2 was given up")
    given(*played(R017, ASSESS_12)).when(close).then_refused("above the limit", rule="K-07")
    given(*played(R017, ASSESS_12, SECOND_LINE)).when(close).then_refused("under way", rule="K-04")
    waiting = played(R017, ASSESS_12, ACCEPT, heard(Trigger.MAJOR_FINDING))
    given(*waiting).when(close).then_refused("waits to be reviewed", rule="K-06")
    closed = given(*played(R017, ASSESS_12, ACCEPT)).when(close).state
    assert (closed.status, risks.deadline(closed)) == (Status.CLOSED, None)


def test_a_closed_risk_hears_nothing_and_is_reopened_with_its_history() -> None:
    history = played(R017, ASSESS_12, ACCEPT, Close(reason="DC2 was given up"))
    given(*history).when(breach()).then()
    given(*history).when(ASSESS_12).then_refused("reopen it first", rule="K-07")
    outcome = given(*history).when(Reopen(reason="DC2 is used again"))
    assert names(outcome) == ["Reopened", "FoundAboveLimit", "TriggerHeard"]
    assert (outcome.state.status, outcome.state.review_due) == (Status.EVALUATED, True)
    assert [each.level for each in outcome.state.assessments] == [12]
    given(*played(R017, ASSESS_12)).when(Reopen(reason="again")).then_refused("not closed", rule="K-07")


def test_states_and_events_hold_only_what_can_be_stored() -> None:
    history = played(R017, ASSESS_12, SECOND_LINE, FIRST_DONE, ACCEPT, breach(), heard(Trigger.MAJOR_FINDING))
    codec = codec_of(risks)
    assert [codec.decode(*codec.encode(each)) for each in history] == history
    state = given(*history).state
    assert state_from_json(risks, to_json(state)) == state
