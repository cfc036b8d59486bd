"""Findings: raised on evidence, issued, disputed, amended, withdrawn, and verified once their action was effective."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given as for_all
from hypothesis import strategies as st

from audit_service.audits.state import Audit
from audit_service.audits.state import Status as AuditStatus
from audit_service.audits.values import AuditPlan, Scope
from audit_service.evidence import Criterion, Evidence, Method
from audit_service.findings.aggregate import findings
from audit_service.findings.commands import (
    Amend,
    DecideDispute,
    DisputeFinding,
    FollowAction,
    Issue,
    Raise,
    Verify,
    Withdraw,
)
from audit_service.findings.decide import NUMBER
from audit_service.findings.events import (
    ActionFollowed,
    Amended,
    Disputed,
    Issued,
    Raised,
    Upheld,
    Verified,
    Withdrawn,
)
from audit_service.findings.react import react
from audit_service.findings.state import Finding, Status
from audit_service.findings.values import CorrectiveAction, Dispute, Ruling, Standing, Verification
from contracts.audit import FindingAmended, FindingIssued, FindingWithdrawn, Grade
from contracts.improvement import (
    CorrectiveActionCancelled,
    CorrectiveActionClosed,
    CorrectiveActionOpened,
    CorrectiveActionReopened,
    Source,
    SourceJoined,
    SourceKind,
)
from events.codec import codec_of, state_from_json, to_json
from events.kernel import Found, Need, News, StateOf, derived_id
from events.testing import STREAM, scenarios

AUDIT = derived_id("AUD-1")
LATER_AUDIT = derived_id("AUD-2")
given = scenarios(findings, by="j-weiss", at="2026-02-12T09:00:00+01:00").knowing({NUMBER: 1})

SLM = Criterion(standard="ISO/IEC 20000-1", edition="2018", clause="8.3.3")
CATALOGUE = Evidence(
    source="Service catalogue v7",
    method=Method.EXAMINE,
    sample_size=14,
    population=14,
    collected_at=datetime(2026, 2, 10, 9, 30, tzinfo=UTC),
    collector="j-weiss",
    hash="9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
)
NO_SLA = "SVC-MAIL is delivered without an agreed SLA"
RAISE = Raise(
    audit=AUDIT, criterion=SLM, service="SVC-MAIL", grade=Grade.MAJOR, statement=NO_SLA, evidence=(CATALOGUE,)
)
raised = Raised(
    number="F-1",
    audit=AUDIT,
    audit_number="AUD-1",
    edition="ISO/IEC 20000-1:2018",
    clause="8.3.3",
    service="SVC-MAIL",
    grade=Grade.MAJOR,
    statement=NO_SLA,
    evidence=(CATALOGUE,),
    by="j-weiss",
)
issued = Issued(at=datetime.fromisoformat("2026-02-12T09:00:00+01:00"))
AGREEMENT = replace(CATALOGUE, source="Agreement of 2021", sample_size=1, population=1, collector="m-ruiz", hash=None)
dispute = Dispute(by="m-ruiz", reason="There is an agreement", evidence=(AGREEMENT,))
disputed = Disputed(dispute=dispute)


def during(status: AuditStatus = AuditStatus.IN_PROGRESS) -> Mapping[Need[Any], Any]:
    """The audit that the finding belongs to, and a later one that was prepared to look at it."""
    plan = AuditPlan(title="SLM", criteria=(SLM,), scope=Scope(services=("SVC-MAIL",)), zone="Europe/Berlin")
    own = Audit(status=status, audit=AUDIT, number="AUD-1", plan=plan, lead="j-weiss")
    later = replace(own, audit=LATER_AUDIT, number="AUD-2", lead="t-keller", previous_findings=(STREAM,))
    return {
        StateOf(Audit, AUDIT): Found(id=AUDIT, version=4, state=own),
        StateOf(Audit, LATER_AUDIT): Found(id=LATER_AUDIT, version=3, state=later),
    }


# --- raising ---------------------------------------------------------------------------------------------------


def test_a_nonconformity_is_raised_on_a_criterion_with_statement_and_evidence() -> None:
    outcome = given().knowing(during()).when(RAISE).then(raised)
    outcome.then_announced()
    assert outcome.state.status is Status.RAISED


@pytest.mark.parametrize("grade", [Grade.MAJOR, Grade.MINOR])
def test_a_nonconformity_without_objective_evidence_is_unacceptable(grade: Grade) -> None:
    bare = replace(RAISE, grade=grade, evidence=())
    given().knowing(during()).when(bare).then_refused("needs objective evidence", rule="A-10", status=422)


@pytest.mark.parametrize("grade", [Grade.OBSERVATION, Grade.OPPORTUNITY, Grade.STRENGTH])
def test_what_is_merely_observed_needs_no_evidence(grade: Grade) -> None:
    assert given().knowing(during()).when(replace(RAISE, grade=grade, evidence=())).state.grade is grade


def test_a_clause_must_be_among_the_criteria_in_the_same_edition() -> None:
    for other in (replace(SLM, clause="8.2"), replace(SLM, edition="2011"), replace(SLM, standard="ISO/IEC 27001")):
        elsewhere = replace(RAISE, criterion=other)
        given().knowing(during()).when(elsewhere).then_refused("not among the criteria", rule="A-10", status=409)


def test_a_service_outside_the_scope_is_refused() -> None:
    elsewhere = replace(RAISE, service="SVC-ERP")
    given().knowing(during()).when(elsewhere).then_refused("not in the scope", rule="A-04", status=409)
    assert given().knowing(during()).when(replace(RAISE, service=None)).state.service is None


@pytest.mark.parametrize("status", sorted(set(AuditStatus) - {AuditStatus.IN_PROGRESS, AuditStatus.FIELDWORK_DONE}))
def test_findings_are_raised_only_during_fieldwork(status: AuditStatus) -> None:
    outcome = given().knowing(during(status)).when(RAISE)
    said = "no such audit" if status is AuditStatus.ABSENT else f"AUD-1 is {status}"
    outcome.then_refused(said, status=409)


def test_findings_are_raised_by_the_team() -> None:
    stranger = given().knowing(during()).acting("l-brandt")
    stranger.when(RAISE).then_refused("not on the team", rule="A-06", status=403)


def test_evidence_must_be_possible() -> None:
    flawed = replace(RAISE, evidence=(replace(CATALOGUE, sample_size=15),))
    given().knowing(during()).when(flawed).then_refused("sample of 15 out of 14", rule="A-09", status=422)


# --- issuing, amending, withdrawing ----------------------------------------------------------------------


def test_an_issued_finding_is_announced_once() -> None:
    told = FindingIssued(
        number="F-1",
        audit=AUDIT,
        audit_number="AUD-1",
        grade=Grade.MAJOR,
        edition="ISO/IEC 20000-1:2018",
        clause="8.3.3",
        service="SVC-MAIL",
        statement=NO_SLA,
    )
    given(raised).when(Issue()).then(issued).then_announced(told)
    given(raised, issued).when(Issue()).then_refused("F-1 is issued", rule="A-12", status=409)


AMEND = Amend(grade=Grade.MINOR, statement=NO_SLA, reason="Interim targets were in use")
amended = Amended(
    previous_grade=Grade.MAJOR,
    previous_statement=NO_SLA,
    grade=Grade.MINOR,
    statement=NO_SLA,
    reason="Interim targets were in use",
    by="j-weiss",
)


def test_an_amendment_after_issue_keeps_what_it_was_before_and_is_announced() -> None:
    outcome = given(raised, issued).when(AMEND).then(amended)
    outcome.then_announced(
        FindingAmended(
            number="F-1",
            previous_grade=Grade.MAJOR,
            grade=Grade.MINOR,
            clause="8.3.3",
            service="SVC-MAIL",
            statement=NO_SLA,
            reason="Interim targets were in use",
        )
    )
    assert outcome.state.status is Status.ISSUED


def test_a_draft_is_amended_without_others_hearing_of_it() -> None:
    given(raised).when(AMEND).then(amended).then_announced()


def test_an_amendment_changes_something_and_does_not_make_a_nonconformity_out_of_nothing() -> None:
    as_it_is = Amend(grade=Grade.MAJOR, statement=NO_SLA, reason="No reason")
    given(raised, issued).when(as_it_is).then_refused("would change", rule="A-12", status=422)
    observed = replace(raised, grade=Grade.OBSERVATION, evidence=())
    given(observed, issued).when(AMEND).then_refused("needs objective evidence", rule="A-10", status=422)


OBSERVED = replace(raised, grade=Grade.OBSERVATION, evidence=())
LOG = replace(CATALOGUE, source="Service desk log", collected_at=datetime(2026, 2, 11, 8, tzinfo=UTC), hash=None)
PROMOTE = Amend(grade=Grade.MAJOR, statement=NO_SLA, evidence=(LOG,), reason="Customers were turned away")


def test_an_observation_without_evidence_becomes_a_nonconformity_by_evidence() -> None:
    outcome = given(OBSERVED, issued).knowing(during()).when(PROMOTE)
    outcome.then(
        replace(
            amended,
            previous_grade=Grade.OBSERVATION,
            grade=Grade.MAJOR,
            evidence=(LOG,),
            reason="Customers were turned away",
        )
    )
    assert (outcome.state.grade, outcome.state.evidence) == (Grade.MAJOR, (LOG,))
    in_dispute = given(OBSERVED, issued, disputed).knowing(during()).acting("a-okafor")
    ruling = DecideDispute(ruling=Ruling.AMENDED, grade=Grade.MAJOR, evidence=(LOG,), reason="It was seen")
    assert in_dispute.when(ruling).state.evidence == (LOG,)
    in_dispute.when(replace(ruling, evidence=())).then_refused("needs objective evidence", rule="A-10", status=422)


def test_an_amendment_adds_evidence_to_what_there_was() -> None:
    more = replace(AMEND, evidence=(LOG,))
    assert given(raised, issued).knowing(during()).when(more).state.evidence == (CATALOGUE, LOG)


def test_the_evidence_of_an_amendment_is_possible_and_not_of_the_audit_teams_making() -> None:
    known = given(OBSERVED, issued).knowing(during())
    later = replace(PROMOTE, evidence=(replace(LOG, collected_at=datetime(2026, 2, 12, 8, 0, 1, tzinfo=UTC)),))
    known.when(later).then_refused("in the future", rule="A-09", status=422)
    own = replace(LOG, prepared_by="j-weiss")
    known.when(replace(PROMOTE, evidence=(own,))).then_refused("j-weiss prepared", rule="A-06", status=409)
    given().knowing(during()).when(replace(RAISE, evidence=(own,))).then_refused("j-weiss prepared", rule="A-06")


def test_an_issued_finding_is_withdrawn_by_somebody_other_than_its_author() -> None:
    withdraw = Withdraw(reason="The service was never delivered")
    given(raised, issued).when(withdraw).then_refused("somebody else withdraws", rule="A-12", status=403)
    outcome = given(raised, issued).acting("a-okafor").when(withdraw)
    outcome.then(Withdrawn(reason="The service was never delivered", by="a-okafor"))
    outcome.then_announced(FindingWithdrawn(number="F-1", reason="The service was never delivered", by="a-okafor"))


def test_a_draft_is_dropped_by_its_author_unheard() -> None:
    given(raised).when(Withdraw(reason="Mistaken")).then(Withdrawn(reason="Mistaken", by="j-weiss")).then_announced()


# --- the dispute -----------------------------------------------------------------------------------------------


def test_a_dispute_brings_evidence_and_a_reason() -> None:
    of_ruiz = given(raised, issued).acting("m-ruiz")
    command = DisputeFinding(reason="There is an agreement", evidence=(AGREEMENT,))
    of_ruiz.when(command).then(disputed).then_announced()
    bare = replace(command, evidence=())
    of_ruiz.when(bare).then_refused("disputed with evidence", rule="A-12", status=422)
    given(raised).when(command).then_refused("F-1 is raised", rule="A-12")


@pytest.mark.parametrize(("party", "part"), [("j-weiss", "raised"), ("m-ruiz", "disputed")])
def test_neither_party_decides_the_dispute(party: str, part: str) -> None:
    uphold = DecideDispute(ruling=Ruling.UPHELD, reason="It is as stated")
    outcome = given(raised, issued, disputed).acting(party).when(uphold)
    outcome.then_refused(f"{party} {part} F-1", rule="A-12", status=403)


def test_a_dispute_is_upheld_amended_or_withdrawn() -> None:
    judge = given(raised, issued, disputed).acting("a-okafor")
    upheld = judge.when(DecideDispute(ruling=Ruling.UPHELD, reason="It has expired"))
    upheld.then(Upheld(reason="It has expired", by="a-okafor")).then_announced()
    assert (upheld.state.status, upheld.state.grade, upheld.state.dispute) == (Status.ISSUED, Grade.MAJOR, None)

    minor = judge.when(DecideDispute(ruling=Ruling.AMENDED, grade=Grade.MINOR, reason="It has expired"))
    minor.then(replace(amended, reason="It has expired", by="a-okafor"))
    assert (minor.state.status, minor.state.grade, minor.state.dispute) == (Status.ISSUED, Grade.MINOR, None)

    gone = judge.when(DecideDispute(ruling=Ruling.WITHDRAWN, reason="It is in force"))
    gone.then_announced(FindingWithdrawn(number="F-1", reason="It is in force", by="a-okafor"))
    assert gone.state.status is Status.WITHDRAWN


def test_a_ruling_says_what_it_changes_and_nothing_else() -> None:
    judge = given(raised, issued, disputed).acting("a-okafor")
    empty = DecideDispute(ruling=Ruling.AMENDED, reason="Because")
    judge.when(empty).then_refused("neither grade nor statement", rule="A-12", status=422)
    upheld_but = DecideDispute(ruling=Ruling.UPHELD, grade=Grade.MINOR, reason="Because")
    judge.when(upheld_but).then_refused("keeps its grade", rule="A-12", status=422)
    upheld_with = DecideDispute(ruling=Ruling.UPHELD, evidence=(CATALOGUE,), reason="Because")
    judge.knowing(during()).when(upheld_with).then_refused("and evidence", rule="A-12", status=422)


def test_a_disputed_finding_waits_for_its_ruling() -> None:
    for step in (AMEND, Withdraw(reason="Enough"), Issue()):
        given(raised, issued, disputed).when(step).then_refused("F-1 is disputed", rule="A-12", status=409)


# --- the corrective action and verification --------------------------------------------------------------------

ACTION, OTHER_ACTION = derived_id("CA-101"), derived_id("CA-102")
THIS = Source(kind=SourceKind.FINDING, id=STREAM, label="F-1", service="SVC-MAIL", clause="8.3.3")
A_BREACH = Source(kind=SourceKind.BREACH, id=derived_id("breach"), label="SLA-1", service="SVC-MAIL")
FEBRUARY = datetime(2026, 2, 12, 8, tzinfo=UTC)


def followed(standing: Standing, days: int = 0, action: str = "CA-101") -> ActionFollowed:
    at = FEBRUARY + timedelta(days=days)
    return ActionFollowed(
        action=CorrectiveAction(action=derived_id(action), number=action, standing=standing, since=at)
    )


VERIFY = Verify(note="All 14 services have an agreement", evidence=(CATALOGUE,))


def test_a_finding_is_verified_when_its_action_was_closed_as_effective() -> None:
    closed = (raised, issued, followed(Standing.OPEN), followed(Standing.CLOSED_EFFECTIVE, 90))
    later = given(*closed).at("2026-05-20T10:00:00+02:00").knowing(during(AuditStatus.FOLLOW_UP))
    verification = Verification(
        audit=AUDIT,
        by="j-weiss",
        at=datetime.fromisoformat("2026-05-20T10:00:00+02:00"),
        note="All 14 services have an agreement",
        evidence=(CATALOGUE,),
    )
    assert later.when(VERIFY).then(Verified(verification=verification)).state.status is Status.VERIFIED
    later.when(replace(VERIFY, evidence=())).then_refused("rests on evidence", rule="A-09", status=422)
    later.acting("m-ruiz").when(VERIFY).then_refused("not on the team", rule="A-06", status=403)


@pytest.mark.parametrize(
    ("news", "said"),
    [
        ((), "no corrective action of F-1"),
        ((followed(Standing.OPEN),), "CA-101 is open"),
        ((followed(Standing.CLOSED_EFFECTIVE), followed(Standing.REOPENED, 1)), "CA-101 is reopened"),
        ((followed(Standing.CANCELLED),), "no corrective action of F-1"),
        ((followed(Standing.CLOSED_EFFECTIVE), followed(Standing.OPEN, action="CA-102")), "CA-102 is open"),
    ],
)
def test_a_finding_is_not_verified_before(news: tuple[ActionFollowed, ...], said: str) -> None:
    facts = during(AuditStatus.FOLLOW_UP)
    given(raised, issued, *news).knowing(facts).when(VERIFY).then_refused(said, rule="A-14", status=409)


def test_verification_belongs_to_the_follow_up_or_to_a_later_audit_that_looks_at_the_finding() -> None:
    closed = given(raised, issued, followed(Standing.CLOSED_EFFECTIVE))
    closed.knowing(during(AuditStatus.REPORTED)).when(VERIFY).then_refused("not in its follow-up", rule="A-14")
    in_later_audit = closed.acting("t-keller").knowing(during())
    verify = replace(VERIFY, during=LATER_AUDIT)
    assert in_later_audit.when(verify).state.verification.audit == LATER_AUDIT
    in_later_audit.knowing(during(AuditStatus.PREPARED)).when(verify).then_refused("not in its fieldwork", rule="A-14")
    facts = dict(during())
    blind = facts[StateOf(Audit, LATER_AUDIT)]
    facts[StateOf(Audit, LATER_AUDIT)] = replace(blind, state=replace(blind.state, previous_findings=()))
    in_later_audit.knowing(facts).when(verify).then_refused("not prepared to look at F-1", rule="A-14", status=409)


def test_a_verified_finding_stands_again_when_its_action_is_reopened() -> None:
    verification = Verification(audit=AUDIT, by="j-weiss", at=FEBRUARY, note="Gone", evidence=(CATALOGUE,))
    seen = (raised, issued, followed(Standing.CLOSED_EFFECTIVE), Verified(verification=verification))
    heard = FollowAction(action=ACTION, number="CA-101", standing=Standing.REOPENED, at=FEBRUARY + timedelta(days=30))
    outcome = given(*seen).when(heard).then(followed(Standing.REOPENED, 30))
    assert (outcome.state.status, outcome.state.verification) == (Status.ISSUED, None)
    other_news = FollowAction(action=OTHER_ACTION, number="CA-102", standing=Standing.OPEN, at=FEBRUARY)
    assert given(*seen).when(other_news).state.status is Status.VERIFIED


@pytest.mark.parametrize("history", [(), (raised,), (raised, issued, Withdrawn(reason="Sold", by="a-okafor"))])
def test_news_of_an_action_are_never_refused_and_change_no_status(history: tuple[Any, ...]) -> None:
    heard = FollowAction(action=ACTION, number="CA-101", standing=Standing.CLOSED_EFFECTIVE, at=FEBRUARY)
    before = given(*history)
    assert before.when(heard).state.status is before.state.status


# --- any order of news -----------------------------------------------------------------------------------------------


def told_by(action: str) -> list[Any]:
    """What one action says about its two sources in the course of its life."""
    both = (THIS, A_BREACH)
    return [
        CorrectiveActionOpened(
            number=action, sources=(A_BREACH,), priority="high", due=date(2026, 5, 13), owner_role="process-owner"
        ),
        SourceJoined(number=action, source=THIS),
        CorrectiveActionClosed(number=action, cycle=1, sources=both, verified_by="t-keller", cycles=1),
        CorrectiveActionReopened(number=action, cycle=2, sources=both, reason="It failed again"),
        CorrectiveActionCancelled(number=action, sources=both, approver="a-okafor", reason="Joined with another"),
    ]


def listen(in_order: list[tuple[str, int]]) -> Finding:
    state = findings.fold((raised, issued))
    for action, turn in in_order:
        body, at = told_by(action)[turn], FEBRUARY + timedelta(days=turn)
        event = derived_id(action, turn)
        heard = News(tenant="meridian", service="improvement", stream=derived_id(action), event=event, at=at, body=body)
        for reaction in react(heard):
            assert reaction.stream == STREAM, "the breach is no business of findings"
            state = findings.fold(findings.decide(state, reaction.command, None), state)
    return state


@for_all(st.permutations([action for action in ("CA-101", "CA-102") for _ in range(5)]), st.sets(st.integers(0, 9)))
def test_the_news_of_two_actions_commute_and_redelivery_changes_nothing(turns: list[str], again: set[int]) -> None:
    told = {"CA-101": iter(range(5)), "CA-102": iter(range(5))}
    in_order = [(action, next(told[action])) for action in turns]
    with_duplicates = [each for at, each in enumerate(in_order) for _ in range(2 if at in again else 1)]
    one_after_the_other = [(action, turn) for action in ("CA-101", "CA-102") for turn in range(5)]
    assert listen(with_duplicates) == listen(one_after_the_other)


@pytest.mark.parametrize(
    ("turns", "standing"),
    [(2, Standing.OPEN), (3, Standing.CLOSED_EFFECTIVE), (4, Standing.REOPENED), (5, Standing.CANCELLED)],
)
def test_the_finding_shows_how_its_action_stands(turns: int, standing: Standing) -> None:
    (action,) = listen([("CA-101", turn) for turn in range(turns)]).corrective_actions
    assert (action.number, action.standing) == ("CA-101", standing)


def test_what_is_stored_reads_back_as_it_was() -> None:
    verification = Verification(audit=AUDIT, by="j-weiss", at=FEBRUARY, note="Gone", evidence=(CATALOGUE,))
    upheld = Upheld(reason="It is as stated", by="a-okafor")
    history = (raised, issued, amended, disputed, upheld, followed(Standing.CLOSED_EFFECTIVE))
    history += (Verified(verification=verification), Withdrawn(reason="Sold", by="a-okafor"))
    codec = codec_of(findings)
    assert tuple(codec.decode(*codec.encode(each)) for each in history) == history
    state = findings.fold(history)
    assert state_from_json(findings, to_json(state)) == state
