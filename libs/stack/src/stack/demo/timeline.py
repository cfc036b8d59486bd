"""The live timeline: who did what, which event crossed the bus, which action was opened; kept for the report."""

import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from rich.console import Console
from rich.live import Live
from rich.markup import escape
from rich.text import Text

from stack.demo.cast import Person
from stack.demo.listener import Heard
from stack.demo.wording import agreed, count, figure

Kind = Literal["chapter", "deed", "refusal", "event", "action", "note"]
STYLES: dict[Kind, tuple[str, str]] = {
    "chapter": ("■", "bold"),
    "deed": ("•", ""),
    "refusal": ("✗", "yellow"),
    "event": ("~", "cyan"),
    "action": ("★", "bold green"),
    "note": (" ", "dim"),
}
MEANINGS: dict[Kind, str] = {
    "deed": "a person acts",
    "refusal": "a rule refuses",
    "event": "a service tells the others",
    "action": "a corrective action is opened, re-opened or closed",
}


@dataclass(frozen=True)
class Entry:
    """One line of the timeline."""

    day: str
    kind: Kind
    who: str
    what: str


class Timeline:
    """Prints while the story is played: in colour with a line of figures below in a terminal, else plain lines."""

    def __init__(self, console: Console) -> None:
        self.entries: list[Entry] = []
        self.day = ""
        self._console = console
        self._lock = threading.Lock()
        self._quiet: Counter[tuple[str, str]] = Counter()
        self._totals: Counter[str] = Counter()
        self._live = Live(console=console, refresh_per_second=8, transient=True, get_renderable=self._footer)

    def __enter__(self) -> "Timeline":
        self._explain()
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.pause()
        self._live.stop()

    def _explain(self) -> None:
        """What the marks mean, in one line."""
        legend = Text("Marks:")
        for kind, meaning in MEANINGS.items():
            mark, style = STYLES[kind]
            legend.append("  ").append(mark, style=style).append(f" {meaning}")
        self._console.print(legend, soft_wrap=True)

    def chapter(self, title: str, begins: datetime) -> None:
        """A part of the story begins, on a day of its own."""
        self.now(begins)
        self._console.print()
        self._add("chapter", "", title)

    def did(self, person: Person, what: str) -> None:
        self.pause()
        self._add("deed", person.name, what)

    def refused(self, person: Person, what: str, why: str) -> None:
        self.pause()
        self._add("refusal", person.name, f"{what}: refused, {why}")

    def note(self, what: str) -> None:
        self._add("note", "", what)

    def now(self, at: datetime) -> None:
        """Business time went on."""
        self.pause()
        self.day = at.date().isoformat()

    def hear(self, news: Heard) -> None:
        """An event crossed the bus: told at once where it is part of the story, else counted."""
        self._totals["events"] += 1
        self._totals[news.name] += 1
        if tell := TOLD.get(news.name):
            kind: Kind = "action" if news.name in TURNS else "event"
            self._add(kind, f"{news.service} tells", tell(news.body))
        else:
            with self._lock:
                self._quiet[news.service, news.name] += 1

    def pause(self) -> None:
        """Tell in one line what else crossed the bus meanwhile."""
        with self._lock:
            counted, self._quiet = self._quiet, Counter()
        for service in dict.fromkeys(service for service, _ in counted):
            parts = (f"{name} ({n})" if n > 1 else name for (each, name), n in counted.items() if each == service)
            self._add("event", f"{service} tells", ", ".join(parts))

    def _add(self, kind: Kind, who: str, what: str) -> None:
        with self._lock:
            entry = Entry(self.day, kind, who, what)
            self.entries.append(entry)
            mark, style = STYLES[kind]
            line = f"{entry.day:10} {mark} {who:17} {what}" if kind != "chapter" else f"{entry.day:10} {mark} {what}"
            self._console.print(escape(line), style=style, soft_wrap=True)

    def _footer(self) -> Text:
        told = self._totals
        figures = (
            f" {self.day} · {count(told['events'], 'event')} · {count(told['breach-confirmed'], 'breach')}"
            f" · {count(told['corrective-action-opened'], 'action')}, {told['corrective-action-closed']} closed "
        )
        return Text(figures, style="reverse", no_wrap=True, overflow="ellipsis")


def _breach(body: dict[str, Any]) -> str:
    return f"breach of {_used(body)}"


def _used(body: dict[str, Any]) -> str:
    """Of which target and month, how much of what was agreed."""
    name = f"{body['service']} {body['target']} {body['month']}"
    return f"{name}: {figure(body['used'])}, agreed: {agreed(body['budget'])}"


def _labels(body: dict[str, Any]) -> str:
    return ", ".join(_label(source) for source in body["sources"])


def _label(source: dict[str, Any]) -> str:
    of = f" of {source['service']}" if source["kind"] == "breach" else ""
    return f"{source['kind']}{of} {source['label']}"


def _escalated(body: dict[str, Any]) -> str:
    if body["overdue_days"] < 1 and body["step"] == "reminder":
        return f"{body['number']} is due on {body['due']}: the {body['to_role']} is reminded"
    return f"{body['number']} was due on {body['due']}: the {body['to_role']} is told"


TOLD: dict[str, Callable[[dict[str, Any]], str]] = {
    "breach-confirmed": _breach,
    "target-at-risk": lambda b: f"at risk: {_used(b)}",
    "finding-issued": lambda b: f"finding {b['number']} ({b['grade']}, {b['clause']}): {b['statement']}",
    "audit-reported": lambda b: f"report of {b['number']}, revision {b['revision']}",
    "risk-above-limit": lambda b: f"risk {b['number']} at level {b['level']}, above the limit of {b['limit']}",
    "risk-accepted": lambda b: f"risk {b['number']} accepted until {b['until']}",
    "acceptance-voided": lambda b: f"acceptance of {b['number']} voided: {b['reason']}",
    "sla-ended": lambda b: f"{b['number']} for {b['service']} ended on {b['ended_on']}",
    "corrective-action-opened": lambda b: f"{b['number']} opened for {_labels(b)}: {b['priority']}, due {b['due']}",
    "source-joined": lambda b: f"{b['number']} joined by {_label(b['source'])}",
    "corrective-action-reopened": lambda b: f"{b['number']} re-opened, cycle {b['cycle']}: {b['reason']}",
    "corrective-action-escalated": _escalated,
    "corrective-action-closed": lambda b: f"{b['number']} closed as effective ({_labels(b)})",
}
"""Events that are part of the story, and how a person would say them."""
TURNS = ("corrective-action-opened", "corrective-action-reopened", "corrective-action-closed")
