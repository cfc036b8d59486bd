"""The whole product on one machine: both servers, four services, one data folder."""

import json
import os
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Self

import httpx

from stack import identity
from stack.identity import Identity
from stack.nats import USUAL_PORT as NATS_PORT
from stack.nats import Nats
from stack.postgres import Postgres, ensure_database
from stack.processes import LOOPBACK, Child, StackError, free_port, stop_together
from stack.restore import refuse_half_restored

SERVICE_PORTS = {"audit": 8001, "sla": 8002, "risk": 8003, "improvement": 8004}
READY_SECONDS = 60

# What runs a service: "audit" -> the command line.
Program = Callable[[str], Sequence[str]]


def database_of(service: str) -> str:
    return f"closeloop_{service}"


def chassis(service: str) -> Sequence[str]:
    # -P: a folder named `chassis` where the user happens to stand must not be taken for ours.
    return [sys.executable, "-P", "-m", "chassis", "serve", service, "--migrate"]


@dataclass
class Service:
    """One of the services as a process of its own. Changes to `environment` count from its next start."""

    name: str
    port: int
    logs: Path
    environment: dict[str, str]
    program: Program = chassis
    child: Child = field(init=False)

    def __post_init__(self) -> None:
        command = self.program(self.name)
        self.child = Child(f"{self.name} service", command, self.logs / f"{self.name}.log", self.environment)

    @property
    def url(self) -> str:
        return f"http://{LOOPBACK}:{self.port}"

    def start(self) -> None:
        self.child.start()
        self.wait()

    def wait(self) -> None:
        """Until it says that it can serve requests."""
        with httpx.Client(trust_env=False, timeout=2) as client:
            self.child.wait_until(lambda: self._is_ready(client), READY_SECONDS)

    def stop(self) -> None:
        self.child.stop()

    def kill(self) -> None:
        self.child.kill()

    def _is_ready(self, client: httpx.Client) -> bool:
        """Whether it is ours that answers: while it starts, a stranger may still sit on its port."""
        try:
            answer = client.get(f"{self.url}/readyz")
            return answer.status_code == httpx.codes.OK and answer.json().get("process") == self.child.pid
        except (httpx.HTTPError, ValueError):
            return False


class Stack:
    """Everything up inside a `with`, everything down after it. `durable=False` is for folders that are thrown away."""

    def __init__(
        self,
        folder: Path,
        *,
        durable: bool = True,
        usual_ports: bool = False,
        clock_start: datetime | None = None,
        services: Iterable[str] = SERVICE_PORTS,
        environment: Mapping[str, Mapping[str, str]] | None = None,
        program: Program = chassis,
        say: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.folder = folder.absolute()
        self.folder.mkdir(parents=True, exist_ok=True)
        self._clock_start = self._remembered_clock(clock_start)
        self.identity = Identity(self.folder / "identity")
        self.services: dict[str, Service] = {}
        self.postgres = None if "CLOSELOOP_POSTGRES_URL" in os.environ else Postgres(self.folder, durable=durable)
        self.nats = None if "CLOSELOOP_NATS_URL" in os.environ else self._own_nats(usual_ports=usual_ports)
        self._usual_ports = usual_ports
        self._names = tuple(services)
        self._extra = dict(environment or {})
        self._program = program
        self._say = say

    @property
    def postgres_url(self) -> str:
        return self.postgres.url() if self.postgres else os.environ["CLOSELOOP_POSTGRES_URL"]

    @property
    def nats_url(self) -> str:
        return self.nats.url if self.nats else os.environ["CLOSELOOP_NATS_URL"]

    @property
    def children(self) -> list[Child]:
        """In the order of their start."""
        servers = [server.child for server in (self.postgres, self.nats) if server]
        return [*servers, *(service.child for service in self.services.values())]

    @property
    def addresses(self) -> dict[str, str]:
        services = {name: service.url for name, service in self.services.items()}
        return {**services, "nats": self.nats_url, "postgres": self.postgres_url, "jwks": str(self.identity.jwks)}

    def start(self) -> Self:
        refuse_half_restored(self.folder)
        self._start_servers()
        self.identity.ensure()
        self.services = {name: self._service(name) for name in self._names}
        self._say("Starting " + ", ".join(self._names))
        for service in self.services.values():
            service.child.start()
        for service in self.services.values():
            service.wait()
        (self.folder / "addresses.json").write_text(json.dumps(self.addresses, indent=2) + "\n")
        return self

    def stop(self) -> None:
        """Those who ask before those who answer: the services, then NATS, then PostgreSQL."""
        if self.services:
            (self.folder / "addresses.json").unlink(missing_ok=True)
        stop_together(service.child for service in self.services.values())
        for server in (self.nats, self.postgres):
            if server:
                server.stop()

    def mint(self, person: str, roles: Sequence[str] = (), tenant: str = identity.TENANT) -> str:
        return self.identity.mint(person, roles, tenant)

    def _remembered_clock(self, start: datetime | None) -> str | None:
        """A folder keeps the kind of clock that it was made with: a moved one must never meet real data."""
        remembered = self.folder / "clock-start"
        kept = remembered.read_text() if remembered.exists() else None
        if start is None or start.isoformat() == kept:
            return kept
        if kept or any((self.folder / "logs").glob("*.log")):
            raise StackError(
                f"{self.folder} already holds data, and its clock cannot be set any more. "
                "Give --clock-start together with a new folder: --data DIR."
            )
        remembered.write_text(start.isoformat())
        return start.isoformat()

    def _own_nats(self, *, usual_ports: bool) -> Nats:
        return Nats(self.folder / "nats", port=free_port(NATS_PORT if usual_ports else 0))

    def _start_servers(self) -> None:
        if self.postgres:
            self._say("Starting PostgreSQL")
            self.postgres.start()
        if self.nats:
            self._say("Starting NATS")
            self.nats.start()

    def _service(self, name: str) -> Service:
        port = free_port(SERVICE_PORTS.get(name, 0) if self._usual_ports else 0)
        clock = {"CLOSELOOP_CLOCK_START": self._clock_start} if self._clock_start else {}
        environment = {
            "CLOSELOOP_SERVICE": name,
            "CLOSELOOP_DATABASE_URL": ensure_database(self.postgres_url, database_of(name)),
            "CLOSELOOP_NATS_URL": self.nats_url,
            "CLOSELOOP_HOST": LOOPBACK,
            "CLOSELOOP_PORT": str(port),
            "CLOSELOOP_JWKS": str(self.identity.jwks),
            "CLOSELOOP_ISSUER": identity.ISSUER,
            "CLOSELOOP_AUDIENCE": identity.AUDIENCE,
            **clock,
            **self._extra.get(name, {}),
        }
        return Service(name, port, self.folder / "logs", environment, self._program)

    def __enter__(self) -> Self:
        try:
            return self.start()
        except BaseException:
            self.stop()
            raise

    def __exit__(self, *_: object) -> None:
        self.stop()
