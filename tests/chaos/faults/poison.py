"""Poison: messages that nobody can understand, or not yet. They are parked, said, and dropped; the rest flows."""

import json
import re
import socket
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from uuid import uuid4

from kinds import Kind, Missed
from operators import drop, parked
from reactions import sources_of

from events.bus.envelope import VERSION
from stack.cluster import SERVICE_PORTS
from stack.identity import TENANT

if TYPE_CHECKING:
    from arena import Arena

SAID_WITHIN = 15.0
"""A parked message is named by /readyz within this time."""
DOSES = 6
HEARD = "SELECT coalesce(max(version), 0) AS n FROM inbox WHERE source = 'audit' AND stream::text = $1"
UNHEARD_OF = {"number": "A-0", "revision": 1, "recipients": [], "findings": []}
"""What nobody reacts to, in a message that everybody understands."""
CONNECT = b'CONNECT {"verbose":false,"headers":true,"protocol":1}\r\n'


@dataclass(frozen=True, kw_only=True)
class Dose:
    """A message as it goes over the wire, about a stream of its own."""

    subject: bytes
    headers: Mapping[str, bytes]
    body: bytes

    @property
    def name(self) -> str:
        """By which it is known again where it lies: nobody can take it out of there."""
        return self.headers.get("ce-subject", self.subject).decode()

    def raw(self) -> bytes:
        """As no client library would send it."""
        lines = [b"NATS/1.0", *(name.encode() + b": " + text for name, text in self.headers.items()), b"", b""]
        head = b"\r\n".join(lines) if self.headers else b""
        sizes = b"%d %d" % (len(head), len(head) + len(self.body)) if head else b"%d" % len(self.body)
        return (b"HPUB " if head else b"PUB ") + self.subject + b" " + sizes + b"\r\n" + head + self.body + b"\r\n"


def report(*, number: int = 1, schema: int = 1, body: bytes | None = None, **headers: bytes) -> Dose:
    """What audit might say of a report, but for what is given; `ce_id` stands for the header `ce-id`."""
    said = {
        "ce-specversion": b"1.0",
        "ce-id": str(uuid4()).encode(),
        "ce-source": f"/closeloop/{TENANT}/audit".encode(),
        "ce-type": f"closeloop.audit.audit-reported.v{schema}".encode(),
        "ce-subject": str(uuid4()).encode(),
        "ce-time": b"2026-04-14T08:00:00+00:00",
        VERSION: str(number).encode(),
        **{name.replace("_", "-"): text for name, text in headers.items()},
    }
    subject = f"closeloop.{TENANT}.audit.audit.audit-reported.v{schema}".encode()
    return Dose(subject=subject, headers=said, body=json.dumps(UNHEARD_OF).encode() if body is None else body)


def cabinet() -> Iterator[Dose]:
    """Every poison there is, but for those that not even a client of ours could read (libs/events/tests)."""
    whole = json.dumps(UNHEARD_OF)
    bodies = [
        '{"number": ',
        "null",
        "[]",
        "",
        "[" * 100_000,
        whole.replace('"A-0"', '"A\\u0000"'),
        whole.replace("1", '"1"'),
    ]
    bodies += [whole.replace("1", "9" * 5000), whole.replace("}", ', "surprise": 1}'), whole.replace("A-0", "\\ud800")]
    yield from (report(body=each.encode()) for each in bodies)
    yield report(body=b"\xff\xfe\x00")
    yield report(schema=9)
    yield report(ce_type=b"closeloop.audit.rumour-heard.v1")
    yield report(ce_type=b"closeloop.audit.\x00.v1")
    yield report(ce_source=b"/closeloop/rival/audit")
    yield report(ce_time=b"2026-04-14T08:00:00")
    yield report(ce_id=b"\xff\xfe")
    yield report(ce_subject=f"no-id-{uuid4()}".encode())
    yield report(**{VERSION: b"0"})
    for ending in (b"", b".audit-reported.v1", b".a\x00b.v1"):
        yield Dose(subject=f"closeloop.{TENANT}.audit.{uuid4()}".encode() + ending, headers={}, body=b"hello")


# --- the strike -------------------------------------------------------------------------------------------------------


def poison(arena: "Arena", chance: Random) -> None:
    """Some of it among what audit says, and what a newer audit would say, with something plain behind it."""
    listeners = [name for name in SERVICE_PORTS if "audit" in sources_of(name)]
    doses = [*chance.sample(list(cabinet()), DOSES), newer := report(schema=2)]
    behind = report(number=2, ce_subject=newer.name.encode())
    arena.forgiven.streams |= {each.name for each in doses}
    arena.load.until_busy("audit")
    inject(arena, [*doses, behind])
    everything_is_parked_and_said(arena, listeners, len(doses))
    for name in listeners:
        assert arena.sql(name, HEARD, newer.name)[0]["n"] == 0, "what comes behind a parked message waits"
        for letter in parked(arena, name):
            drop(arena, name, letter["id"])
        arena.until(lambda name=name: arena.sql(name, HEARD, newer.name)[0]["n"] == 2, "what waited is heard", 5.0)


def inject(arena: "Arena", doses: Sequence[Dose]) -> None:
    """Sent raw, one after the other, while real news go by."""
    address = urlsplit(arena.stack.nats_url)
    with socket.create_connection((address.hostname or "", address.port or 0), timeout=5) as wire:
        wire.sendall(CONNECT)
        for each in doses:
            wire.sendall(each.raw())
        wire.sendall(b"PING\r\n")
        said = b""
        while b"PONG" not in said:
            said += wire.recv(4096)
    if b"-ERR" in said:
        raise Missed(f"the server took offence: {said!r}")


def everything_is_parked_and_said(arena: "Arena", listeners: Sequence[str], count: int) -> None:
    """Each listener has parked each of them, and no other message."""

    def said() -> bool:
        found = " ".join(arena.degraded())
        return all(re.search(rf"{name}: {count} dead letters are parked", found) for name in listeners)

    arena.until(said, f"{count} messages parked, and said so, by each of {', '.join(listeners)}", SAID_WITHIN)
    for name in listeners:
        letters = parked(arena, name)
        assert len(letters) == count, [letter["reason"] for letter in letters]


KINDS = [
    Kind(
        name="poison",
        says="Messages that nobody can understand, or not yet, are parked, said and dropped; the rest flows.",
        strike=poison,
        rounds=5,
    ),
]
