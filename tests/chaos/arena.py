"""The arena of a fault: one running stack with load on it, and everything a fault needs to reach into it."""

import asyncio
import tempfile
import time
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from random import Random
from threading import Event, Thread
from typing import Any, Self, TypeVar

import asyncpg
import httpx
import nats
from disks import SMALL_WAL, Disk, mounted
from kinds import Needs
from load import Load
from nats.js import JetStreamContext
from proxy import Proxy
from sessions import session

from stack.cluster import SERVICE_PORTS, Service, Stack, database_of
from stack.nats import Nats
from stack.postgres import Postgres, plain_url
from stack.processes import LOOPBACK, Supervisor, free_port, stop_together

T = TypeVar("T")
BEGINS = "2026-04-14T12:00:00+02:00"
"""Business time at the start: an outage of that morning lies behind it."""
ANSWER_WITHIN = 20.0


@dataclass
class Forgiven:
    """What an operator's decision gives up: it is no longer asked for, and its traces are no phantoms."""

    keys: set[str] = field(default_factory=set)
    """Idempotency-Keys of requests that need not be there any more."""
    streams: set[str] = field(default_factory=set)
    """Ids of objects that are gone, or that exist only because of something that is gone."""


class Arena:
    """Everything up inside a `with`, with load on it; the business clock runs from `BEGINS` and is never moved."""

    stack: Stack
    load: Load

    def __init__(
        self, needs: Needs | None = None, *, seed: str = "", environment: Mapping[str, str] | None = None
    ) -> None:
        """`environment`: further variables of all services, such as PYTHONPATH for other sources."""
        self.needs = needs or Needs()
        self.seed = seed
        self.forgiven = Forgiven()
        self.turns: dict[str, int] = {}
        """Whose turn is next, by what befalls one after the other."""
        self.release = ""
        """PYTHONPATH of the later release that all services run by now: what it wrote, only its code understands."""
        self.reworded: set[str] = set()
        """Members of answers that a later release words otherwise than the one that answered first."""
        self.proxies: Mapping[str, Proxy] = {}
        """By "postgres" and "nats", where the needs say so."""
        self.disks: Mapping[str, Disk] = {}
        """By "postgres", "nats" and "logs", where the needs say so."""
        self._environment = dict(environment or {})
        self._joined: dict[str, list[Service]] = {name: [] for name in SERVICE_PORTS}
        self._cleanup = ExitStack()
        self._loop = asyncio.new_event_loop()
        self._http = httpx.Client(timeout=4, trust_env=False)

    def __enter__(self) -> Self:
        with ExitStack() as unwinding:
            unwinding.push(self._cleanup)
            self._set_up(self._cleanup)
            unwinding.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._cleanup.close()

    # --- processes ----------------------------------------------------------------------------------------------------

    def service(self, name: str) -> Service:
        """The first process of a service: start, stop, kill; changes to `environment` count from its next start."""
        return self.stack.services[name]

    def next_of(self, names: Sequence[str], what: str, chance: Random) -> Service:
        """One service after the other, so that it befalls each of them; only who is the first is left to chance."""
        turn = self.turns[what] = self.turns.get(what, chance.randrange(len(names)) - 1) + 1
        return self.service(names[turn % len(names)])

    def services(self, name: str | None = None) -> list[Service]:
        """Every process that is to serve now: of one service, or of all."""
        names = [name] if name else list(SERVICE_PORTS)
        return [each for name in names for each in (self.stack.services[name], *self._joined[name])]

    def join(self, name: str, environment: Mapping[str, str] | None = None) -> Service:
        """One more process of a service, ready when this returns; the load knocks at its door, too."""
        first, port = self.service(name), free_port()
        variables = {**first.environment, "CLOSELOOP_PORT": str(port), **(environment or {})}
        joined = Service(name, port, first.logs, variables)
        joined.child.log = first.logs / f"{name}-{port}.log"
        joined.start()
        self._joined[name].append(joined)
        return joined

    def leave(self, service: Service) -> None:
        """A process that joined goes for good: politely, unless it was killed before."""
        self._joined[service.name].remove(service)
        service.stop()

    def succeed(self, joined: Service) -> None:
        """A process that joined takes the place of the first one, which is told to stop."""
        first = self.service(joined.name)
        self._joined[joined.name].remove(joined)
        self.stack.services[joined.name] = joined
        first.stop()

    # --- databases and bus, straight and past every proxy ------------------------------------------------------------

    @property
    def postgres(self) -> Postgres:
        """The stack's own; one that somebody else runs is not ours to break."""
        assert self.stack.postgres
        return self.stack.postgres

    @property
    def nats(self) -> Nats:
        """The stack's own; one that somebody else runs is not ours to break."""
        assert self.stack.nats
        return self.stack.nats

    def database_url(self, service: str) -> str:
        """As asyncpg reads it; "" is the server's own database."""
        return plain_url(self.postgres.url(database_of(service) if service else "postgres"))

    def sql(self, service: str, query: str, *values: Any) -> list[asyncpg.Record]:
        """Rows of a query that changes nothing, in a service's database."""
        return self.run(_query(self.database_url(service), query, values, read_only=True))

    def execute(self, service: str, statement: str, *values: Any) -> list[asyncpg.Record]:
        """A statement that may change something: for faults only."""
        return self.run(_query(self.database_url(service), statement, values, read_only=False))

    def bus(self, work: Callable[[JetStreamContext], Coroutine[Any, Any, T]]) -> T:
        """Do something at the broker: `arena.bus(lambda js: js.stream_info("CLOSELOOP_AUDIT"))`."""
        return self.run(_at_the_broker(self.nats.url, work))

    def run(self, work: Coroutine[Any, Any, T], seconds: float = ANSWER_WITHIN) -> T:
        """The result of a coroutine, from any thread."""
        return asyncio.run_coroutine_threadsafe(asyncio.wait_for(work, seconds), self._loop).result()

    # --- how it goes --------------------------------------------------------------------------------------------------

    def ready(self) -> bool:
        """Whether every process answers 200 on /readyz."""
        return all(status == httpx.codes.OK for status, _ in self._health())

    def degraded(self) -> list[str]:
        """What any process says is not as it should be; one that is not ready counts."""
        return [
            each
            for status, said in self._health()
            for each in said or ([] if status == httpx.codes.OK else ["not ready"])
        ]

    def quiet(self) -> bool:
        """Nothing due, untold, unheard or waiting anywhere, twice in a row, and nothing amiss."""
        before, now = self._rest(), self._rest()
        return before is not None and before == now and not self._waiting() and not self.degraded()

    def until_quiet(self, when: str, seconds: float) -> None:
        """Raises TimeoutError, which says what keeps it from being quiet."""
        try:
            self.until(self.quiet, f"quiet {when}", seconds)
        except TimeoutError as error:
            raise TimeoutError(f"{error}: {self.unrest()}") from error

    def unrest(self) -> str:
        """What keeps it from being quiet, for whoever has waited in vain."""
        return f"{self.degraded()} {[self._asked(service) for service in self.services()]} {self._waiting()} waiting"

    def until(self, look: Callable[[], T], what: str, seconds: float, every: float = 0.1) -> T:
        """The first truthy result. Raises TimeoutError."""
        give_up_at = time.monotonic() + seconds
        while not (found := look()):
            if time.monotonic() > give_up_at:
                raise TimeoutError(f"not seen within {seconds:g} s: {what}")
            time.sleep(every)
        return found

    def _health(self) -> list[tuple[int, list[str]]]:
        found = []
        for service in self.services():
            try:
                answer = self._http.get(f"{service.url}/readyz")
                said = answer.json().get("degraded", [])
                found.append((answer.status_code, [f"{service.name}: {each}" for each in said]))
            except (httpx.TransportError, ValueError) as error:
                found.append((0, [f"{service.name}: {error!r}"]))
        return found

    def _rest(self) -> list[Any] | None:
        """What every process says of its rest, or None as long as one has none."""
        found = []
        for service in self.services():
            found.append(self._asked(service))
            if not found[-1].get("quiet"):
                return None
        return found

    def _asked(self, service: Service) -> dict[str, Any]:
        try:
            return dict(self._http.get(f"{service.url}/v1/quiet", headers=self.load.operator).json())
        except (httpx.TransportError, ValueError) as error:
            return {"trouble": repr(error)}

    def _waiting(self) -> int:
        return sum(self.sql(name, "SELECT count(*) AS n FROM waiting")[0]["n"] for name in SERVICE_PORTS)

    # --- setting up ---------------------------------------------------------------------------------------------------

    def _set_up(self, cleanup: ExitStack) -> None:
        Thread(target=self._loop.run_forever, name="arena", daemon=True).start()
        cleanup.callback(self._loop.call_soon_threadsafe, self._loop.stop)
        self.stack = self._made_stack(cleanup)
        cleanup.enter_context(self.stack)
        if self.needs.supervised:
            cleanup.enter_context(_supervised(self.stack))
        cleanup.callback(lambda: stop_together(each.child for joined in self._joined.values() for each in joined))
        for name in SERVICE_PORTS:
            for _ in range(self.needs.replicas - 1):
                self.join(name)
        self.load = Load(self)
        self.load.prepare()
        self.load.start()
        cleanup.callback(self.load.stop)

    def _made_stack(self, cleanup: ExitStack) -> Stack:
        """Not started yet, in a folder of its own."""
        folder = Path(
            cleanup.enter_context(tempfile.TemporaryDirectory(prefix="closeloop-chaos-", ignore_cleanup_errors=True))
        )
        folder.chmod(0o711)
        if self.needs.disks:
            # Mounted where PostgreSQL and NATS will put their folders: `folder/postgres` and `folder/nats`.
            self.disks = cleanup.enter_context(mounted(folder))
        variables = {**self._environment, **self._furnished(cleanup)}
        stack = Stack(
            folder,
            durable=self.needs.durable,
            clock_start=datetime.fromisoformat(BEGINS),
            environment={name: self._variables_of(name, variables) for name in SERVICE_PORTS},
        )
        if self.disks and stack.postgres:
            stack.postgres.settings.update(SMALL_WAL)
        return stack

    def _furnished(self, cleanup: ExitStack) -> dict[str, str]:
        """Variables that follow from what the stack needs; {service} stands for the service's name."""
        found = {}
        if self.needs.proxies:
            # The targets are asked for at each connection: they exist only when the stack runs.
            postgres = cleanup.enter_context(Proxy(self._postgres_socket))
            broker = cleanup.enter_context(Proxy(lambda: (LOOPBACK, self.nats.port)))
            self.proxies = {"postgres": postgres, "nats": broker}
            address = f"postgresql+asyncpg://postgres@{LOOPBACK}:{postgres.port}"
            found["CLOSELOOP_DATABASE_URL"] = f"{address}/{database_of('{service}')}"
            found["CLOSELOOP_NATS_URL"] = f"nats://{LOOPBACK}:{broker.port}"
        return found

    def _variables_of(self, service: str, variables: Mapping[str, str]) -> dict[str, str]:
        return {name: text.replace("{service}", service) for name, text in variables.items()}

    def _postgres_socket(self) -> Path:
        return self.postgres.socket_folder / ".s.PGSQL.5432"


@contextmanager
def _supervised(stack: Stack) -> Iterator[None]:
    """Whatever ends by itself is started again, as by `./closeloop up`."""
    supervisor, enough = Supervisor(stack.children, lambda _: None), Event()

    def watch() -> None:
        while not enough.wait(0.25):
            supervisor.look()

    watching = Thread(target=watch, name="supervisor", daemon=True)
    watching.start()
    try:
        yield
    finally:
        enough.set()
        watching.join()


async def _query(url: str, query: str, values: tuple[Any, ...], *, read_only: bool) -> list[asyncpg.Record]:
    async with session(url, read_only=read_only) as connection:
        return list(await connection.fetch(query, *values))


async def _at_the_broker(url: str, work: Callable[[JetStreamContext], Coroutine[Any, Any, T]]) -> T:
    client = await nats.connect(url, name="chaos", allow_reconnect=False, connect_timeout=3)
    try:
        return await work(client.jetstream(timeout=5))
    finally:
        await client.close()
