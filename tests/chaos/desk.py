"""A desk: where one of the people at work asks the services, again and again until there is an answer."""

import time
from datetime import datetime
from threading import Event
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import httpx
from ledger import Asked, Reply

if TYPE_CHECKING:
    from load import Load

Object = dict[str, Any]
PATIENCE = 6.0
"""Seconds after which a client takes an answer for lost, and asks again."""
GIVES_UP_AFTER = 90.0


class Unanswered(Exception):
    """Nobody said for a long time what has become of a request."""


class Unexpected(Exception):
    """A refusal of something that nothing speaks against."""


class Stopped(Exception):
    """Not wanted any more."""


class Desk:
    """Where somebody works: one connection to each service, and the habit to ask until there is an answer."""

    def __init__(self, load: "Load", stopping: Event) -> None:
        """With connections of its own."""
        self._load = load
        self._stopping = stopping
        self._http = httpx.Client(timeout=PATIENCE, trust_env=False)

    def post(self, person: str, service: str, path: str, body: Object, version: int | None = None) -> Object:
        """The answer of one that must succeed. Raises Unexpected."""
        asked = Asked(str(uuid4()), service, person, path, body, version)
        reply = self._definite(asked)
        if not reply.is_success:
            raise Unexpected(f"{asked}: {reply.status} {reply.body}")
        found: Object = reply.body
        return found

    def act(self, person: str, service: str, path: str, name: str, body: Object, seen: Object) -> Object | None:
        """Change an object as it was seen; None where somebody else was faster, or it is not possible any more."""
        asked = Asked(str(uuid4()), service, person, f"{path}/{name}", body, seen["version"])
        reply = self._definite(asked)
        if reply.status == httpx.codes.CONFLICT:  # a rule of the domain speaks against it by now
            return None
        if reply.status == httpx.codes.PRECONDITION_FAILED:
            now = self._load.look(self._http, service, person, path)
            if now and now.json()["version"] == seen["version"]:
                raise Unexpected(f"{asked}: {reply.status} {reply.body}, and nobody was faster")
            return None
        if not reply.is_success:
            raise Unexpected(f"{asked}: {reply.status} {reply.body}")
        found: Object = reply.body
        return found

    def get(self, person: str, service: str, path: str, **query: Any) -> Object:
        """An object, or a page; asked until there is an answer."""
        give_up_at = time.monotonic() + GIVES_UP_AFTER
        while not (answer := self._load.look(self._http, service, person, path, query or None)):
            self._wait(give_up_at, f"GET {service} {path}")
        found: Object = answer.json()
        return found

    def rest(self, seconds: float) -> None:
        """Nothing to do at the moment."""
        self._stopping.wait(seconds)

    def business_time(self) -> datetime:
        """As the services see it."""
        return self._load.business_time()

    def _definite(self, asked: Asked) -> Reply:
        self._load.rest()
        with self._load.open(asked):
            give_up_at = time.monotonic() + GIVES_UP_AFTER
            while not (reply := self._load.send(self._http, asked)).is_definite:
                self._wait(give_up_at, f"{asked}: {reply.status} {reply.body}")
            return reply

    def _wait(self, give_up_at: float, what: str) -> None:
        if time.monotonic() > give_up_at:
            raise Unanswered(f"{what}: no answer for {GIVES_UP_AFTER:g} s")
        if self._stopping.wait(0.1):
            raise Stopped
