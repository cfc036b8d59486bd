"""A person at the doors of the four services: what the demo and the stories over HTTP are told with."""

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar
from uuid import uuid4

import httpx

from stack.cluster import SERVICE_PORTS

T = TypeVar("T")
Object = dict[str, Any]
PATIENCE = 20.0
"""Seconds after which an effect that crosses services is taken for missing."""


class Rejected(Exception):
    """A service answered with a problem (RFC 9457)."""

    def __init__(self, response: httpx.Response) -> None:
        """Keep the problem's members beside the status."""
        self.status = response.status_code
        self.problem: Object = response.json() if "json" in response.headers.get("content-type", "") else {}
        request = response.request
        super().__init__(f"{request.method} {request.url.path}: {self.status} {self.problem or response.text}")


@dataclass(frozen=True)
class Caller:
    """Speaks for one person with one token; each POST under a fresh Idempotency-Key unless one is given."""

    addresses: Mapping[str, str]
    token: str
    http: httpx.Client = field(default_factory=lambda: httpx.Client(timeout=15, trust_env=False))

    def get(self, service: str, path: str, /, **query: Any) -> Any:
        """One object, or one page."""
        return self._answer(self.ask("GET", service, path, params=query or None))

    def all(self, service: str, path: str, /, **query: Any) -> Iterator[Object]:
        """Every item of a list, page by page."""
        cursor: str | None = None
        while True:
            page = self.get(service, path, limit=200, **query, **({"cursor": cursor} if cursor else {}))
            yield from page["items"]
            cursor = page["next"]
            if not cursor:
                return

    def post(self, service: str, path: str, body: Object, *, version: int | None = None, key: str | None = None) -> Any:
        """Make an object, or (with the version that was seen) change one."""
        headers = {"Idempotency-Key": key or str(uuid4())}
        if version is not None:
            headers["If-Match"] = f'"{version}"'
        return self._answer(self.ask("POST", service, path, json=body, headers=headers))

    def act(self, service: str, path: str, name: str, body: Object | None = None) -> Any:
        """Change the object at `path` as it is now by its sub-resource `name`."""
        return self.post(service, f"{path}/{name}", body or {}, version=self.get(service, path)["version"])

    def ask(self, method: str, service: str, path: str, **more: Any) -> httpx.Response:
        """The bare response, whatever it says."""
        headers = {"Authorization": f"Bearer {self.token}", **more.pop("headers", {})}
        return self.http.request(method, f"{self.addresses[service]}/v1/{path}", headers=headers, **more)

    def _answer(self, response: httpx.Response) -> Any:
        if response.is_error:
            raise Rejected(response)
        return response.json()


def eventually(look: Callable[[], T | None], what: str, patience: float = PATIENCE) -> T:
    """The first truthy result; effects across services come later, and whoever waits polls with a deadline."""
    until = time.monotonic() + patience
    while True:
        if found := look():
            return found
        if time.monotonic() > until:
            raise AssertionError(f"not seen within {patience:g} s: {what}")
        time.sleep(0.05)


def move_clock(caller: Caller, to: datetime | str, patience: float = 60.0) -> None:
    """Move business time of all four services forward, and wait until everything due by then is done."""
    moment = to if isinstance(to, str) else to.isoformat()
    for service in SERVICE_PORTS:
        caller.post(service, "clock", {"to": moment})
    settle(caller, patience)


def settle(caller: Caller, patience: float = 60.0) -> None:
    """Wait until no service has anything due, unpublished or unheard, and none got anything new meanwhile."""
    before: list[Any] = []

    def quiet() -> bool:
        nonlocal before
        answers = [caller.ask("GET", service, "quiet") for service in SERVICE_PORTS]
        now = [each.json() for each in answers if each.is_success]
        still = before == now and len(now) == len(answers) and all(each["quiet"] for each in now)
        before = now
        return still

    eventually(quiet, "all services quiet", patience)
