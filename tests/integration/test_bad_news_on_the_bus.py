"""Bad news on the bus: what cannot be understood is parked, what is known or early is absorbed, and the rest flows."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from typing import Any
from uuid import uuid4

from bystander import Bystander, Said
from meridian import Meridian
from world import Begin

from stack.client import Object, eventually

STREAM, VERSION, POSITION = "ce-subject", "closeloop-public-version", "closeloop-position"


def test_bad_news_are_parked_or_absorbed_and_the_rest_flows(begin: Begin) -> None:
    meridian = Meridian(begin("2026-04-01T08:00:00Z"))
    bus = Bystander(meridian.world.stack.nats_url)
    breach, outage = a_breach_and_its_outage(meridian, bus)
    poison = what_nobody_understands(breach)
    bus.say(*poison.values())
    bus.say(breach, breach, outage)
    held_back = what_comes_before_its_turn_waits(meridian, bus, outage)
    the_rest_flows(meridian)
    everything_unclear_is_parked_and_said_so(meridian, poison, held_back)
    an_operator_drops_one_and_what_waited_behind_it_is_handled(meridian, held_back)


def a_breach_and_its_outage(meridian: Meridian, bus: Bystander) -> tuple[Said, Said]:
    """What a real breach says, as the pattern for what is forged here."""
    meridian.appoint_everybody()
    for service in ("SVC-ERP", "SVC-MAIL"):
        meridian.list_service(service)
        meridian.agree(service, starts="2026-04-01")
    meridian.at("2026-04-14T11:00:00+02:00")
    meridian.report_outage("SVC-ERP", "MON-1", "2026-04-14T09:10:00+02:00", "2026-04-14T10:25:00+02:00")
    meridian.settle()
    (breach,), (outage,) = bus.heard("sla", "breach-confirmed"), bus.heard("sla", "outage-measured")
    return breach, outage


def another(like: Said, version: int = 1, stream: str | None = None, **body: Any) -> Said:
    """The next thing that another stream says, with another body.

    It names no place in the log: with one it would be taken for what a lost log had said, and stop the relay.
    """
    headers = {**like.headers, "ce-id": str(uuid4()), STREAM: stream or str(uuid4()), VERSION: str(version)}
    del headers[POSITION]
    return Said(like.subject, headers, json.dumps({**like.body, **body}).encode())


def what_nobody_understands(breach: Said) -> Mapping[str, Said]:
    """Each on a stream of its own, and by its name how the reason begins."""
    rumour = breach.subject.replace("breach-confirmed.v1", "rumour-heard.v1")
    newer = breach.subject.replace(".v1", ".v2")
    return {
        "BrokenMessage: body: Invalid JSON": another(breach).but(data=b'{"sla": '),
        "BrokenMessage: ce-id, ce-time or the encoding": another(breach).but(data=b"\xff\xfe"),
        "BrokenMessage: surprise": another(breach, surprise=1),
        "BrokenMessage: used": another(breach, used=75),
        "BrokenMessage: ce-source": another(breach).but(ce_source="/closeloop/rival/sla"),
        "BrokenMessage: ce-type closeloop.sla.service-listed.v1": another(breach).but(
            ce_type="closeloop.sla.service-listed.v1"
        ),
        "BrokenMessage: ce-time": another(breach).but(ce_time="2026-04-14T09:53:12"),
        "BrokenMessage: subject or headers": Said(breach.subject, {}, b"hello"),
        "UnknownMessage: closeloop.sla.rumour-heard.v1: unknown type": another(breach).but(
            rumour, ce_type="closeloop.sla.rumour-heard.v1"
        ),
        "UnknownMessage: closeloop.sla.breach-confirmed.v2: known are versions [1]": another(breach).but(
            newer, ce_type="closeloop.sla.breach-confirmed.v2"
        ),
    }


def what_comes_before_its_turn_waits(meridian: Meridian, bus: Bystander, outage: Said) -> str:
    """Version 2 before 1; and version 2 behind a broken 1, whose stream is answered."""
    early, broken = str(uuid4()), str(uuid4())
    bus.say(reading(outage, 2, early, "SVC-NET", minutes=22), reading(outage, 2, broken, "SVC-DNS", minutes=33))
    bus.say(reading(outage, 1, broken, "SVC-DNS", minutes=0).but(data=b"{}"))
    meridian.settle()
    assert readings(meridian, "SVC-NET") == readings(meridian, "SVC-DNS") == []
    bus.say(reading(outage, 1, early, "SVC-NET", minutes=11))
    meridian.settle()
    assert readings(meridian, "SVC-NET") == ["11", "22"]
    assert readings(meridian, "SVC-DNS") == []
    return broken


def reading(like: Said, version: int, stream: str, service: str, minutes: int) -> Said:
    return another(like, version, stream, service=service, outage=f"monitor:{version}", seconds=60 * minutes)


def readings(meridian: Meridian, service: str) -> list[str]:
    return [
        each["value"] for m in meridian.keller.all("improvement", "measures", subject=service) for each in m["readings"]
    ]


def the_rest_flows(meridian: Meridian) -> None:
    """One action for the breach said three times, one for a breach after all the poison, and none besides."""
    meridian.report_outage("SVC-MAIL", "MON-2", "2026-04-14T09:10:00+02:00", "2026-04-14T10:25:00+02:00")
    meridian.settle()
    assert sorted(action["service"] for action in meridian.actions()) == ["SVC-ERP", "SVC-MAIL"]
    assert all(len(action["sources"]) == 1 for action in meridian.actions())


def everything_unclear_is_parked_and_said_so(meridian: Meridian, poison: Mapping[str, Said], held_back: str) -> None:
    parked = len(poison) + 1
    listed = dead_letters(meridian, "list")
    for reason in poison:
        assert f"    {reason}" in listed, f"{reason} is not in\n{listed}"
    assert f"{parked} parked" in listed
    assert f'"stream": "{held_back}"' in dead_letters(meridian, "show", letter_that_holds(listed))
    readiness = eventually(lambda: degraded(meridian), "improvement is degraded", 15)
    assert f"{parked} dead letters are parked" in readiness["degraded"]
    assert f"closeloop_dead_letters_parked {parked}.0" in asked(meridian, "metrics")


def degraded(meridian: Meridian) -> Object | None:
    """Still serving (200), and not quite well."""
    said: Object = json.loads(asked(meridian, "readyz"))
    return said if said["status"] == "degraded" else None


def asked(meridian: Meridian, page: str) -> str:
    answer = meridian.operator.http.get(f"{meridian.world.stack.addresses['improvement']}/{page}")
    assert answer.status_code == 200
    return answer.text


def an_operator_drops_one_and_what_waited_behind_it_is_handled(meridian: Meridian, held_back: str) -> None:
    letter = letter_that_holds(dead_letters(meridian, "list"))
    assert "still parked" in dead_letters(meridian, "replay", letter, succeeds=False)
    assert readings(meridian, "SVC-DNS") == []
    dead_letters(meridian, "drop", letter)
    assert readings(meridian, "SVC-DNS") == ["33"]
    assert letter not in dead_letters(meridian, "list")


def letter_that_holds(listed: str) -> str:
    """The one behind which another message waits."""
    (id,) = re.findall(r"^(\S+)  .* holds 1  ", listed, re.MULTILINE)
    return str(id)


def dead_letters(meridian: Meridian, *words: str, succeeds: bool = True) -> str:
    """`python -m chassis dead-letters improvement ...`, beside the running service."""
    environment = {**os.environ, **meridian.world.stack.services["improvement"].environment}
    environment["PYTHONPATH"] = os.pathsep.join(sys.path)
    command = [sys.executable, "-P", "-m", "chassis", "dead-letters", "improvement", *words]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode == 0) == succeeds, done.stderr
    return done.stdout
