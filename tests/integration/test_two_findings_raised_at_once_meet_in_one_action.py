"""Two findings that the policy groups, raised at once in two processes and heard by two: one action, two sources."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from meridian import CATALOGUE, Meridian
from world import Begin, World

from stack.client import Caller, Object
from stack.cluster import Service
from stack.processes import free_port

CLAUSES = ("8.2.4", "8.3.2", "8.3.3", "8.3.4", "8.4.3", "8.6.1")
"""Each is one race."""
CRITERIA = [{"standard": "ISO/IEC 20000-1", "edition": "2018", "clause": clause} for clause in CLAUSES]
SERVICES = ("SVC-MAIL", "SVC-WIKI")


@pytest.fixture
def world(begin: Begin) -> World:
    """A stack with a second audit process and a second improvement process on the same databases."""
    return begin("2026-03-02T08:00:00Z")


def test_two_findings_raised_at_once_meet_in_one_action(world: World) -> None:
    meridian = Meridian(world)
    meridian.appoint_everybody()
    findings_of_a_clause_share_an_action(meridian)
    second_audit, second_improvement = a_second_process(world, "audit"), a_second_process(world, "improvement")
    second_audit.start()
    second_improvement.start()
    try:
        audit = one_audit_of_all_clauses(meridian)
        doors = [meridian.weiss, elsewhere(world, second_audit)]
        raised = [raised_at_once(meridian, doors, audit, criterion) for criterion in CRITERIA]
        meridian.settle()
        each_pair_has_one_action_with_two_sources(meridian, raised)
        the_second_process_tells_the_same(meridian, second_improvement)
    finally:
        second_audit.stop()
        second_improvement.stop()


def findings_of_a_clause_share_an_action(meridian: Meridian) -> None:
    policy = meridian.lindqvist.get("improvement", "policy")["policy"]
    change = {"policy": {**policy, "grouping": "clause"}, "reason": "One cause, one action."}
    meridian.lindqvist.act("improvement", "policy", "versions", change)


def a_second_process(world: World, name: str) -> Service:
    """The same service again: same database, same bus, another port."""
    first, port = world.stack.services[name], free_port()
    environment = {**first.environment, "CLOSELOOP_PORT": str(port)}
    return Service(name, port, first.logs / "second", environment)


def elsewhere(world: World, second: Service) -> Caller:
    """J. Weiss at the door of the second process."""
    return Caller({**world.stack.addresses, second.name: second.url}, world.stack.mint("p-weiss", ["auditor"]))


def one_audit_of_all_clauses(meridian: Meridian) -> Object:
    audit = meridian.plan_audit(CATALOGUE, starts="2026-03-02", ends="2026-03-06", criteria=CRITERIA)
    meridian.start_audit(audit)
    return audit


def raised_at_once(meridian: Meridian, doors: Sequence[Caller], audit: Object, criterion: Object) -> list[Object]:
    """Two threads raise and issue one finding each, each through another process."""
    barrier = Barrier(2)

    def raise_and_issue(door: Caller, service: str) -> Object:
        body = {
            "audit": audit["id"],
            "criterion": criterion,
            "service": service,
            "grade": "major",
            "statement": f"{criterion['clause']} is not met by {service}",
            "evidence": [meridian.evidence("2026-03-02T08:00:00Z")],
        }
        barrier.wait(10)
        finding: Object = door.post("audit", "findings", body)
        barrier.wait(10)
        issued: Object = door.act("audit", f"findings/{finding['id']}", "issue")
        return issued

    with ThreadPoolExecutor(max_workers=2) as threads:
        return list(threads.map(raise_and_issue, doors, SERVICES))


def each_pair_has_one_action_with_two_sources(meridian: Meridian, raised: Sequence[Sequence[Object]]) -> None:
    actions = meridian.actions()
    by_clause = {action["clause"]: {source["id"] for source in action["sources"]} for action in actions}
    assert by_clause == {pair[0]["clause"]: {finding["id"] for finding in pair} for pair in raised}
    assert len(actions) == len(raised)
    numbers = [finding["number"] for pair in raised for finding in pair]
    assert len(set(numbers)) == 2 * len(CLAUSES), "no number was given twice"
    for finding in (finding for pair in raised for finding in pair):
        [followed] = meridian.weiss.get("audit", f"findings/{finding['id']}")["corrective_actions"]
        assert finding["id"] in by_clause[finding["clause"]]
        assert followed["standing"] == "open"


def the_second_process_tells_the_same(meridian: Meridian, second: Service) -> None:
    addresses = {**meridian.world.stack.addresses, "improvement": second.url}
    there = Caller(addresses, meridian.keller.token)
    assert list(there.all("improvement", "corrective-actions")) == meridian.actions()
