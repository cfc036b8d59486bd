"""Processes are killed, two at a time, while findings are raised: what was told is not lost, and nothing is done twice.

Clients do what the documentation asks of them: whatever is no answer is asked again under the same Idempotency-Key.
The seed of the moments is printed; `CLOSELOOP_SEED` plays them again, `CLOSELOOP_KILL_ROUNDS` plays them longer.
"""

import os
import random
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from decimal import Decimal
from threading import Event
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import httpx
from meridian import SLM, Meridian
from world import Begin

from chassis.service import load
from chassis.submissions import submissions
from events.codec import to_json
from events.handling import refold
from events.store.database import Database
from events.store.postgres import PostgresStore
from stack.client import Caller, Object, eventually
from stack.cluster import Stack
from stack.postgres import plain_url
from stack.processes import run_now

ROUNDS = int(os.environ.get("CLOSELOOP_KILL_ROUNDS", "1"))
SEED = int(os.environ.get("CLOSELOOP_SEED", "0")) or random.SystemRandom().randrange(1, 10**6)
WELL_WITHIN = 30.0
"""Seconds from the start of whatever was killed until every service is ready and finds nothing amiss."""
SERVICES = tuple(f"SVC-{number}" for number in range(4))


@dataclass(frozen=True)
class Stubborn(Caller):
    """Asks again, under the same key, until there is an answer that says what has become of it."""

    asked_again: list[str] = field(default_factory=list)

    def ask(self, method: str, service: str, path: str, **more: Any) -> httpx.Response:
        give_up = time.monotonic() + 60
        while True:
            try:
                response = super().ask(method, service, path, **more)
                why = f"{response.status_code} {response.text[:200]}"
                done = response.status_code != httpx.codes.SERVICE_UNAVAILABLE
            except httpx.TransportError as error:
                why, done = repr(error), False
            if done or time.monotonic() > give_up:
                return response
            self.asked_again.append(f"{method} {service} {path}: {why}")
            time.sleep(0.1)


@dataclass
class Told:
    """What was answered with a 2xx: the issued findings, and the services with a reported outage."""

    findings: list[Object] = field(default_factory=list)
    outages: list[str] = field(default_factory=list)


def test_nothing_told_is_lost_or_done_twice_whoever_is_killed(begin: Begin) -> None:
    print("seed", SEED)
    chance = random.Random(SEED)
    meridian = Meridian(begin("2026-04-14T12:00:00+02:00"))
    audit = prepared(meridian)
    told, enough = Told(), Event()
    with ThreadPoolExecutor(max_workers=4) as threads:
        work = [
            threads.submit(raise_findings, meridian, audit, told, enough),
            threads.submit(raise_findings, meridian, audit, told, enough),
            threads.submit(report_outages, meridian, told, enough),
        ]
        try:
            for victims in pairs(meridian.world.stack, chance):
                kill_and_heal(meridian, victims, chance)
                assert not any(failed(each) for each in work)
        finally:
            enough.set()
    for each in work:
        each.result()
    print(len(told.findings), "findings,", len(told.outages), "outages")
    started = time.monotonic()
    meridian.settle()
    print(f"settled after {time.monotonic() - started:.1f} s")
    everything_told_is_there(meridian, told)
    every_source_is_in_one_action(meridian, told)
    for service in meridian.world.stack.services.values():
        run_now(the_books_are_right(service.name, service.environment["CLOSELOOP_DATABASE_URL"]))


def prepared(meridian: Meridian) -> Object:
    meridian.appoint_everybody()
    for service in SERVICES:
        meridian.list_service(service)
        meridian.agree(service, starts="2026-04-01", signed="2026-04-01")
    audit = meridian.plan_audit(SERVICES, starts="2026-04-14", ends="2026-04-17")
    meridian.start_audit(audit)
    return audit


def stubborn(caller: Caller) -> Stubborn:
    return Stubborn(caller.addresses, caller.token, httpx.Client(timeout=15, trust_env=False))


def failed(work: Future[None]) -> bool:
    return work.done() and work.exception() is not None


# --- the load ---------------------------------------------------------------------------------------------------------


def raise_findings(meridian: Meridian, audit: Object, told: Told, enough: Event) -> None:
    weiss, number = stubborn(meridian.weiss), 0
    while not enough.is_set() or number < 3:
        number += 1
        body = {
            "audit": audit["id"],
            "criterion": SLM,
            "service": SERVICES[number % len(SERVICES)],
            "grade": "major",
            "statement": f"Finding {uuid4()}",
            "evidence": [meridian.evidence("2026-04-14T08:00:00Z")],
        }
        finding = weiss.post("audit", "findings", body)
        told.findings.append(weiss.act("audit", f"findings/{finding['id']}", "issue"))
        enough.wait(0.05)


def report_outages(meridian: Meridian, told: Told, enough: Event) -> None:
    """75 minutes where 43.2 are allowed."""
    monitor = stubborn(meridian.monitor)
    for service in SERVICES:
        sample = {"id": f"INC-{service}", "started_at": "2026-04-14T09:10:00+02:00"}
        ended = {"ended_at": "2026-04-14T10:25:00+02:00"}
        monitor.post("sla", "measurements", {"service": service, "source": "desk", "samples": [{**sample, **ended}]})
        told.outages.append(service)
        enough.wait(1)


# --- the faults -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Victim:
    """Something that is killed, and started again."""

    name: str
    kill: Callable[[], object]
    start: Callable[[], object]


def pairs(stack: Stack, chance: random.Random) -> Iterator[list[Victim]]:
    """In each round everybody is killed once, always two together."""
    assert stack.postgres
    services = [Victim(name, service.kill, service.child.start) for name, service in stack.services.items()]
    postgres = Victim("postgres", stack.postgres.kill, stack.postgres.start)
    for _ in range(ROUNDS):
        order = chance.sample([*services, postgres, nats_of(stack, loses_all=chance.random() < 0.5)], 6)
        yield from (order[n : n + 2] for n in range(0, len(order), 2))


def nats_of(stack: Stack, *, loses_all: bool) -> Victim:
    """The broker is disposable: also all that it holds may go."""
    nats = stack.nats
    assert nats

    def kill() -> None:
        nats.kill()
        if loses_all:
            shutil.rmtree(nats.folder / "jetstream")

    return Victim("nats with all it held" if loses_all else "nats", kill, nats.start)


def kill_and_heal(meridian: Meridian, victims: Sequence[Victim], chance: random.Random) -> None:
    names = " and ".join(victim.name for victim in victims)
    for victim in victims:
        time.sleep(chance.uniform(0.1, 0.6))
        victim.kill()
    time.sleep(chance.uniform(0.0, 0.6))
    for victim in victims:
        victim.start()
    started = time.monotonic()
    eventually(lambda: all_ready(meridian), f"all ready after {names}", WELL_WITHIN)
    ready = time.monotonic() - started
    eventually(lambda: not amiss(meridian), f"nothing amiss after {names}", WELL_WITHIN)
    print(f"{names}: ready after {ready:.1f} s, nothing amiss after {time.monotonic() - started:.1f} s")


def health(meridian: Meridian) -> Iterator[tuple[int, Mapping[str, Any]]]:
    for service in meridian.world.stack.services.values():
        try:
            answer = meridian.operator.http.get(f"{service.url}/readyz")
            yield answer.status_code, answer.json()
        except httpx.TransportError as error:
            yield 0, {"degraded": [repr(error)]}


def all_ready(meridian: Meridian) -> bool:
    return all(status == httpx.codes.OK for status, _ in health(meridian))


def amiss(meridian: Meridian) -> list[str]:
    return [each for _, said in health(meridian) for each in said.get("degraded", ["not ready"])]


# --- what must hold ---------------------------------------------------------------------------------------------------


def everything_told_is_there(meridian: Meridian, told: Told) -> None:
    for finding in told.findings:
        now = meridian.weiss.get("audit", f"findings/{finding['id']}")
        assert now["number"] == finding["number"]
        assert now["version"] >= finding["version"]
    assert len({finding["number"] for finding in told.findings}) == len(told.findings)
    for service in told.outages:
        (period,) = meridian.ruiz.all("sla", "periods", service=service, month="2026-04")
        assert (period["status"], Decimal(period["used_minutes"])) == ("breached", 75), period


def every_source_is_in_one_action(meridian: Meridian, told: Told) -> None:
    periods = [period["id"] for period in meridian.ruiz.all("sla", "periods", status="breached")]
    sources = [entry["source"]["id"] for action in meridian.actions() for entry in action["entries"]]
    assert sorted(sources) == sorted([*(finding["id"] for finding in told.findings), *periods])
    assert len(periods) == len(told.outages)


async def the_books_are_right(name: str, url: str) -> None:
    """Positions and versions without gap, each state the fold of its events, nothing parked, nothing left waiting."""
    sql = await asyncpg.connect(plain_url(url))
    database = Database.at(url)
    try:
        gaps = "SELECT count(*) FROM (SELECT position, row_number() OVER (ORDER BY position) AS n FROM events) e"
        assert await sql.fetchval(f"{gaps} WHERE position <> n") == 0
        assert await sql.fetchval("SELECT (SELECT count(*) FROM events) = position FROM head")
        for number, which in (("version", "true"), ("public_version", "public_body IS NOT NULL")):
            count = f"SELECT count(*) FROM events WHERE {which} GROUP BY tenant, kind, stream"
            assert not await sql.fetch(f"{count} HAVING max({number}) <> count(*) OR min({number}) <> 1")
        for left in ("waiting", "dead_letters WHERE status = 'parked'", "parked_deadlines"):
            assert await sql.fetchval(f"SELECT count(*) FROM {left}") == 0, left
        await states_are_folds(name, sql, PostgresStore(database))
    finally:
        await database.close()
        await sql.close()


async def states_are_folds(name: str, sql: asyncpg.Connection, store: PostgresStore) -> None:
    aggregates = {each.kind: each for each in (submissions, *(feature.aggregate for feature in load(name).features))}
    held: set[tuple[str, str, UUID]] = set()
    for row in await sql.fetch("SELECT * FROM states"):
        aggregate = aggregates[row["kind"]]
        state = refold(aggregate, await store.stream(row["tenant"], row["kind"], row["id"]))
        same = await sql.fetchval("SELECT $1::jsonb = $2::jsonb", row["state"], to_json(state))
        assert same, f"{row['kind']} {row['id']}"
        assert row["deadline"] == aggregate.deadline(state)
        held |= {(row["tenant"], key, row["id"]) for key in aggregate.claims(state)}
    claims = await sql.fetch("SELECT tenant, key, stream FROM claims")
    assert {(claim["tenant"], claim["key"], claim["stream"]) for claim in claims} == held
