"""The report of the story: one HTML file with its pictures inside, to look at and to print, without any network."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, select_autoescape
from markupsafe import Markup

from stack.client import Object
from stack.demo import charts, public_services, service_desk
from stack.demo.cast import name_of
from stack.demo.charts import BAD, GOOD, ActionBar, Bar, Lane, Milestone, Opinion
from stack.demo.golden_path import DUE
from stack.demo.outcome import Said
from stack.demo.real_input import Incident, outages_of, probes
from stack.demo.recount import ResolutionTarget, Verdict, in_time
from stack.demo.timeline import Entry
from stack.demo.wording import agreed, count, figure

STATES = ("opened", "contained", "analysed", "planned", "implementing", "implemented", "closed")
PROBED_FROM = datetime(2026, 8, 11, tzinfo=UTC)
PROBED_DAYS = 11


@dataclass(frozen=True)
class Story:
    """All that the report tells: what the services say, what the bus said, what the rows say, and the timeline."""

    said: Said
    figures: Mapping[str, Any]
    verdicts: Sequence[Verdict]
    rows: Sequence[Incident]
    entries: Sequence[Entry]
    wrong: Sequence[str]


def write(file: Path, story: Story) -> None:
    """Write the report; a story that broke off is reported as far as it came."""
    environment = Environment(
        loader=PackageLoader("stack.demo", "templates"),
        autoescape=select_autoescape(default=True, default_for_string=True),
        trim_blocks=True,
        lstrip_blocks=True,
    )
    page = environment.get_template("report.html.j2").render(
        story=story,
        path=_golden_path(story.said),
        targets=[_target(story.said, each) for each in service_desk.TARGETS],
        opinions=_opinions(story.rows),
        lanes=_lanes(story.said),
        actions=_actions(story.said),
        breaches=_breaches(story.said),
    )
    file.write_text(page, encoding="utf-8")


def _at(written: str) -> datetime:
    return datetime.fromisoformat(written)


# --- the golden path -------------------------------------------------------------------------------------------------


def _golden_path(said: Said) -> Markup | None:
    """Only when it came to its end."""
    finding = next((each for each in said.findings if each["verification"]), None)
    action = next(iter(said.actions_of(finding["id"])), None) if finding else None
    if finding is None or action is None or not action["closed_at"]:
        return None
    cycle = action["cycles"][-1]
    seen, verified = cycle["verification"], finding["verification"]
    number = f"{finding['number']} ({finding['grade']}, {finding['clause']})"
    milestones = [
        Milestone(_at(finding["issued_at"]), f"{number} issued", name_of(finding["raised_by"]), 3, BAD),
        Milestone(_at(finding["issued_at"]), f"{action['number']} opened by event", _owner(action), -2.4, BAD),
        Milestone(_at(cycle["analysis"]["at"]), "cause, extent, plan", _planned_by(cycle), 2),
        Milestone(_at(cycle["completions"][-1]["at"]), "done", _done_by(cycle), -1),
        Milestone(_at(seen["at"]), f"{action['number']} effective: closed", name_of(seen["by"]), 2, GOOD),
        Milestone(_at(verified["at"]), f"{finding['number']} verified", name_of(verified["by"]), -1, GOOD),
    ]
    window = cycle["window"]
    return charts.path(milestones, (_at(window["starts_at"]), _at(window["ends_at"])), DUE)


def _owner(action: Object) -> str:
    return f"owner {name_of(action['owner'])}, {action['owner_role']}"


def _planned_by(cycle: Object) -> str:
    return f"{name_of(cycle['plan']['by'])}, approved by {name_of(cycle['plan']['approved_by'])}"


def _done_by(cycle: Object) -> str:
    people = dict.fromkeys(name_of(each["by"]) for each in cycle["completions"])
    return f"{len(cycle['completions'])} tasks: {', '.join(people)}"


# --- resolution time -------------------------------------------------------------------------------------------------


def _target(said: Said, target: ResolutionTarget) -> dict[str, Any]:
    periods = [each for each in said.periods if (each["service"], each["target"]) == (service_desk.SERVICE, target.key)]
    periods.sort(key=lambda each: each["month"])
    hours = int(target.within / timedelta(hours=1))
    within = f"{hours} h" if hours < 100 else f"{hours // 24} days"
    if target.misses_allowed is not None:
        bars = [Bar(_month(each), each["misses"], not each["breach"], str(each["misses"])) for each in periods]
        top = max([bar.figure for bar in bars] + [target.misses_allowed]) * 1.15
        unit = f"misses; {target.misses_allowed} allowed"
        chart = charts.attainment(bars, target.misses_allowed, top, unit)
    else:
        bars = [
            Bar(_month(each), float(each["attainment"]), not each["breach"], f"{float(each['attainment']):.1f} %")
            for each in periods
            if each["attainment"] is not None
        ]
        unit = f"in time; {target.percent} % agreed"
        chart = charts.attainment(bars, float(target.percent or 0), 100, unit)
    return {"title": f"Priority {target.priority} within {within}", "unit": unit, "chart": chart}


def _month(period: Object) -> str:
    return f"{datetime.fromisoformat(period['month'] + '-01'):%b %Y}"


def _opinions(rows: Sequence[Incident]) -> Markup:
    """Incident by incident: in time by the SLA's limit, and by the desk's own flag."""
    return charts.opinions([_opinion(target, rows) for target in service_desk.TARGETS])


def _opinion(target: ResolutionTarget, rows: Iterable[Incident]) -> Opinion:
    pairs = [(in_time(row, target.within), row.made_sla) for row in rows if row.priority == target.priority]
    return Opinion(
        target.key,
        both=pairs.count((True, True)),
        only_ours=pairs.count((True, False)),
        only_theirs=pairs.count((False, True)),
        neither=pairs.count((False, False)),
    )


# --- availability ----------------------------------------------------------------------------------------------------


def _lanes(said: Said) -> Markup | None:
    periods = {each["service"]: each for each in said.periods if each["month"] == public_services.MONTH}
    seen = probes()
    outages = outages_of(seen)
    found = []
    for service in sorted({probe.service for probe in seen}) if periods else ():
        spans = [(each.started_at, each.ended_at or seen[-1].at) for each in outages if each.service == service]
        found.append(_lane(said, service, spans, periods.get(public_services.key_of(service))))
    found.sort(key=lambda lane: -lane.used_minutes / lane.budget_minutes)
    return charts.lanes(found, PROBED_FROM, PROBED_DAYS) if found else None


def _lane(said: Said, service: str, spans: Sequence[tuple[datetime, datetime]], period: Object | None) -> Lane:
    if period is None:
        # Nobody reported an outage, so the SLA service has nothing to say about that month.
        allowed = float(100 - public_services.percent_of(service)) / 100 * 31 * 24 * 60
        return Lane(service, spans, 0, allowed, "100", "ok", "no outage")
    numbers = ", ".join(action["number"] for action in said.actions_of(period["id"]))
    return Lane(
        service,
        spans,
        used_minutes=float(period["used_minutes"]),
        budget_minutes=float(period["budget_minutes"]),
        attainment=period["attainment"],
        state=period["status"],
        action=numbers or period["status"],
    )


# --- corrective actions ----------------------------------------------------------------------------------------------


def _actions(said: Said) -> dict[str, Markup]:
    bars = [_action_bar(each) for each in sorted(said.actions, key=lambda each: str(each["number"]))]
    return {"by_state": charts.by_state(bars, STATES), "by_age": charts.by_age(bars)} if bars else {}


def _action_bar(action: Object) -> ActionBar:
    sources = ", ".join(f"{each['kind']} {each['label']}" for each in action["sources"])
    opened = _at(action["entries"][0]["at"]).date()
    return ActionBar(
        number=action["number"],
        what=f"{action['number']}: {sources}, {action['priority']}, due {action['due']}",
        state=action["status"],
        age=action["age_days"],
        due_on_day=(datetime.fromisoformat(action["due"]).date() - opened).days,
        late=_late(action),
    )


def _late(action: Object) -> str:
    """The due date is the date by which the work is done; measuring its effect comes after."""
    if action["overdue"]:
        return "overdue"
    done = [_at(each["at"]).date().isoformat() for each in action["cycles"][-1]["completions"]]
    is_done = action["status"] in ("implemented", "closed")
    return "done late" if is_done and done and max(done) > action["due"] else ""


def _breaches(said: Said) -> list[dict[str, Any]]:
    rows = []
    for period in sorted(said.breaches, key=lambda each: str(each["breach"]["at"])):
        actions = said.actions_of(period["id"])
        rows.append(
            {
                "service": period["service"],
                "target": period["target"],
                "month": period["month"],
                "at": f"{_at(period['breach']['at']):%Y-%m-%d %H:%M}",
                "agreed": agreed(period["breach"]["budget"]),
                "used_when_confirmed": figure(period["breach"]["used"]),
                "used_at_the_end": _used_at_the_end(period),
                "attainment": _attainment(period),
                "actions": [(each["number"], each["status"]) for each in actions],
            }
        )
    return rows


def _used_at_the_end(period: Object) -> str:
    if period["metric"] == "availability":
        return figure(f"{period['used_minutes']} min")
    if period["terms"].get("percent") is None:
        return count(period["misses"], "miss")
    return figure(f"{period['attainment']} % of {period['in_time'] + period['misses']}")


def _attainment(period: Object) -> str:
    """Of a month's minutes every thousandth counts; of a few incidents one place is enough."""
    places = 3 if period["metric"] == "availability" else 1
    return f"{float(period['attainment']):.{places}f} %"
