"""Pictures of the report: inline SVG drawn by hand, every text escaped."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from markupsafe import Markup

from stack.demo.wording import count

GOOD, BAD, WARN, INK, MUTED, GRID, SOFT = "#0f766e", "#b42318", "#b45309", "#1c2434", "#667085", "#e4e7ec", "#99d5cc"
STATE_COLOURS = {
    "opened": "#b42318",
    "contained": "#d9622b",
    "analysed": "#d99a2b",
    "planned": "#c9b037",
    "implementing": "#7aa6c2",
    "implemented": "#4f86ad",
    "verifying": "#3b6fb0",
    "closed": "#0f766e",
    "cancelled": "#98a2b3",
}
DAY = timedelta(days=1)


def svg(width: float, height: float, label: str, parts: Sequence[Markup]) -> Markup:
    """One picture with its name for those who cannot see it."""
    opening = Markup('<svg viewBox="0 0 {} {}" role="img" aria-label="{}">').format(_n(width), _n(height), label)
    return opening + Markup("").join(parts) + Markup("</svg>")


def text(
    x: float, y: float, words: object, *, size: int = 12, anchor: str = "start", fill: str = INK, bold: bool = False
) -> Markup:
    weight = "600" if bold else "400"
    return Markup('<text x="{}" y="{}" font-size="{}" text-anchor="{}" fill="{}" font-weight="{}">{}</text>').format(
        _n(x), _n(y), size, anchor, fill, weight, words
    )


def rect(x: float, y: float, width: float, height: float, fill: str, tip: str = "", radius: float = 2) -> Markup:
    return Markup('<rect x="{}" y="{}" width="{}" height="{}" rx="{}" fill="{}"><title>{}</title></rect>').format(
        _n(x), _n(y), _n(max(width, 0)), _n(max(height, 0)), _n(radius), fill, tip
    )


def line(x1: float, y1: float, x2: float, y2: float, stroke: str = GRID, width: float = 1, dash: str = "") -> Markup:
    return Markup('<line x1="{}" y1="{}" x2="{}" y2="{}" stroke="{}" stroke-width="{}" stroke-dasharray="{}"/>').format(
        _n(x1), _n(y1), _n(x2), _n(y2), stroke, _n(width), dash
    )


def dot(x: float, y: float, radius: float, fill: str) -> Markup:
    return Markup('<circle cx="{}" cy="{}" r="{}" fill="{}" stroke="#fff" stroke-width="2"/>').format(
        _n(x), _n(y), _n(radius), fill
    )


def _n(number: float) -> str:
    return f"{number:.1f}".rstrip("0").rstrip(".")


# --- attainment ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Bar:
    """A month of a target: the figure, whether it was enough, and what to say about it."""

    label: str
    figure: float
    met: bool
    shown: str


def attainment(bars: Sequence[Bar], wanted: float, top: float, unit: str) -> Markup:
    """Bars per month, and the line that they are measured against."""
    width, height, left, bottom = 300.0, 190.0, 10.0, 24.0
    floor, room = height - bottom, height - bottom - 26
    slot = (width - left) / max(len(bars), 1)
    parts = [line(left, floor, width, floor, GRID)]
    for n, bar in enumerate(bars):
        tall = room * min(bar.figure, top) / top
        x, broad = left + slot * n + slot * 0.22, slot * 0.56
        parts += [
            rect(
                x, floor - max(tall, 2), broad, max(tall, 2), GOOD if bar.met else BAD, f"{bar.label}: {bar.shown}", 3
            ),
            text(x + broad / 2, floor - max(tall, 2) - 6, bar.shown, anchor="middle", bold=True, size=13),
            text(x + broad / 2, height - 7, bar.label, anchor="middle", fill=MUTED),
        ]
    y = floor - room * wanted / top
    parts.append(line(left, y, width, y, INK, 1.4, "5 4"))
    return svg(width, height, f"By month: {unit}", parts)


# --- availability ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Lane:
    """A public service: its outages as seen by the probes, and what its SLA came to by the service's own figures."""

    name: str
    spans: Sequence[tuple[datetime, datetime]]
    used_minutes: float
    budget_minutes: float
    attainment: str
    state: str
    action: str


def lanes(found: Sequence[Lane], start: datetime, days: int) -> Markup:
    """One lane per service: outages over the days on the left, the budget used on the right."""
    row, top, name_width, strip, gap, bar = 26.0, 34.0, 190.0, 430.0, 24.0, 190.0
    right = name_width + strip + gap
    height = top + row * len(found) + 8
    parts: list[Markup] = []
    for n in range(days + 1):
        x = name_width + strip * n / days
        parts.append(line(x, top - 6, x, height - 8))
        if n < days:
            day = (start + n * DAY).strftime("%d")
            parts.append(text(x + strip / days / 2, top - 14, day, size=11, anchor="middle", fill=MUTED))
    budget_at = right + bar / 2
    for n, lane in enumerate(found):
        parts += _lane(lane, top + row * n, row, start, days, name_width, strip, right, bar)
    parts += [line(budget_at, top - 6, budget_at, height - 8, INK, 1.4, "5 4")]
    parts += [text(budget_at, top - 14, "budget", size=11, anchor="middle")]
    return svg(right + bar + 150, height, "Outages and used budget of each public service", parts)


def _lane(
    lane: Lane, y: float, row: float, start: datetime, days: int, left: float, strip: float, right: float, bar: float
) -> list[Markup]:
    colour = {"breached": BAD, "at-risk": WARN}.get(lane.state, GOOD)
    whole = (days * DAY).total_seconds()
    parts = [text(0, y + 15, lane.name, size=13), rect(left, y + 5, strip, row - 12, "#eef6f4")]
    for begin, end in lane.spans:
        x = left + strip * (begin - start).total_seconds() / whole
        broad = max(strip * (end - begin).total_seconds() / whole, 2.4)
        tip = f"{lane.name}: {begin:%d %b %H:%M} to {end:%H:%M} UTC"
        parts.append(rect(x, y + 2, broad, row - 6, BAD, tip, 1))
    used = lane.used_minutes / lane.budget_minutes
    shown = f"{lane.used_minutes:.0f} of {lane.budget_minutes:.0f} min"
    parts += [
        rect(right, y + 5, bar, row - 12, "#f2f4f7"),
        rect(right, y + 5, bar * min(used / 2, 1), row - 12, colour, shown),
        text(right + bar + 8, y + 15, f"{lane.attainment} %", size=13, bold=True, fill=colour),
        text(right + bar + 82, y + 15, lane.action, size=12, fill=MUTED),
    ]
    if used > 2:
        parts.append(text(right + bar - 5, y + 15, f"{used:.1f} x", size=11, anchor="end", fill="#fff", bold=True))
    return parts


# --- corrective actions ----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class ActionBar:
    """A corrective action: how old it is or was at its end, and on which day of its life it was due."""

    number: str
    what: str
    state: str
    age: int
    due_on_day: int
    late: str = ""
    """What to say where it was not in time."""


def by_state(actions: Sequence[ActionBar], states: Sequence[str]) -> Markup:
    """A stack of actions for each state; each is named."""
    width, slot, block, head = 620.0, 620.0 / len(states), 28.0, 8.0
    tallest = max((sum(1 for each in actions if each.state == state) for state in states), default=1)
    floor = head + max(tallest, 3) * (block + 3)
    parts = [line(0, floor, width, floor, GRID)]
    for n, state in enumerate(states):
        here = [each for each in actions if each.state == state]
        for m, action in enumerate(here):
            x, y = slot * n + 5, floor - (m + 1) * (block + 3) + 1
            parts += [
                rect(x, y, slot - 10, block, STATE_COLOURS[state], action.what, 4),
                text(x + (slot - 10) / 2, y + 18, action.number, size=12, anchor="middle", fill="#fff", bold=True),
            ]
        fill = INK if here else MUTED
        parts.append(text(slot * n + slot / 2, floor + 17, state, size=12, anchor="middle", fill=fill))
    return svg(width, floor + 26, "Corrective actions by state", parts)


def by_age(actions: Sequence[ActionBar]) -> Markup:
    """One bar per action: as long as it is old, with a tick on the day on which it was due."""
    width, left, row, top = 620.0, 70.0, 24.0, 10.0
    longest = max([*(each.age for each in actions), *(each.due_on_day for each in actions), 30])
    scale = (width - left - 120) / longest
    height = top + row * len(actions) + 24
    parts: list[Markup] = []
    for days in range(0, longest + 1, 30):
        x = left + days * scale
        parts += [line(x, top - 4, x, height - 20), text(x, height - 6, days, size=11, anchor="middle", fill=MUTED)]
    for n, action in enumerate(actions):
        y = top + row * n
        due = left + action.due_on_day * scale
        after = left + max(action.age * scale, due - left) + 8
        shown = f"{count(action.age, 'day')}{f', {action.late}' if action.late else ''}"
        parts += [
            text(0, y + 14, action.number, size=12, bold=True),
            rect(left, y + 3, max(action.age * scale, 2), row - 9, STATE_COLOURS[action.state], action.what, 3),
            line(due, y, due, y + row - 3, INK, 2),
            text(after, y + 14, shown, size=11, fill=BAD if action.late else MUTED),
        ]
    parts.append(text(width, height - 6, "days", size=11, anchor="end", fill=MUTED))
    return svg(width, height, "Age of corrective actions in days", parts)


# --- the desk's own verdict ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Opinion:
    """Incidents of one target: in time by our count, and by the desk's own flag."""

    name: str
    both: int
    only_ours: int
    only_theirs: int
    neither: int

    @property
    def total(self) -> int:
        return self.both + self.only_ours + self.only_theirs + self.neither


def opinions(found: Sequence[Opinion]) -> Markup:
    """For each target, the shares on which two verdicts agree and differ."""
    width, left, row, top = 960.0, 130.0, 40.0, 6.0
    room = width - left - 90
    parts: list[Markup] = []
    for n, each in enumerate(found):
        y, x = top + n * row, left
        parts.append(text(0, y + 19, each.name, size=13))
        shares = (
            (each.both, GOOD, "#fff", "in time by both"),
            (each.only_ours, SOFT, INK, "in time only by the SLA"),
            (each.only_theirs, "#f0b8a8", INK, "in time only by made_sla"),
            (each.neither, BAD, "#fff", "late by both"),
        )
        for number, fill, ink, what in shares:
            broad = room * number / each.total
            parts.append(rect(x, y + 3, max(broad - 1, 0), 24, fill, f"{each.name}: {number} {what}", 2))
            if broad > 26:
                parts.append(text(x + broad / 2, y + 19, number, size=12, anchor="middle", fill=ink, bold=True))
            x += broad
        parts.append(text(width, y + 19, f"{each.total} incidents", size=12, anchor="end", fill=MUTED))
    return svg(width, top + row * len(found), "Our verdict and the desk's own, by target", parts)


# --- the golden path -------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Milestone:
    """Something that happened on the way, above or below the line."""

    at: datetime
    title: str
    who: str
    level: float
    colour: str = INK


def path(milestones: Sequence[Milestone], window: tuple[datetime, datetime], due: date) -> Markup:
    """From the finding to the verified effect, true to scale."""
    width, height, axis, left = 1040.0, 232.0, 128.0, 20.0
    first, last = milestones[0].at - 4 * DAY, datetime(due.year, due.month, due.day, tzinfo=window[0].tzinfo) + 6 * DAY
    scale = (width - 2 * left) / (last - first).total_seconds()

    def x_of(at: datetime) -> float:
        return left + (at - first).total_seconds() * scale

    begins, ends = x_of(window[0]), x_of(window[1])
    due_x = x_of(datetime(due.year, due.month, due.day, tzinfo=window[0].tzinfo))
    days = round((window[1] - window[0]) / DAY)
    told = f"{days} days in which the effect is measured, by what the SLA service announces"
    parts = [
        line(left, axis, width - left, axis, INK, 2),
        rect(begins, axis - 14, ends - begins, 28, "#d7efe9", told, 14),
        text((begins + ends) / 2, axis + 5, told, size=13, anchor="middle", fill=GOOD, bold=True),
        line(due_x, axis - 20, due_x, axis + 20, WARN, 2, "4 3"),
        text(due_x, axis - 27, f"due {due:%d %b}", size=11, anchor="middle", fill=WARN, bold=True),
    ]
    for each in milestones:
        parts += _milestone(each, x_of(each.at), axis)
    return svg(width, height, "The golden path from finding to verified effect", parts)


def _milestone(each: Milestone, x: float, axis: float) -> list[Markup]:
    y = axis - each.level * 34
    near, anchor = (x + 8, "start") if x < 880 else (x + 4, "end")
    return [
        line(x, axis, x, y - 10 if each.level > 0 else y + 10, each.colour, 1.4),
        dot(x, axis, 6, each.colour),
        text(near, y, f"{each.at:%d %b}  {each.title}", size=13, anchor=anchor, fill=each.colour, bold=True),
        text(near, y + 15, each.who, size=12, anchor=anchor, fill=MUTED),
    ]
