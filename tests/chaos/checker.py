"""Checks every promise from outside, over HTTP, at the bus and by read-only SQL; while the arena is at rest."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from answers import check_answers
from books import check_books
from broadcast import Mark, check_broadcast, listen, told_again
from elsewhere import check_elsewhere
from reactions import check_reactions
from rows import Rows, read
from verdict import Verdict
from views import check_views

from events.store.postgres import stored_event
from stack.cluster import SERVICE_PORTS

if TYPE_CHECKING:
    from arena import Arena

LONG = 60.0


@dataclass
class Marks:
    """Up to where everything was checked."""

    asked: int = 0
    positions: dict[str, int] = field(default_factory=lambda: dict.fromkeys(SERVICE_PORTS, 0))
    bus: dict[str, Mark] = field(default_factory=lambda: dict.fromkeys(SERVICE_PORTS, Mark()))


class Checker:
    """Looks at what came since it last looked; or at everything, which finds what was altered later."""

    def __init__(self, arena: "Arena") -> None:
        """Nothing was checked yet."""
        self._arena = arena
        self._marks = Marks()

    def check(self, *, everything: bool = False) -> Verdict:
        """The load is paused, and all has come to rest."""
        arena, verdict = self._arena, Verdict()
        marks = Marks() if everything else self._marks
        asked = arena.load.ledger.since(marks.asked)
        rows = {name: self._rows(name, marks.positions[name]) for name in SERVICE_PORTS}
        if arena.release:
            verdict.add(self._elsewhere(marks))
        else:
            for each in rows.values():
                check_books(each, verdict)
            check_reactions(rows, verdict, arena.forgiven.streams)
        bus = {name: self._broadcast(rows[name], marks.bus[name], verdict) for name in SERVICE_PORTS}
        check_views(arena.sql, verdict, arena.forgiven.streams)
        check_answers(arena, asked, rows, verdict)
        verdict.wrong += arena.load.take_complaints()
        positions = {name: each.position for name, each in rows.items()}
        self._marks = Marks(marks.asked + len(asked), positions, bus)
        return verdict

    def _elsewhere(self, marks: Marks) -> Verdict:
        urls = {name: self._arena.database_url(name) for name in SERVICE_PORTS}
        return check_elsewhere(self._arena.release, urls, marks.positions, self._arena.forgiven.streams)

    def _rows(self, service: str, after: int) -> Rows:
        return self._arena.run(read(service, self._arena.database_url(service), after), LONG)

    def _broadcast(self, rows: Rows, mark: Mark, verdict: Verdict) -> Mark:
        found = self._arena.bus(lambda js: listen(js, rows.service, mark))
        if found.again and rows.after:
            rows = self._rows(rows.service, 0)
        query = "SELECT * FROM events WHERE position = ANY($1)"
        older = map(stored_event, self._arena.sql(rows.service, query, told_again(rows, found)))
        check_broadcast(rows, older, found, verdict, self._arena.forgiven.streams)
        return found.mark
