"""An independent client at the bus: it reads what crossed and says things itself, with no code of the services."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar
from uuid import uuid4

import nats
from nats.js import JetStreamContext

T = TypeVar("T")
MESSAGE_ID = "Nats-Msg-Id"


@dataclass(frozen=True)
class Said:
    """A message as it lies in JetStream."""

    subject: str
    headers: Mapping[str, str]
    data: bytes

    @property
    def id(self) -> str:
        """The event's id; the same however often the message is delivered."""
        return self.headers["ce-id"]

    @property
    def name(self) -> str:
        return self.headers["ce-type"].split(".")[2]

    @property
    def body(self) -> Any:
        return json.loads(self.data)

    def but(self, subject: str | None = None, data: bytes | None = None, **headers: str) -> "Said":
        """The same message with something else in it; `ce_id` stands for the header `ce-id`."""
        changed = {name.replace("_", "-"): text for name, text in headers.items()}
        return Said(subject or self.subject, {**self.headers, **changed}, self.data if data is None else data)


@dataclass(frozen=True)
class Bystander:
    """Somebody else with a connection to the same NATS."""

    url: str

    def heard(self, service: str, name: str | None = None) -> list[Said]:
        """What a service has said so far, in order: every message that JetStream holds."""
        return [said for said in self._with(lambda js: _all(js, service)) if name in (None, said.name)]

    def say(self, *messages: Said) -> None:
        """Publish, each under a fresh message id, so that JetStream takes it for a new one."""

        async def publish(js: JetStreamContext) -> None:
            for each in messages:
                said = {name: text for name, text in each.headers.items() if not name.startswith("Nats-")}
                ack = await js.publish(each.subject, each.data, headers={**said, MESSAGE_ID: str(uuid4())})
                assert not ack.duplicate

        self._with(publish)

    def hold_back(self, speaker: str, listener: str, seconds: int) -> None:
        """Let nothing of `speaker` be delivered to `listener` for so long: the news are late."""
        until = datetime.now(UTC) + timedelta(seconds=seconds)
        subject = f"$JS.API.CONSUMER.PAUSE.CLOSELOOP_{speaker.upper()}.closeloop-{listener}"

        async def pause(js: JetStreamContext) -> None:
            body = json.dumps({"pause_until": until.isoformat().replace("+00:00", "Z")})
            answer = json.loads((await js._nc.request(subject, body.encode())).data)
            assert answer.get("paused"), answer

        self._with(pause)

    def _with(self, work: Callable[[JetStreamContext], Awaitable[T]]) -> T:
        async def connected() -> T:
            client = await nats.connect(self.url, name="bystander")
            try:
                return await work(client.jetstream())
            finally:
                await client.close()

        return asyncio.run(connected())


async def _all(js: JetStreamContext, service: str) -> list[Said]:
    stream = f"CLOSELOOP_{service.upper()}"
    state = (await js.stream_info(stream)).state
    messages = [await js.get_msg(stream, seq) for seq in range(state.first_seq, state.last_seq + 1)]
    return [Said(each.subject or "", each.headers or {}, each.data or b"") for each in messages]
