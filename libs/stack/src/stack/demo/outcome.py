"""What the story came to: by the services' public API, by the listener on the bus, and by what was expected of both."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from stack.client import Object
from stack.cluster import SERVICE_PORTS
from stack.demo.cast import DIRECTOR
from stack.demo.listener import Listener
from stack.demo.recount import Verdict
from stack.demo.stage import Stage, source_ids
from stack.demo.wording import count

Figures = dict[str, Any]
A_MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True)
class Said:
    """What the services show in their lists."""

    findings: Sequence[Object]
    periods: Sequence[Object]
    risks: Sequence[Object]
    actions: Sequence[Object]
    announced: int
    """How many events the services say they have told the bus."""

    @classmethod
    def by(cls, stage: Stage) -> "Said":
        """Ask them, page by page."""
        return cls(
            findings=list(stage.all("audit", "findings")),
            periods=list(stage.all("sla", "periods")),
            risks=list(stage.all("risk", "risks")),
            actions=list(stage.all("improvement", "corrective-actions")),
            announced=sum(_announced(stage, service) for service in SERVICE_PORTS),
        )

    @property
    def breaches(self) -> list[Object]:
        """The months of targets that were missed."""
        return [each for each in self.periods if each["breach"]]

    def actions_of(self, source: str) -> list[Object]:
        """The actions that a source belongs to, or did."""
        return [each for each in self.actions if source in source_ids(each)]

    def figures(self) -> Figures:
        """As the JSON line has them, as far as lists can tell."""
        sources = Counter(source for action in self.actions for source in source_ids(action))
        return {
            "findings": len(self.findings),
            "breaches": len(self.breaches),
            "risks": len(self.risks),
            "corrective_actions": {
                "opened": len(self.actions),
                "closed": sum(1 for each in self.actions if each["status"] == "closed"),
            },
            "events": self.announced,
            "duplicates": sum(1 for count in sources.values() if count > 1),
        }


def _announced(stage: Stage, service: str) -> int:
    count, after = 0, "0"
    while after:
        page = stage.caller(DIRECTOR).get(service, "events", after=after, limit=200)
        count, after = count + len(page["items"]), page["next"] or ""
    return count


def heard(listener: Listener) -> Figures:
    """The same figures by the messages alone."""
    actions_of: dict[str, set[str]] = {}
    for news in (*listener.named("corrective-action-opened"), *listener.named("source-joined")):
        for source in news.body.get("sources") or [news.body["source"]]:
            actions_of.setdefault(source["id"], set()).add(news.stream)
    turns = ("corrective-action-closed", "corrective-action-reopened")
    last = {news.stream: news.name for news in list(listener.heard) if news.name in turns}
    return {
        "findings": len({news.stream for news in listener.named("finding-issued")}),
        "breaches": len({news.stream for news in listener.named("breach-confirmed")}),
        "risks": len({news.stream for news in listener.named("risk-registered")}),
        "corrective_actions": {
            "opened": len({news.stream for news in listener.named("corrective-action-opened")}),
            "closed": sum(1 for name in last.values() if name == "corrective-action-closed"),
        },
        "events": len(listener.heard),
        "duplicates": sum(1 for actions in actions_of.values() if len(actions) > 1),
    }


def ending(said: Said, day: date) -> str:
    """Why not every corrective action is closed when the story ends."""
    open_ones = [each for each in said.actions if each["status"] != "closed"]
    closed = f"{len(said.actions) - len(open_ones)} of {count(len(said.actions), 'corrective action')} are closed"
    if not open_ones:
        return f"{closed}, each proven effective."
    named = ", ".join(sorted(f"{each['number']} {each['status']}" for each in open_ones))
    return (
        f"{closed}; {len(open_ones)} stay open because the story ends on {day}, before their work is done "
        f"or their effect is proven ({named})."
    )


def differences(said: Figures, told: Figures) -> list[str]:
    """Where lists and messages disagree."""
    return [f"{key}: the lists say {said[key]}, the bus says {told[key]}" for key in said if said[key] != told[key]]


def against_the_rows(said: Said, verdicts: Iterable[Verdict]) -> list[str]:
    """Where attainment or breach of a target and month is not what the rows give."""
    shown = {f"{each['service']} {each['target']} {each['month']}": each for each in said.periods}
    expected = {verdict.name: verdict for verdict in verdicts}
    wrong = [f"{name} is in no list, the rows give it" for name in expected if name not in shown]
    wrong += [
        f"{name} is listed, the rows do not give it"
        for name in shown
        if name not in expected and shown[name]["attainment"]
    ]
    for name in expected.keys() & shown.keys():
        wrong += _compare(name, expected[name], shown[name])
    return sorted(wrong)


def _compare(name: str, verdict: Verdict, period: Object) -> list[str]:
    wrong: list[str] = []
    if period["attainment"] is None or Decimal(period["attainment"]) != verdict.attainment:
        wrong.append(f"attainment of {name}: {period['attainment']} %, the rows give {verdict.attainment} %")
    said_at = datetime.fromisoformat(period["breach"]["at"]) if period["breach"] else None
    if (said_at is None) != (verdict.breached_at is None) or (
        said_at and verdict.breached_at and abs(said_at - verdict.breached_at) > A_MICROSECOND
    ):
        wrong.append(f"breach of {name}: said at {said_at}, the rows give {verdict.breached_at}")
    return wrong


def sources(said: Said) -> Mapping[str, str]:
    """Everything that calls for a corrective action, by name: nonconformities, breaches, risks above their limit."""
    found = {each["id"]: f"finding {each['number']}" for each in said.findings if each["grade"] in ("major", "minor")}
    found |= {each["id"]: f"breach {each['service']} {each['target']} {each['month']}" for each in said.breaches}
    return found | {each["id"]: f"risk {each['number']}" for each in said.risks if each["level"] > each["limit"]}


def without_exactly_one(said: Said) -> list[str]:
    """Sources that have no action, or more than one."""
    wrong = []
    for source, name in sources(said).items():
        actions = said.actions_of(source)
        if not actions:
            wrong.append(f"{name} has no corrective action")
        elif len(actions) > 1:
            wrong.append(f"{name} has {len(actions)} corrective actions: {', '.join(a['number'] for a in actions)}")
    return wrong


def complaints(stage: Stage) -> list[str]:
    """What the services themselves say is not well: parked messages, gaps, a stopped relay."""
    return [
        f"{service} is degraded: {each}"
        for service in SERVICE_PORTS
        for each in stage.caller(DIRECTOR).http.get(f"{stage.addresses[service]}/readyz").json()["degraded"]
    ]
