"""2016: a service desk, its SLA, and 600 real incidents that are reported as they become known."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal

from stack.client import Object
from stack.demo import recount
from stack.demo.agreements import agree, instant, list_service, report, resolution_target
from stack.demo.cast import RUIZ
from stack.demo.real_input import DESK_ZONE, Incident
from stack.demo.recount import ResolutionTarget, Verdict
from stack.demo.remedies import Case, Docket, Remedy, Task
from stack.demo.stage import Missing, Stage
from stack.demo.wording import count

SERVICE, CUSTOMER, SOURCE = "SVC-DESK", "in-house", "servicenow"
HOUR = timedelta(hours=1)
TARGETS = (
    ResolutionTarget("p1-in-8h", "1", 8 * HOUR, percent=Decimal(90)),
    ResolutionTarget("p2-in-24h", "2", 24 * HOUR, misses_allowed=5),
    ResolutionTarget("p3-in-88h", "3", 88 * HOUR, percent=Decimal(60)),
    ResolutionTarget("p4-in-30d", "4", 720 * HOUR, percent=Decimal(75)),
)
CLOCK_START = datetime(2016, 2, 28, 12, tzinfo=DESK_ZONE)
LAST_DAY = date(2016, 12, 31)


def _day(month: int, day: int, year: int = 2016) -> datetime:
    return datetime(year, month, day, tzinfo=DESK_ZONE)


def _evening(month: int, day: int) -> datetime:
    """The last minute in which something can be reported before a month is decided."""
    return datetime(2016, month, day, 23, 59, tzinfo=DESK_ZONE)


MARCH = (_day(3, 2), _day(3, 3), _day(3, 5), _day(3, 12), _day(3, 19), _day(3, 26))
LATER = tuple(_day(month, 1) for month in range(6, 13))
STOPS = (_evening(2, 29), _day(3, 1), *MARCH, _evening(3, 31), _day(4, 1), _evening(4, 30), _day(5, 1), *LATER)
SHORT = (_evening(2, 29), _day(3, 3), _day(3, 12), _evening(3, 31), _evening(4, 30), _day(5, 1), _day(7, 1))
AFTER_THE_END = _day(1, 1, 2017)


def _cases() -> list[Case]:
    return [
        Case(
            breach="p1-in-8h 2016-02",
            begins=_day(3, 5),
            done=_day(3, 26),
            remedy=Remedy(
                correction="A duty manager follows every critical incident by the hour.",
                whys=(
                    "Critical incidents lay untouched.",
                    "Groups pass them on.",
                    "Nobody is named to keep them.",
                ),
                extent="Priority 2 is passed on in the same way.",
                tasks=(Task("Name one group that keeps a critical incident", "The routing rule is in force"),),
                criterion="No critical incident comes late for 30 days.",
                window_days=30,
                due=date(2016, 3, 30),
            ),
        ),
        Case(
            breach="p2-in-24h 2016-03",
            begins=_day(3, 12),
            done=_day(4, 1),
            remedy=Remedy(
                correction="The oldest priority 2 incidents are worked first.",
                whys=("The queue was older than a day.", "It is sorted by number.", "The board hides the time left."),
                extent="All queues use the same board.",
                tasks=(Task("Show the time left on the board", "Every queue is sorted by the time left"),),
                criterion="At most 5 misses in 30 days.",
                window_days=30,
                due=date(2016, 4, 1),
            ),
        ),
        Case(
            breach="p1-in-8h 2016-03",
            begins=_day(4, 1),
            done=_day(5, 1),
            remedy=Remedy(
                correction="The duty manager's watch goes on.",
                whys=("March began with a backlog.", "It was not handed over.", "No rule covers the turn of a month."),
                extent="No other contract is judged by the month.",
                tasks=(Task("Hand over open incidents by name", "The list of April was signed by both shifts"),),
                criterion="No critical incident comes late for 30 days.",
                window_days=30,
                due=date(2016, 4, 30),
            ),
        ),
        Case(
            breach="p4-in-30d 2016-04",
            begins=_day(5, 1),
            done=_day(7, 1),
            remedy=Remedy(
                correction="The oldest requests were called back.",
                whys=("Low priority waited for months.", "Nobody looks.", "The weekly review leaves priority 4 out."),
                extent="Service requests are reviewed weekly already.",
                tasks=(Task("Put priority 4 on the weekly review", "Minutes of four reviews show priority 4"),),
                criterion="75 % of priority 4 are resolved within 30 days, seen over 60 days.",
                window_days=60,
                due=date(2016, 5, 31),
            ),
        ),
    ]


class Desk:
    """The service desk, which remembers what it has reported."""

    def __init__(self, stage: Stage, rows: Sequence[Incident]) -> None:
        """Nothing is agreed yet."""
        self.rows = rows
        self.stage = stage
        self._open: set[str] = set()
        self._over: set[str] = set()
        self._sla: Object = {}

    def agree(self) -> None:
        """The service is listed, the SLA of 2016 is signed."""
        stage = self.stage
        list_service(stage, SERVICE, "Service desk")
        targets = [resolution_target(each) for each in TARGETS]
        self._sla = agree(stage, SERVICE, CUSTOMER, targets, DESK_ZONE.key, stage.now.date(), SOURCE)
        keys = ", ".join(each.key for each in TARGETS)
        stage.timeline.did(RUIZ, f"signs {self._sla['number']} with the customer: {keys}")

    def report(self) -> None:
        """Report what became known since the last time: what is open, and what became of what was."""
        now, samples = self.stage.now, []
        for row in self.rows:
            if row.opened_at > now or row.number in self._over:
                continue
            resolved = row.resolved_at if row.resolved_at and row.resolved_at <= now else None
            if resolved is None and row.number in self._open:
                continue
            samples.append(self._sample(row, resolved))
        if samples:
            news = count(report(self.stage, SERVICE, SOURCE, samples), "incident")
            self.stage.timeline.note(f"the service desk reports what is new about {news}")
            self.stage.settle()

    def _sample(self, row: Incident, resolved: datetime | None) -> Object:
        sample: Object = {
            "id": row.number,
            "opened_at": instant(row.opened_at),
            "resolved_at": instant(resolved),
            "priority": row.priority,
        }
        if resolved is None:
            self._open.add(row.number)
            return sample
        self._over.add(row.number)
        # What was reported open is corrected by a new fact, never edited.
        return {**sample, "id": f"{row.number}-R", "corrects": row.number} if row.number in self._open else sample

    def expected(self) -> list[Verdict]:
        """What a plain recount of the rows says by now."""
        until = min(self.stage.now, AFTER_THE_END)
        return [
            verdict
            for target in TARGETS
            for verdict in recount.resolution(SERVICE, target, self.rows, DESK_ZONE, until)
        ]

    def check(self) -> None:
        """Breaches must be found by now, not one month later."""
        expected = {each.name: each for each in self.expected() if each.breached_at}
        said = {f"{SERVICE} {each['target']} {each['month']}" for each in self._breached()}
        wrong = [f"breach {name} was not confirmed by {self.stage.now.date()}" for name in expected if name not in said]
        wrong += [f"breach {name} was confirmed, the rows say there is none" for name in said if name not in expected]
        if wrong:
            raise Missing(wrong)

    def action(self, breach: str) -> Object:
        """The corrective action of the breach of a target and month."""
        target, month = breach.split()
        found = next((each for each in self._breached() if (each["target"], each["month"]) == (target, month)), None)
        if found is None:
            raise Missing([f"breach {SERVICE} {breach} was not confirmed"])
        return self.stage.action_for(found["id"], f"breach {SERVICE} {breach}")

    def terminate(self) -> None:
        """The SLA of 2016 ends before the story moves on."""
        ending = {"ends_on": LAST_DAY.isoformat(), "reason": "The desk was outsourced"}
        path = f"slas/{self._sla['id']}"
        self.stage.act(RUIZ, "sla", path, "termination", ending, f"terminates {{number}} with {LAST_DAY}")

    def retire(self) -> None:
        """Nobody delivers the service any more."""
        service = next(self.stage.all("sla", "services", key=SERVICE))
        retirement = {"reason": "The desk was outsourced"}
        self.stage.act(RUIZ, "sla", f"services/{service['id']}", "retirement", retirement, f"retires {SERVICE}")

    def _breached(self) -> list[Object]:
        return [each for each in self.stage.all("sla", "periods", service=SERVICE) if each["breach"]]


def play(stage: Stage, rows: Sequence[Incident], *, short: bool) -> Desk:
    """From the signature to the end of the agreement."""
    desk = Desk(stage, rows)
    docket = Docket(stage, desk.action, _cases())
    title = f"2016: a service desk agrees what it owes, and {len(rows)} incidents put it to the test"
    stage.timeline.chapter(title, stage.now)
    desk.agree()
    for moment in SHORT if short else STOPS:
        _report_at(desk, moment)
        docket.work()
    desk.terminate()
    _report_at(desk, AFTER_THE_END)
    docket.work()
    desk.retire()
    stage.settle()
    return desk


def _report_at(desk: Desk, moment: datetime) -> None:
    desk.stage.go_to(moment)
    desk.report()
    desk.check()
