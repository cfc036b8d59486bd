"""The guard before everything else: limits on size and time, request ids, the access log, metrics, and no traceback.

Pure ASGI: it wraps `receive` and `send`, so that it neither buffers nor cancels what it lets through.
"""

import asyncio
import re
import time
from dataclasses import dataclass, field
from typing import Any

import structlog
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uuid_utils.compat import uuid7

from chassis.identity import Caller
from chassis.metrics import Metrics
from chassis.problems import Problem, problem_of

log = structlog.get_logger("closeloop.access")

_ID = re.compile(r"[A-Za-z0-9-]{1,64}\Z")
_KEY = "closeloop.exchange"
_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
_QUIET = ("/livez", "/readyz", "/metrics")
"""Asked every few seconds by machines: logged only when something is wrong."""


@dataclass
class Exchange:
    """One request and its answer: what the log and the problems say about it."""

    id: str
    correlation: str
    route: str = "none"
    caller: Caller | None = None
    status: int = 499
    """499: the caller hung up before there was an answer."""
    started: float = field(default_factory=time.perf_counter)

    @classmethod
    def of(cls, scope: Scope) -> "Exchange":
        """The exchange that a request belongs to."""
        found: Exchange = scope[_KEY]
        return found


class Edge:
    """Wraps the whole application."""

    def __init__(self, app: ASGIApp, *, max_body: int, receive_seconds: float, metrics: Metrics) -> None:
        self._app = app
        self._max_body = max_body
        self._receive_seconds = receive_seconds
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        exchange = scope[_KEY] = _exchange(scope)
        answer = _Answer(send, exchange)
        body = _Body(receive, self._max_body, self._receive_seconds)
        try:
            body.check_announced(scope)
            await self._app(scope, body.receive, answer.send)
        except ClientDisconnect:
            pass
        except Exception as error:
            problem = problem_of(error)
            if problem.status == 500:
                log.exception("unexpected", request=exchange.id)
            if answer.begun:
                raise
            await problem.response(exchange.id)(scope, receive, answer.send)
        finally:
            self._record(scope, exchange)

    def _record(self, scope: Scope, exchange: Exchange) -> None:
        seconds = time.perf_counter() - exchange.started
        method = scope["method"] if scope["method"] in _METHODS else "other"  # every label is kept for ever
        self._metrics.requests.labels(method, exchange.route, str(exchange.status)).observe(seconds)
        if exchange.route in _QUIET and exchange.status < 400:
            return
        caller = exchange.caller
        log.info(
            "request",
            method=scope["method"],
            path=scope["path"],
            status=exchange.status,
            milliseconds=round(seconds * 1000, 1),
            request=exchange.id,
            correlation=exchange.correlation,
            tenant=caller.tenant if caller else None,
            person=caller.person if caller else None,
        )


def _exchange(scope: Scope) -> Exchange:
    headers = {name.lower(): content.decode("latin-1") for name, content in scope["headers"]}
    id = _wellformed(headers.get(b"x-request-id")) or str(uuid7())
    return Exchange(id=id, correlation=_wellformed(headers.get(b"x-correlation-id")) or id)


def _wellformed(id: str | None) -> str | None:
    return id if id and _ID.match(id) else None


@dataclass
class _Answer:
    """The way out: remembers the status, and puts the ids on every response."""

    out: Send
    exchange: Exchange
    begun: bool = False

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.begun = True
            self.exchange.status = message["status"]
            message["headers"] = [
                *message.get("headers", ()),
                (b"x-request-id", self.exchange.id.encode()),
                (b"x-correlation-id", self.exchange.correlation.encode()),
                (b"cache-control", b"no-store"),
                (b"x-content-type-options", b"nosniff"),
            ]
        await self.out(message)


@dataclass
class _Body:
    """The way in: counts bytes and seconds, whether or not the caller announced a length."""

    source: Receive
    max_bytes: int
    seconds: float
    received: int = 0
    complete: bool = False
    deadline: float | None = None

    def check_announced(self, scope: Scope) -> None:
        length = dict(scope["headers"]).get(b"content-length", b"0")
        if length.isdigit() and int(length[:20]) > self.max_bytes:
            raise self._too_large()

    async def receive(self) -> Message:
        if self.complete:
            return await self.source()  # only waits for the caller to hang up
        now = time.monotonic()
        self.deadline = self.deadline or now + self.seconds
        try:
            message: dict[str, Any] = dict(await asyncio.wait_for(self.source(), self.deadline - now))
        except TimeoutError:
            raise Problem(408, "receive-timeout", headers={"Connection": "close"}) from None
        self.received += len(message.get("body", b""))
        self.complete = message["type"] != "http.request" or not message.get("more_body", False)
        if self.received > self.max_bytes:
            raise self._too_large()
        return message

    def _too_large(self) -> Problem:
        detail = f"The body is larger than {self.max_bytes} bytes."
        return Problem(413, "too-large", detail, headers={"Connection": "close"})
