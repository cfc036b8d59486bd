"""The load: four people at work, each mostly at one service, who repeat a request until they know what became of it."""

import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from threading import Condition, Event, Lock, Thread
from traceback import format_exc
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import httpx
from desk import GIVES_UP_AFTER, PATIENCE, Desk, Stopped, Unexpected
from kinds import Missed
from ledger import BROKEN, Asked, Ledger, Reply
from work import WORKERS, prepare

if TYPE_CHECKING:
    from arena import Arena

BREATH = 0.2
"""Seconds between two requests of one person."""

PERSONS = {
    "p-okafor": ("audit-programme-manager",),
    "p-weiss": ("auditor",),
    "p-ruiz": ("service-level-manager",),
    "p-keller": ("process-owner",),
    "p-lindqvist": ("cio",),
    "p-vogt": ("risk-manager",),
    "p-monitor": ("monitor",),
    "p-operator": ("operator", "reader"),
}


@runtime_checkable
class Forgetful(Protocol):
    """A worker who builds upon something that a service may have lost."""

    def forget(self) -> None:
        """Begin with something new."""


class Load:
    """Its threads run until told to stop; what they asked and heard is in `ledger`."""

    def __init__(self, arena: "Arena") -> None:
        """Nothing is asked yet."""
        self._arena = arena
        self.ledger = Ledger()
        self.complaints: list[str] = []
        """What should not have been answered, whatever breaks."""
        self._headers = {person: self._header(person, roles) for person, roles in PERSONS.items()}
        self.operator = self._headers["p-operator"]
        self._flying: Counter[str] = Counter()
        self._open: Counter[str] = Counter()
        self._counting = Lock()
        self._turn = Condition()
        self._paused = False
        self._parked = 0
        self._stopping = Event()
        self._threads: list[Thread] = []
        self._doors: Counter[str] = Counter()
        self._breath = BREATH
        self._clock = timedelta(0)

    # --- its course ---------------------------------------------------------------------------------------------------

    def prepare(self) -> None:
        """What the work needs: people with duties, and a policy by which sources of one service meet."""
        desk = Desk(self, self._stopping)
        self._clock = datetime.fromisoformat(desk.get("p-operator", "sla", "clock")["now"]) - datetime.now(UTC)
        prepare(desk)
        self._arena.until_quiet("when furnished", 30)

    def start(self) -> None:
        """Begin to work."""
        for name, worker in WORKERS.items():
            step = worker(Desk(self, self._stopping))
            thread = Thread(target=self._keep_working, args=(step,), name=name, daemon=True)
            self._threads.append(thread)
            thread.start()

    def stop(self) -> None:
        """End after the requests under way."""
        self._stopping.set()
        self.resume()
        for thread in self._threads:
            thread.join(PATIENCE + 2)

    def pause(self) -> None:
        """Returns when every request under way has its definite answer, and nobody asks anything new."""
        with self._turn:
            self._paused = True
            if not self._turn.wait_for(lambda: self._parked == self._alive(), GIVES_UP_AFTER + 10):
                raise TimeoutError("the load did not come to rest")

    def resume(self) -> None:
        """Go on."""
        with self._turn:
            self._paused = False
            self._turn.notify_all()

    @contextmanager
    def in_haste(self) -> Iterator[None]:
        """Nobody takes a breath between two requests."""
        self._breath = 0.0
        try:
            yield
        finally:
            self._breath = BREATH

    def take_complaints(self) -> list[str]:
        """Those since the last time; to be asked for while it is paused."""
        taken, self.complaints = self.complaints, []
        return taken

    # --- what is under way --------------------------------------------------------------------------------------------

    def in_flight(self, service: str | None = None) -> int:
        """Commands under way now, at one service or at all."""
        with self._counting:
            return self._flying[service] if service else self._flying.total()

    def unanswered(self, service: str | None = None) -> int:
        """Requests that still have no definite answer, on the wire or between two attempts."""
        with self._counting:
            return self._open[service] if service else self._open.total()

    def until_busy(self, service: str | None = None, seconds: float = 5.0) -> None:
        """Returns at a moment at which a command is under way. Raises Missed."""
        give_up_at = time.monotonic() + seconds
        while not self.in_flight(service):
            if time.monotonic() > give_up_at:
                raise Missed(f"nothing under way at {service or 'any service'}")
            time.sleep(0.001)

    def business_time(self) -> datetime:
        """What the services take for now, to a fraction of a second."""
        return datetime.now(UTC) + self._clock

    # --- asking -------------------------------------------------------------------------------------------------------

    def send(self, http: httpx.Client, asked: Asked) -> Reply:
        """Once; whatever comes of it is written down."""
        reply = self._sent(http, asked)
        asked.replies.append(reply)
        return reply

    def look(
        self, http: httpx.Client, service: str, person: str, path: str, query: Any = None
    ) -> httpx.Response | None:
        """A GET; None where nobody answers, or not with a 200. It is no work that a fault could harm."""
        with suppress(httpx.HTTPError):
            answer = http.get(f"{self._door(service)}/v1/{path}", params=query, headers=self._headers[person])
            return answer if answer.is_success else None
        return None

    def _sent(self, http: httpx.Client, asked: Asked) -> Reply:
        headers = {**self._headers[asked.person], "Idempotency-Key": asked.key}
        if asked.version is not None:
            headers["If-Match"] = f'"{asked.version}"'
        try:
            with self._counted(self._flying, asked.service):
                url = f"{self._door(asked.service)}/v1/{asked.path}"
                answer = http.post(url, json=asked.body, headers=headers)
            body = answer.json()
        except (httpx.HTTPError, ValueError) as error:
            return Reply(time.time(), BROKEN, repr(error))
        return Reply(time.time(), answer.status_code, body, answer.headers.get("closeloop-position", ""))

    @contextmanager
    def open(self, asked: Asked) -> Iterator[None]:
        """From the first attempt to the definite answer."""
        self.ledger.write(asked)
        with self._counted(self._open, asked.service):
            yield

    @contextmanager
    def _counted(self, counter: Counter[str], service: str) -> Iterator[None]:
        with self._counting:
            counter[service] += 1
        try:
            yield
        finally:
            with self._counting:
                counter[service] -= 1

    def _door(self, service: str) -> str:
        """Each replica in turn: also a repetition may come to another one."""
        replicas = self._arena.services(service)
        self._doors[service] += 1
        return replicas[self._doors[service] % len(replicas)].url

    def _header(self, person: str, roles: tuple[str, ...]) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._arena.stack.mint(person, roles)}"}

    # --- the threads --------------------------------------------------------------------------------------------------

    def _keep_working(self, step: Callable[[], None]) -> None:
        while self._my_turn():
            try:
                step()
            except Unexpected as refusal:
                self.complaints.append(str(refusal))
                if isinstance(step, Forgetful):
                    step.forget()
            except Stopped:
                return
            except Exception:  # it must not be silent: a load that has died proves nothing
                self.complaints.append(f"the load failed: {format_exc(limit=-4)}")
                self._stopping.wait(0.2)

    def _my_turn(self) -> bool:
        """Wait as long as the load is paused; False: go home."""
        with self._turn:
            self._parked += 1
            self._turn.notify_all()
            self._turn.wait_for(lambda: not self._paused or self._stopping.is_set())
            self._parked -= 1
        return not self._stopping.wait(self._breath)

    def _alive(self) -> int:
        return sum(thread.is_alive() for thread in self._threads)

    def rest(self) -> None:
        """Between two requests of one step: here, too, a pause begins."""
        if self._threads and not self._my_turn():
            raise Stopped
