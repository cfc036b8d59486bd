"""The bus beside the log: every announcement is there with its bytes, and nothing is there that nobody said."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from nats.aio.msg import Msg
from nats.errors import TimeoutError as NothingCame
from nats.js import JetStreamContext
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy
from rows import Rows
from verdict import Verdict

from events.bus.envelope import POSITION, position_of, stream_name, to_message
from events.message import Message
from events.store.port import StoredEvent

BATCH = 500
HEADERS_OF_THE_SERVER = "Nats-"


@dataclass(frozen=True)
class Mark:
    """Up to where a JetStream stream was read: another one of the same name is read from its start."""

    created: datetime | None = None
    sequence: int = 0


@dataclass(frozen=True)
class Heard:
    """What was on the bus since the mark."""

    messages: Sequence[Message]
    mark: Mark
    again: bool
    """Whether this is another stream than before, or an older one, so that all must be there anew."""


async def listen(js: JetStreamContext, service: str, mark: Mark) -> Heard:
    """Every message since the mark, by a consumer that leaves no trace."""
    stream = stream_name(service)
    info = await js.stream_info(stream)
    last = info.state.last_seq
    # One that has gone back, as after a lost disk or an older backup, keeps its name and its birthday.
    again = info.created != mark.created or last < mark.sequence
    start = 1 if again else mark.sequence + 1
    messages = await _messages(js, stream, start, last) if start <= last else []
    return Heard(messages, Mark(info.created, last), again)


async def _messages(js: JetStreamContext, stream: str, start: int, last: int) -> list[Message]:
    config = ConsumerConfig(
        deliver_policy=DeliverPolicy.BY_START_SEQUENCE, opt_start_seq=start, ack_policy=AckPolicy.NONE, mem_storage=True
    )
    subscription = await js.pull_subscribe("", stream=stream, config=config)
    found: list[Msg] = []
    try:
        while not found or found[-1].metadata.sequence.stream < last:
            found += await subscription.fetch(BATCH, timeout=3)
    except NothingCame:
        pass
    finally:
        await subscription.unsubscribe()
    return [Message(each.subject, dict(each.headers or {}), each.data) for each in found]


def told_again(rows: Rows, heard: Heard) -> list[int]:
    """Positions from before `rows`: a relay that is not sure tells them once more."""
    known = {event.position for event in rows.events}
    return sorted({position_of(each) or 0 for each in heard.messages} - known)


def check_broadcast(
    rows: Rows, older: Iterable[StoredEvent], heard: Heard, verdict: Verdict, forgiven: Collection[str] = ()
) -> None:
    """`older` are the events of those positions that are told again, as far as there are any."""
    log = {event.position: rows.as_told(event) for event in (*older, *rows.events) if event.public_body is not None}
    given_up = {(row["position"], str(row["event_id"])) for row in rows.lost}
    seen = set()
    for message in heard.messages:
        position = position_of(message) or 0
        event = log.get(position)
        if (position, message.headers.get("ce-id")) in given_up:
            continue
        if event and message.headers.get("ce-id") == str(event.id):
            seen.add(position)
            if not _same(message, to_message(rows.service, event)):
                verdict.wrong.append(f"{rows.service}: position {position} is on the bus with other bytes")
        elif not {message.subject, message.headers.get("ce-subject", "")} & set(forgiven):
            said = f"{message.subject} with {POSITION} {position}"
            verdict.phantom.append(f"{rows.service}: {said} is on the bus, but not in the log")
    due = log.values() if heard.again else [event for event in log.values() if event.position > rows.after]
    verdict.lost += [_silent(rows, event) for event in due if event.position not in seen]


def _same(one: Message, other: Message) -> bool:
    """But for what the server adds, and the id under which it is told once more."""
    return (one.subject, one.body, _said(one)) == (other.subject, other.body, _said(other))


def _said(message: Message) -> dict[str, str]:
    return {name: text for name, text in message.headers.items() if not name.startswith(HEADERS_OF_THE_SERVER)}


def _silent(rows: Rows, event: StoredEvent) -> str:
    return f"{rows.service}: position {event.position} ({event.public_type}) is not on the bus"
