"""August 2026: public services under availability SLAs, probed for eleven days; an accepted risk does not survive."""

from collections.abc import Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from stack.client import Object
from stack.demo import recount, single_host
from stack.demo.agreements import agree, availability_target, instant, list_service, report
from stack.demo.cast import RUIZ
from stack.demo.real_input import Outage, Probe, outages_of
from stack.demo.recount import Verdict
from stack.demo.remedies import Case, Docket, Remedy, Stop, Task
from stack.demo.stage import Missing, Stage
from stack.demo.wording import count

MONTH, TARGET, CUSTOMER, ZONE = "2026-08", "availability", "public", ZoneInfo("UTC")
STRICT, LENIENT = Decimal("99.9"), Decimal("99.7")
CODE_HOST = "GitHub"
OVERLAPPING = "Community Forum"


def key_of(service: str) -> str:
    """Manual (dev) -> WEB-MANUAL-DEV"""
    return "WEB-" + "-".join(service.upper().replace("(", "").replace(")", "").split())


def percent_of(service: str) -> Decimal:
    """Demos, playgrounds and previews may be down a little longer."""
    relaxed = ("Demo", "Playground", "Catalog", "(dev)")
    return LENIENT if any(word in service for word in relaxed) else STRICT


def at(day: int, hour: int = 0, minute: int = 0, month: int = 8) -> datetime:
    """A moment of 2026 in UTC."""
    return datetime(2026, month, day, hour, minute, tzinfo=UTC)


AGREED = at(1, 9)
REPORTS = (
    at(13, 11, 30),
    at(13, 12),
    at(14, 12),
    at(15, 18),
    at(15, 19),
    at(16),
    at(18, 10, 30),
    at(18, 11),
    at(19),
    at(20, 9),
    at(20, 9, 26),
    at(22),
)
"""Some moments lie in the middle of an outage: it is reported while it lasts, and at once when it ends."""
SHORT = (at(13, 11, 30), at(13, 12), at(22))
MONTH_END = at(1, 0, 0, month=9)
EPILOGUE = (at(25, 9, month=9), at(1, 9, month=10))


class Monitor:
    """The probes, reported as outages while they are seen."""

    def __init__(self, stage: Stage, probes: Sequence[Probe]) -> None:
        """Nothing is agreed yet."""
        self.stage = stage
        self.probes = probes
        self.services = sorted({probe.service for probe in probes})
        self._open: set[tuple[str, datetime]] = set()
        self._over: set[tuple[str, datetime]] = set()
        self._last: dict[str, list[Object]] = {}

    def agree(self) -> None:
        """Every public service is listed and gets its SLA at once: the onboarding checklist has a gate now."""
        for service in self.services:
            list_service(self.stage, key_of(service), service)
            target = availability_target(TARGET, percent_of(service))
            agree(self.stage, key_of(service), CUSTOMER, [target], ZONE.key, AGREED.date(), "upptime")
        listed = count(len(self.services), "public service")
        self.stage.timeline.did(RUIZ, f"lists {listed}, each with an SLA of {STRICT} or {LENIENT} %")
        self.stage.settle()

    def report(self) -> None:
        """Report outages that began or ended since the last time."""
        self._last = {}
        for outage in outages_of([probe for probe in self.probes if probe.at <= self.stage.now]):
            name = (outage.service, outage.started_at)
            if name in self._over or (outage.ended_at is None and name in self._open):
                continue
            self._last.setdefault(outage.service, []).append(self._sample(outage))
        for service, samples in self._last.items():
            report(self.stage, key_of(service), "upptime", samples)
        self.stage.timeline.note(f"upptime reports {_news([each for new in self._last.values() for each in new])}")
        self.stage.settle()

    def report_again(self) -> None:
        """The same samples a second time, and the help desk's view of an outage that is known: nothing must change."""
        for service, samples in self._last.items():
            report(self.stage, key_of(service), "upptime", samples)
        overlap = {"id": "HD-4711", "started_at": instant(at(13, 11, 10)), "ended_at": instant(at(13, 11, 50))}
        report(self.stage, key_of(OVERLAPPING), "help-desk", [overlap])
        self.stage.timeline.note(f"the same samples once more, and HD-4711 within a known outage of {OVERLAPPING}")
        self.stage.settle()

    def _sample(self, outage: Outage) -> Object:
        name = (outage.service, outage.started_at)
        began = f"{key_of(outage.service)}-{outage.started_at:%d%H%M%S}"
        sample: Object = {"started_at": instant(outage.started_at), "ended_at": instant(outage.ended_at)}
        if outage.ended_at is None:
            self._open.add(name)
            return {**sample, "id": began}
        self._over.add(name)
        # What was reported open is corrected by a new fact, never edited.
        return {**sample, "id": f"{began}-R", "corrects": began} if name in self._open else {**sample, "id": began}

    def expected(self) -> list[Verdict]:
        """What a plain recount of the probes says by now, for the services with an outage."""
        seen = outages_of([probe for probe in self.probes if probe.at <= self.stage.now])
        return [
            recount.availability(key_of(service), TARGET, percent_of(service), outages, MONTH, ZONE, self.stage.now)
            for service in self.services
            if (outages := [each for each in seen if each.service == service])
        ]

    def check(self) -> None:
        """Breaches are confirmed when the budget is gone, not at the end of the month."""
        expected = {each.service for each in self.expected() if each.breached_at}
        said = {each["service"] for each in self.breached()}
        wrong = [f"breach {key} {TARGET} {MONTH} was not confirmed" for key in sorted(expected - said)]
        wrong += [f"breach {key} {TARGET} {MONTH}: the probes say there is none" for key in sorted(said - expected)]
        if wrong:
            raise Missing(wrong)

    def breached(self) -> list[Object]:
        """The periods of the public services that are breached."""
        periods = self.stage.all("sla", "periods", month=MONTH)
        return [each for each in periods if each["breach"]]

    def action(self, service: str) -> Object:
        """The corrective action of a public service's breach."""
        found = next((each for each in self.breached() if each["service"] == key_of(service)), None)
        named = f"breach {key_of(service)} {TARGET} {MONTH}"
        if found is None:
            raise Missing([f"{named} was not confirmed"])
        return self.stage.action_for(found["id"], named)


def _news(samples: Sequence[Object]) -> str:
    """2 new outages, 1 of them still going on, and the end of 3 outages"""
    begun = [each for each in samples if "corrects" not in each]
    going_on = sum(each["ended_at"] is None for each in begun)
    still = "still going on" if going_on == len(begun) else f"{going_on} of them still going on"
    told = [f"{count(len(begun), 'new outage')}{f', {still}' if going_on else ''}"] if begun else []
    if ended := len(samples) - len(begun):
        told.append(f"the end of {count(ended, 'outage')}")
    return ", and ".join(told) or "nothing new"


def play(stage: Stage, probes: Sequence[Probe], *, short: bool) -> Monitor:
    """From the SLAs to what is still open in October."""
    title = "August 2026: public services are probed, and an accepted risk does not survive it"
    stage.timeline.chapter(title, AGREED)
    stage.go_to(AGREED)
    monitor = Monitor(stage, probes)
    monitor.agree()
    risk = single_host.accept_the_risk(stage, key_of(CODE_HOST))
    docket = Docket(stage, monitor.action, _cases())
    for moment in SHORT if short else REPORTS:
        stage.go_to(moment)
        monitor.report()
        monitor.check()
        docket.work()
    monitor.report_again()
    monitor.check()
    single_host.see_the_risk_return(stage, risk, key_of(CODE_HOST))
    for moment in (MONTH_END, *EPILOGUE):
        stage.go_to(moment)
        docket.work()
    return monitor


def _remedy(correction: str, whys: tuple[str, ...], task: Task, due: date, measured: str | None = None) -> Remedy:
    measure: Object = {"measure": "longest-outage", "subject": key_of(measured), "threshold": "15"} if measured else {}
    return Remedy(
        correction=correction,
        whys=whys,
        extent="The other public services share the cause only where they share the host.",
        tasks=(task,),
        criterion="No outage of more than 15 minutes for 30 days.",
        window_days=30,
        due=due,
        measure=measure,
    )


def _cases() -> list[Case]:
    """How far the people get by October: one proves its effect, the others stand where they stand."""
    due = date(2026, 9, 15)
    return [
        Case(
            breach="Community Forum",
            begins=at(14, 12),
            done=at(22),
            remedy=_remedy(
                "The forum was restarted.",
                ("The forum was down.", "Its disk was full.", "Logs are never rotated."),
                Task("Rotate the logs", "Logs of 14 days take 2 GB"),
                due,
                measured="Community Forum",
            ),
        ),
        Case(
            breach="Manual (dev)",
            begins=at(19),
            done=at(25, 9, month=9),
            remedy=_remedy(
                "The preview was built anew.",
                ("The preview was down.", "Each build takes it down.", "It is built in place."),
                Task("Build beside, then switch", "Ten builds without an interruption"),
                due,
            ),
        ),
        Case(
            breach="GitHub",
            begins=at(16),
            remedy=_remedy(
                "Sources were served from a laptop.",
                ("Nobody could fetch sources.", "The host was down.", "There is no mirror."),
                Task("Mirror all code with a second host", "The mirror is two minutes behind"),
                due,
            ),
        ),
        Case(
            breach="Manual",
            begins=at(19),
            stop=Stop.PLANNED,
            remedy=_remedy(
                "The manual was served from yesterday's copy.",
                ("The manual was down.", "Its machine ran out of memory.", "Search and pages share one machine."),
                Task("Move search to its own machine", "Memory stays below 70 %"),
                due,
            ),
        ),
        Case(
            breach="Catalog Demo",
            begins=MONTH_END,
            stop=Stop.CONTAINED,
            remedy=_remedy(
                "The demo was restarted.",
                ("The demo was down.",),
                Task("Find out why", "The cause is known"),
                due,
            ),
        ),
    ]
