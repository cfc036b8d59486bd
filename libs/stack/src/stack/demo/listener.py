"""An independent subscriber: it hears what crosses the bus, keeps its own count, and says everything a second time.

It shares no code with the services. Each message is published once more under a fresh `Nats-Msg-Id`, so JetStream takes
it for a new one and every consumer has to notice by itself that it knows the event already.
"""

import asyncio
import json
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, Self
from urllib.parse import unquote
from uuid import uuid4

import nats
from nats.aio.client import Client
from nats.aio.msg import Msg

EVERYTHING = "closeloop.>"
MESSAGE_ID = "Nats-Msg-Id"


@dataclass(frozen=True)
class Heard:
    """A message as the listener understood it."""

    id: str
    service: str
    name: str
    stream: str
    at: str
    body: dict[str, Any]


class Listener:
    """Listens in a thread of its own from `start` to `stop`."""

    def __init__(self, url: str, on_news: Callable[[Heard], None]) -> None:
        """`on_news` is called once for each event, in the listener's thread."""
        self.heard: list[Heard] = []
        self.repeated = 0
        self._url = url
        self._on_news = on_news
        self._known: set[str] = set()
        self._own: set[str] = set()
        self._client = Client()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="listener", daemon=True)

    def start(self) -> Self:
        self._thread.start()
        self._run(self._connect()).result(10)
        return self

    def stop(self) -> None:
        if self._thread.is_alive():
            self._run(self._client.close()).exception(5)
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(5)

    def catch_up(self, patience: float = 15.0) -> None:
        """Return when everything that the server has sent so far was heard and repeated, or patience is over."""
        until = time.monotonic() + patience
        self._run(self._client.flush(5)).result(6)
        while time.monotonic() < until:
            before = len(self.heard), self.repeated
            time.sleep(0.05)
            if before == (len(self.heard), self.repeated) and not self.untold:
                return

    @property
    def untold(self) -> int:
        """How many events were not told a second time."""
        return len(self.heard) - self.repeated

    def named(self, name: str) -> list[Heard]:
        """All events of that name."""
        return [each for each in list(self.heard) if each.name == name]

    async def _connect(self) -> None:
        self._client = await nats.connect(self._url, name="closeloop-demo-listener", allow_reconnect=True)
        await self._client.subscribe(EVERYTHING, cb=self._hear)

    async def _hear(self, message: Msg) -> None:
        headers = {key: unquote(value) for key, value in (message.headers or {}).items()}
        if headers.get(MESSAGE_ID) in self._own or "ce-id" not in headers or headers["ce-id"] in self._known:
            return
        self._known.add(headers["ce-id"])
        _, service, name, _ = headers["ce-type"].split(".")
        news = Heard(
            id=headers["ce-id"],
            service=service,
            name=name,
            stream=headers["ce-subject"],
            at=headers["ce-time"],
            body=json.loads(message.data),
        )
        self.heard.append(news)
        self._on_news(news)
        await self._say_again(message)

    async def _say_again(self, message: Msg) -> None:
        fresh = str(uuid4())
        self._own.add(fresh)
        said = {name: text for name, text in (message.headers or {}).items() if not name.startswith("Nats-")}
        headers = {**said, MESSAGE_ID: fresh}
        await self._client.jetstream().publish(message.subject, message.data, headers=headers)
        self.repeated += 1

    def _run(self, work: Any) -> Future[Any]:
        return asyncio.run_coroutine_threadsafe(work, self._loop)
