"""The real input of the demo, from `data/`: incidents of a service desk in 2016, probes of public services in 2026."""

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

DATA = Path(__file__).parent / "data"
DESK_ZONE = ZoneInfo("America/Sao_Paulo")
"""The service desk wrote local times without a zone."""


@dataclass(frozen=True)
class Incident:
    """One row of the service desk; `made_sla` is its own verdict, shown beside ours and never an oracle."""

    number: str
    priority: str
    opened_at: datetime
    resolved_at: datetime | None
    made_sla: bool


@dataclass(frozen=True)
class Probe:
    """One look at a public service."""

    at: datetime
    service: str
    up: bool


@dataclass(frozen=True)
class Outage:
    """From the first probe that found a service down to the next that found it up; None while there is none."""

    service: str
    started_at: datetime
    ended_at: datetime | None


def incidents() -> list[Incident]:
    """All incidents, in the order in which they were opened."""
    found = [
        Incident(
            number=row["number"],
            priority=row["priority"],
            opened_at=_local(row["opened_at"]),
            resolved_at=_local(row["resolved_at"]) if row["resolved_at"] else None,
            made_sla=row["made_sla"] == "true",
        )
        for row in _rows("servicenow-incidents-2016.csv")
    ]
    return sorted(found, key=lambda each: (each.opened_at, each.number))


def probes() -> list[Probe]:
    """All probes, in order of time."""
    found = [
        Probe(at=datetime.fromisoformat(row["observed_at"]), service=row["service"], up=row["status"] == "up")
        for row in _rows("upptime-probes-2026-08.csv")
    ]
    return sorted(found, key=lambda each: (each.at, each.service))


def outages_of(seen: list[Probe]) -> list[Outage]:
    """What these probes tell; a service that was down when last looked at has an outage without an end."""
    found: list[Outage] = []
    down_since: dict[str, datetime] = {}
    for probe in seen:
        if not probe.up:
            down_since.setdefault(probe.service, probe.at)
        elif probe.service in down_since:
            found.append(Outage(probe.service, down_since.pop(probe.service), probe.at))
    open_ones = [Outage(service, since, None) for service, since in down_since.items()]
    return sorted([*found, *open_ones], key=lambda each: (each.started_at, each.service))


def _rows(name: str) -> Iterator[dict[str, str]]:
    with (DATA / name).open(newline="", encoding="utf-8") as file:
        yield from csv.DictReader(file)


def _local(written: str) -> datetime:
    return datetime.fromisoformat(written).replace(tzinfo=DESK_ZONE)
