"""Attacks on a running stack: by strangers, by tenants on each other, and by people on the rules that bind them.

What is wrong with a token, a header or a body stands in test_bad_input.py; here is what somebody does on purpose.
"""

import asyncio
import json
import re
import socket
import time
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx
import nats
import pytest
from doors import Doors, dumped
from furnished import EVERYTHING, Furnished
from meridian import Meridian

from events.codec import digest
from stack.client import Caller, Rejected

RISK = {
    "title": "SVC-ERP fails",
    "kind": "threat",
    "source": "organization",
    "services": [],
    "customer_impact": "x",
    "cause": "x",
    "event": "x",
    "consequence": "x",
    "owner": "p-ruiz",
}


@pytest.fixture
def meridian(furnished: Furnished) -> Meridian:
    """The victims."""
    return furnished.meridian


@pytest.fixture
def doors(furnished: Furnished) -> Doors:
    """All doors, and a token that opens them."""
    return furnished.doors


@pytest.fixture
def rival(meridian: Meridian) -> Caller:
    """Somebody of another tenant, with every role there."""
    return meridian.world.person("p-rival", *EVERYTHING, tenant="rival")


@pytest.fixture(autouse=True)
def nobody_else_notices(doors: Doors) -> Iterator[None]:
    """After every attack all services are well, and answer at once."""
    yield
    for service, address in doors.addresses.items():
        begun = time.monotonic()
        readiness = doors.http.get(f"{address}/readyz")
        assert (readiness.status_code, readiness.json()["status"]) == (200, "ready"), readiness.text
        assert time.monotonic() - begun < 2, service


def at(address: str) -> tuple[str, int]:
    url = httpx.URL(address)
    assert url.port
    return url.host, url.port


def raw(address: str, request: bytes) -> bytes:
    """What comes back for exactly these bytes."""
    answer = b""
    with socket.create_connection(at(address), timeout=15) as connection:
        connection.sendall(request)
        while part := connection.recv(65_536):
            answer += part
    return answer


# --- strangers -------------------------------------------------------------------------------------------------------


def test_connections_that_say_nothing_or_half_of_it_are_cut_off(doors: Doors) -> None:
    with ExitStack() as held:
        silent = [
            held.enter_context(socket.create_connection(at(doors.addresses["improvement"]), timeout=14))
            for _ in range(200)
        ]
        for each in silent[::2]:
            each.sendall(b"GET /livez HTTP/1.1\r\nHost: here\r\nX-Long: ")
        assert all(each.recv(1000) == b"" for each in silent[1::2])
        assert doors.http.get(f"{doors.addresses['improvement']}/livez").status_code == 200


def test_invented_methods_and_paths_do_not_pile_up_in_the_metrics(doors: Doors) -> None:
    address = doors.addresses["risk"]
    for number in range(50):
        doors.http.request(f"INVENTED{number}", f"{address}/nowhere/{number}")
    told = doors.http.get(f"{address}/metrics").text
    assert 'method="other"' in told
    assert "INVENTED" not in told
    assert "/nowhere" not in told


@pytest.mark.parametrize(
    "target",
    [
        "//v1/audits",
        "/v1//audits",
        "/v1/audits/",
        "/v1/audits/..%2fevents",
        "/v1/audits/%2e%2e/clock",
        "/v1/audits;a=b",
        "http://elsewhere.test/v1/audits",
        "*",
        "/problems/<script>alert(1)</script>",
        "/problems/%3Cscript%3E",
        "/problems/..%2f..%2fetc%2fpasswd",
        "/docs/%3Cb%3E",
    ],
)
def test_other_spellings_of_an_address_lead_nowhere(doors: Doors, target: str) -> None:
    head = f"GET {target} HTTP/1.1\r\nHost: here\r\nAccept: text/html\r\nAuthorization: Bearer {doors.token}\r\n"
    answer = raw(doors.addresses["audit"], f"{head}Connection: close\r\n\r\n".encode())
    assert answer.startswith(b"HTTP/1.1 404"), answer
    assert b"<" not in answer


@pytest.mark.parametrize("host", ["elsewhere.test/v1/clock?", "a/../../v1/clock?x=", "[::1", "@elsewhere:99999", ""])
def test_the_host_header_neither_leads_elsewhere_nor_gets_into_an_answer(doors: Doors, host: str) -> None:
    head = f"GET /v1/role-holders?limit=1 HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {doors.token}\r\n"
    answer = raw(doors.addresses["audit"], f"{head}Connection: close\r\n\r\n".encode()).decode()
    assert answer.startswith("HTTP/1.1 200"), answer
    assert re.search(r"\r\nlink: </v1/role-holders\?", answer), answer
    assert "elsewhere" not in answer


@pytest.mark.parametrize(
    "header",
    [
        b'X-Request-Id: a"},{"level":"error',
        b"X-Correlation-Id: a\x1b[31m",
        b"X-Correlation-Id: a\r\n b",
        b"X-Request-Id: \xff\xfe",
        b"Authorization: Bearer \xff.\xfe.\xc3\xa9",
        b"Content-Length: -1",
        b"Content-Length: 5\r\nContent-Length: 6",
        b"Content-Length: " + b"9" * 5000,
        b"Transfer-Encoding: chunked\r\nContent-Length: 3",
        b"Upgrade: websocket\r\nConnection: upgrade",
    ],
)
def test_odd_headers_are_refused_and_write_nothing_into_log_or_answer(
    doors: Doors, meridian: Meridian, header: bytes
) -> None:
    head = b"POST /v1/risks HTTP/1.1\r\nHost: here\r\nConnection: close\r\n"
    answer = raw(doors.addresses["risk"], head + header + b"\r\n\r\n")
    assert answer.split(b" ")[1] in (b"400", b"401"), answer
    assert b"\x1b" not in answer
    log = (meridian.world.stack.folder / "logs" / "risk.log").read_bytes()
    assert b"\x1b" not in log
    for line in log.splitlines():
        json.loads(line)


def test_the_signing_key_and_the_database_are_their_owners_alone(meridian: Meridian) -> None:
    folder = meridian.world.stack.folder
    modes = {name: (folder / name).stat().st_mode & 0o777 for name in ("identity", "identity/key.pem")}
    assert modes == {"identity": 0o700, "identity/key.pem": 0o600}
    for name in ("postgres/cluster", "postgres/socket", "nats/jetstream"):
        assert (folder / name).stat().st_mode & 0o077 == 0, name
    signing = (folder / "identity" / "key.pem").read_bytes().splitlines()[1]
    for log in (folder / "logs").iterdir():
        assert signing not in log.read_bytes()


# --- who wants to be a burden ----------------------------------------------------------------------------------------


def burdens() -> dict[str, tuple[str, str, bytes]]:
    """Bodies within the limit on bytes that would keep a service busy, or everybody from hearing anything."""
    many_services = [f"S{number:04}{'a' * 95}" for number in range(10_000)]
    return {
        "wrong samples": (
            "sla",
            "/v1/measurements",
            b'{"service":"S","source":"m","samples":[' + b",".join([b"{}"] * 340_000) + b"]}",
        ),
        "numbers for parties": (
            "sla",
            "/v1/slas",
            b'{"service":"S","customer":"c","terms":{"parties":[' + b",".join([b"1"] * 500_000) + b"]}}",
        ),
        "many lists": ("sla", "/v1/slas", dumped({str(n): [0] * 900 for n in range(300)})),
        "unknown names": ("sla", "/v1/slas", dumped({f"n{number}": 1 for number in range(80_000)})),
        "more services than the bus carries": ("risk", "/v1/risks", dumped({**RISK, "services": many_services})),
    }


@pytest.mark.parametrize("burden", burdens())
def test_a_body_full_of_values_is_refused_before_it_costs_anything(doors: Doors, rival: Caller, burden: str) -> None:
    service, path, content = burdens()[burden]
    assert len(content) <= 1024 * 1024
    (operation,) = [each for each in doors.operations("POST") if (each.service, each.path) == (service, path)]
    begun = time.monotonic()
    answer = doors.try_out(operation, content=content, token=rival.token)
    assert (answer.status_code, answer.json()["type"]) == (413, "/problems/too-large"), answer.text[:300]
    assert time.monotonic() - begun < 3


def test_one_report_cannot_concern_decades(doors: Doors, rival: Caller) -> None:
    """Each target and month is a decision of its own: ten years of outages would be hours of work."""
    targets = [{"metric": "availability", "key": f"t{number}", "percent": "99.9"} for number in range(20)]
    agreed(rival, targets, since="2006-01-01")
    samples = [
        {"id": f"S-{number}", "started_at": "2006-01-01T00:00:00Z", "ended_at": "2026-01-31T00:00:00Z"}
        for number in range(1000)
    ]
    begun = time.monotonic()
    with pytest.raises(Rejected) as rejected:
        rival.post("sla", "measurements", {"service": "SVC-R", "source": "m", "samples": samples})
    assert (rejected.value.status, rejected.value.problem["rule"]) == (422, "S-04")
    assert time.monotonic() - begun < 3


def agreed(caller: Caller, targets: list[Any], since: str) -> None:
    """A service of another tenant, with an agreement in force."""
    caller.post("sla", "services", {"key": "SVC-R", "name": "R", "owner": "p-rival", "supplier": None})
    terms = {
        "parties": [{"name": "R", "role": "provider"}],
        "targets": targets,
        "time_zone": "Europe/Berlin",
        "measurement": {"source": "m", "method": "x"},
        "review_every_days": 90,
        "audience": ["R"],
        "effective_from": since,
    }
    sla = caller.post("sla", "slas", {"service": "SVC-R", "customer": "r", "terms": terms})
    for side, person in (("provider", "p-rival"), ("customer", "c-rival")):
        sla = caller.act("sla", f"slas/{sla['id']}", "signature", {"side": side, "person": person, "on": "2026-01-01"})


def test_a_forged_cursor_is_refused_and_no_mistake_of_ours(doors: Doors) -> None:
    id = doors.ids["risk", "risks"]
    scope = digest(f"meridian risk {id}")[:16]
    for version in (True, 1.0, 0, 2**40, "1", None):
        cursor = urlsafe_b64encode(json.dumps([scope, version]).encode()).decode().rstrip("=")
        url = f"{doors.addresses['risk']}/v1/risks/{id}/history?cursor={cursor}"
        answer = doors.http.get(url, headers={"Authorization": f"Bearer {doors.token}"})
        assert (answer.status_code, answer.json()["type"]) == (422, "/problems/invalid-parameter"), answer.text


# --- tenants and persons ---------------------------------------------------------------------------------------------


def test_an_idempotency_key_answers_nobody_but_who_used_it(meridian: Meridian, rival: Caller) -> None:
    """Neither another tenant nor a colleague learns by a key, or by a collision, what somebody else did."""
    body = {"key": "SVC-SECRET", "name": "Secret", "owner": "p-ruiz", "supplier": None}
    ours = meridian.ruiz.post("sla", "services", body, key="guessed")
    theirs = rival.post("sla", "services", body, key="guessed")
    assert (theirs["version"], theirs["id"] != ours["id"]) == (1, True)
    colleague = meridian.world.person("p-colleague", "service-level-manager")
    with pytest.raises(Rejected) as rejected:
        colleague.post("sla", "services", body, key="guessed")
    assert rejected.value.status in (409, 412)
    meridian.settle()


def test_another_tenants_feed_history_and_past_are_empty(doors: Doors, rival: Caller) -> None:
    for service, address in doors.addresses.items():
        answer = doors.http.get(f"{address}/v1/events", headers={"Authorization": f"Bearer {rival.token}"}).json()
        assert "meridian" not in json.dumps(answer).lower(), service
    a_moment_ago = datetime.now(UTC) - timedelta(seconds=1)
    for (service, collection), id in doors.ids.items():
        for tail in (f"?as_of={a_moment_ago:%Y-%m-%dT%H:%M:%SZ}", "/history", ""):
            url = f"{doors.addresses[service]}/v1/{collection}/{id}{tail}"
            answer = doors.http.get(url, headers={"Authorization": f"Bearer {rival.token}"})
            assert answer.status_code == 404, (url, answer.text)


def test_nobody_gives_or_takes_the_own_roles(meridian: Meridian) -> None:
    """Else whoever assigns roles could accept risks and approve extensions, or become independent overnight."""
    own = {"person": "p-okafor", "role": "process-owner", "since": "2025-01-01"}
    with pytest.raises(Rejected) as rejected:
        meridian.okafor.post("audit", "role-holders", own)
    assert (rejected.value.status, rejected.value.problem["rule"]) == (403, "P-01")
    colleague = meridian.world.person("p-colleague", "audit-programme-manager")
    held = colleague.post("audit", "role-holders", {**own, "role": "service-owner"})
    (duty,) = held["assignments"]
    ending = {"assignment": duty["assignment"], "until": "2025-01-01", "reason": "I was never it"}
    with pytest.raises(Rejected) as rejected:
        meridian.okafor.act("audit", f"role-holders/{held['id']}", "endings", ending)
    assert (rejected.value.status, rejected.value.problem["rule"]) == (403, "P-01")
    meridian.settle()


def test_one_person_does_not_sign_for_both_sides(meridian: Meridian) -> None:
    terms = meridian.ruiz.get("sla", "slas", service="SVC-ERP")["items"][0]["versions"][0]["terms"]
    draft = {"service": "SVC-ERP", "customer": "another-bank", "terms": terms}
    sla = meridian.ruiz.post("sla", "slas", draft)
    signature = {"side": "provider", "person": "p-ruiz", "on": "2026-02-01"}
    meridian.ruiz.act("sla", f"slas/{sla['id']}", "signature", signature)
    with pytest.raises(Rejected) as rejected:
        meridian.ruiz.act("sla", f"slas/{sla['id']}", "signature", {**signature, "side": "customer"})
    assert (rejected.value.status, rejected.value.problem["rule"]) == (409, "S-03")
    meridian.settle()


# --- the bus ---------------------------------------------------------------------------------------------------------


def forged(tenant: str = "rival", **changed: str) -> tuple[str, dict[str, str], bytes]:
    """A role, announced by somebody who is not the audit service."""
    assignment = str(uuid4())
    headers = {
        "Nats-Msg-Id": str(uuid4()),
        "ce-specversion": "1.0",
        "ce-id": str(uuid4()),
        "ce-source": f"/closeloop/{tenant}/audit",
        "ce-type": "closeloop.audit.role-assigned.v1",
        "ce-subject": str(uuid4()),
        "ce-time": "2026-02-01T00:00:00+00:00",
        "closeloop-public-version": "1",
        **changed,
    }
    body = {
        "assignment": assignment,
        "person": "p-forger",
        "role": "cio",
        "service": None,
        "since": "2025-01-01",
        "until": None,
    }
    return f"closeloop.{tenant}.audit.role-holder.role-assigned.v1", headers, json.dumps(body).encode()


def publish(url: str, *messages: tuple[str, dict[str, str], bytes]) -> None:
    async def now() -> None:
        connection = await nats.connect(url)
        for subject, headers, body in messages:
            await connection.jetstream().publish(subject, body, headers=headers)
        await connection.close()

    asyncio.run(now())


def test_who_may_publish_is_believed_but_only_about_the_tenant_in_the_subject(
    meridian: Meridian, rival: Caller
) -> None:
    """The broker is trusted by design (docs/operations.md); what a message carries along is checked all the same."""
    publish(meridian.world.stack.nats_url, forged(**{"closeloop-correlation": "a%0D%0Ab" + "x" * 20_000}))
    meridian.settle()
    (duties,) = rival.all("risk", "known-duties", person="p-forger")
    (entry,) = rival.all("risk", f"known-duties/{duties['id']}/history")
    assert re.fullmatch(r"[\x20-\x7e]{1,128}", entry["correlation"])
    ours = meridian.world.person("p-vogt", "risk-manager")
    assert ours.get("risk", "known-duties", person="p-forger")["items"] == []
