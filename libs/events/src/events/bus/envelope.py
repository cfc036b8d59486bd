"""CloudEvents 1.0 in binary mode on NATS: an event's row to a message, and a message to news."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import quote, unquote
from uuid import UUID

from pydantic import ValidationError

from events.codec import from_json
from events.kernel import CONTRACTS, News
from events.message import Message
from events.store.port import StoredEvent

TYPE = re.compile(r"closeloop\.([a-z0-9-]+)\.([a-z0-9-]+)\.v([1-9][0-9]{0,4})")
SUBJECT = re.compile(r"closeloop\.([a-z0-9-]{1,40})\.([a-z0-9-]+)\.[a-z0-9-]+\.[a-z0-9-]+\.v[0-9]+")
MAX_VERSION = 2**31 - 1
PLAIN = "".join(chr(code) for code in range(0x21, 0x7F) if chr(code) not in '%"')
"""What CloudEvents leaves as it is in a header; the rest is percent-encoded."""

ONE_LINE = re.compile(r"[\x20-\x7e]{1,128}")

MESSAGE_ID = "Nats-Msg-Id"
BEHIND = "Nats-Expected-Last-Sequence"
"""JetStream keeps what it was asked: the sequence right behind which the message was to lie."""
POSITION = "closeloop-position"
VERSION = "closeloop-public-version"
CORRELATION = "closeloop-correlation"
CAUSATION = "closeloop-causation"


class BrokenMessage(Exception):
    """The message is not what its contract says."""


class UnknownMessage(Exception):
    """The message is of a type, or a version of it, that this service has never heard of."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a message belongs: it is the version-th thing that this stream has said in public."""

    tenant: str
    stream: UUID
    version: int


@dataclass(frozen=True, slots=True)
class Heard:
    """A message as it was understood."""

    news: News
    correlation: str


def sent_again(headers: Mapping[str, str], id: str) -> dict[str, str]:
    """The headers of a message that is sent once more: as a new one, and wherever it may come to lie."""
    return {name: said for name, said in headers.items() if name != BEHIND} | {MESSAGE_ID: id}


def stream_name(service: str) -> str:
    """The JetStream stream of a service."""
    return "CLOSELOOP_" + service.upper().replace("-", "_")


def stream_subject(service: str) -> str:
    """What the JetStream stream of a service takes in."""
    return f"closeloop.*.{service}.>"


def to_message(service: str, event: StoredEvent, message_id: str | None = None) -> Message:
    """A stored announcement as it travels; only bytes are copied. The same row is always the same message."""
    assert event.public_type is not None
    assert event.public_body is not None
    _, aggregate, name = event.public_type.split(".")
    about = json.loads(event.metadata)
    headers = {
        MESSAGE_ID: message_id or str(event.id),
        "ce-specversion": "1.0",
        "ce-id": str(event.id),
        "ce-source": f"/closeloop/{event.tenant}/{service}",
        "ce-type": f"closeloop.{service}.{name}.v{event.public_schema}",
        "ce-subject": str(event.stream),
        "ce-time": about["at"],
        "ce-datacontenttype": "application/json",
        POSITION: str(event.position),
        VERSION: str(event.public_version),
        "closeloop-kind": event.kind,
        "closeloop-recorded-at": event.recorded_at.isoformat(),
        CORRELATION: about.get("correlation") or "",
        CAUSATION: about.get("causation") or "",
    }
    subject = f"closeloop.{event.tenant}.{service}.{aggregate}.{name}.v{event.public_schema}"
    return Message(
        subject, {key: quote(text, PLAIN) for key, text in headers.items() if text}, event.public_body.encode()
    )


def position_of(message: Message) -> int | None:
    """The position in its service's log that a message bears."""
    text = message.headers.get(POSITION, "")
    return int(text) if re.fullmatch(r"[0-9]{1,18}", text) else None


def place_of(source: str, message: Message) -> Place | None:
    """Where a message of this service belongs, as far as its subject and headers name it."""
    subject = SUBJECT.fullmatch(message.subject)
    version = message.headers.get(VERSION, "")
    if not subject or subject[2] != source or not re.fullmatch(r"[1-9][0-9]{0,9}", version):
        return None
    try:
        stream = UUID(message.headers.get("ce-subject", ""))
    except ValueError:
        return None
    return Place(subject[1], stream, int(version)) if int(version) <= MAX_VERSION else None


def understood(source: str, message: Message) -> Heard:
    """What a message says. Raises BrokenMessage or UnknownMessage."""
    place = place_of(source, message)
    if place is None:
        raise BrokenMessage("subject or headers do not say which stream and version this is")
    header = {key: unquote(text) for key, text in message.headers.items()}
    if header.get("ce-source") != f"/closeloop/{place.tenant}/{source}":
        raise BrokenMessage(f"ce-source {header.get('ce-source')!r} does not fit the subject {message.subject}")
    contract = _contract(source, message, header.get("ce-type", ""))
    try:
        event, at = UUID(header.get("ce-id", "")), datetime.fromisoformat(header.get("ce-time", ""))
        body = from_json(contract, message.body.decode())
    except ValidationError as error:
        raise BrokenMessage(_in_one_line(error)) from error
    except ValueError as error:
        raise BrokenMessage(f"ce-id, ce-time or the encoding of the body: {error}") from error
    if at.tzinfo is None:
        raise BrokenMessage("ce-time has no time zone")
    news = News(tenant=place.tenant, service=source, stream=place.stream, event=event, at=at, body=body)
    correlation = header.get(CORRELATION, "")
    return Heard(news, correlation if ONE_LINE.fullmatch(correlation) else str(event))


def _contract(source: str, message: Message, type_name: str) -> type:
    parts = TYPE.fullmatch(type_name)
    if not parts or parts[1] != source:
        raise BrokenMessage(f"ce-type {type_name!r} is none of {source}'s")
    name, version = parts[2], int(parts[3])
    contract = CONTRACTS.get((source, name, version))
    if contract is None:
        known = sorted(v for (service, known_name, v) in CONTRACTS if (service, known_name) == (source, name))
        raise UnknownMessage(f"{type_name}: known are versions {known}" if known else f"{type_name}: unknown type")
    aggregate = contract.__announced_by__[1]  # type: ignore[attr-defined]
    if not message.subject.endswith(f".{source}.{aggregate}.{name}.v{version}"):
        raise BrokenMessage(f"ce-type {type_name} does not fit the subject {message.subject}")
    return contract


def _in_one_line(error: ValidationError) -> str:
    return "; ".join(f"{'.'.join(map(str, each['loc'])) or 'body'}: {each['msg']}" for each in error.errors()[:5])
