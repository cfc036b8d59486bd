"""What monitors and service desks report: outages and incidents, kept as side rows that are never altered.

A sample is known by its source and id. A correction is a new sample that names the old one of the same source; then the
old one counts no more, whichever of the two came first.
"""

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from events.kernel import Refused, Row, Unacceptable, value
from events.words import Instant, Key, Line, as_line

TABLE = "sample"


@value
class Outage:
    """The service could not be used; `ended_at` is null while that lasts."""

    id: Key
    started_at: Instant
    ended_at: Instant | None = None
    corrects: Key | None = None


@value
class Incident:
    """A disturbance that somebody reported; `resolved_at` is null while it is open."""

    id: Key
    opened_at: Instant
    resolved_at: Instant | None = None
    priority: Line | None = None
    corrects: Key | None = None


Sample = Outage | Incident


@dataclass(frozen=True)
class Report:
    """A sample together with who reported it."""

    source: str
    sample: Sample

    @property
    def label(self) -> str:
        """How people name it: monitor:MON-88."""
        return label(self.source, self.sample.id)


def label(source: str, id: str) -> str:
    """How people name a sample."""
    return as_line(f"{source}:{id}")


def beginning(sample: Sample) -> datetime:
    """When it began."""
    return sample.started_at if isinstance(sample, Outage) else sample.opened_at


def end(sample: Sample) -> datetime | None:
    """When it was over; None while it lasts."""
    return sample.ended_at if isinstance(sample, Outage) else sample.resolved_at


def refuse_unobservable(samples: Iterable[Sample], now: datetime) -> None:
    """Refuse what cannot have been observed."""
    for each in samples:
        began, over = beginning(each), end(each)
        if max(began, over or began) > now:
            raise Unacceptable(f"{each.id} lies in the future", rule="S-04", sample=each.id, now=now)
        if over is not None and over < began:
            raise Unacceptable(f"{each.id} ends before it begins", rule="S-04", sample=each.id)
        if each.corrects == each.id:
            raise Unacceptable(f"{each.id} cannot correct itself: give the correction an id of its own", rule="S-04")


def row_of(service: str, source: str, sample: Sample) -> Row:
    """The side row of a sample; equal samples give equal bytes, whatever offset their times were written with."""
    body: dict[str, str | None] = {"service": service, "id": sample.id, "corrects": sample.corrects}
    if isinstance(sample, Outage):
        body |= {"kind": "outage", "started_at": _utc(sample.started_at), "ended_at": _utc(sample.ended_at)}
    else:
        body |= {"kind": "incident", "opened_at": _utc(sample.opened_at), "resolved_at": _utc(sample.resolved_at)}
        body |= {"priority": sample.priority}
    written = json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return Row(table=TABLE, source=source, id=sample.id, body=written)


def report_of(row: Row) -> Report:
    """The sample that a row holds."""
    body = json.loads(row.body)
    if body["kind"] == "outage":
        outage = Outage(
            id=row.id,
            started_at=datetime.fromisoformat(body["started_at"]),
            ended_at=_instant(body["ended_at"]),
            corrects=body["corrects"],
        )
        return Report(row.source, outage)
    incident = Incident(
        id=row.id,
        opened_at=datetime.fromisoformat(body["opened_at"]),
        resolved_at=_instant(body["resolved_at"]),
        priority=body["priority"],
        corrects=body["corrects"],
    )
    return Report(row.source, incident)


def _utc(at: datetime | None) -> str | None:
    return None if at is None else at.astimezone(UTC).isoformat()


def _instant(written: str | None) -> datetime | None:
    return None if written is None else datetime.fromisoformat(written)


def unknown_rows(known: Iterable[Row], reported: Iterable[Row]) -> tuple[Row, ...]:
    """The rows not yet known; a sample that was reported before with another content is refused."""
    bodies = {(row.source, row.id): row.body for row in known}
    fresh: list[Row] = []
    for row in reported:
        before = bodies.get((row.source, row.id))
        if before is None:
            fresh.append(row)
            bodies[row.source, row.id] = row.body
        elif before != row.body:
            raise Refused(
                f"{row.id} of {row.source} was reported before with another content: "
                "send a correction, a sample with its own id that names this one in `corrects`",
                rule="S-04",
                sample=row.id,
                source=row.source,
            )
    return tuple(fresh)


def in_force(reports: Sequence[Report]) -> tuple[Report, ...]:
    """The reports that no other report corrects."""
    corrected = {(each.source, each.sample.corrects) for each in reports}
    return tuple(each for each in reports if (each.source, each.sample.id) not in corrected)


def root_of(reports: Sequence[Report]) -> Callable[[Report], Report]:
    """For each report the first one of its chain of corrections: what people knew it by from the start."""
    known = {(each.source, each.sample.id): each for each in reports}

    def root(report: Report) -> Report:
        seen = {report}
        while (before := known.get((report.source, report.sample.corrects or ""))) and before not in seen:
            report = before
            seen.add(report)
        return report

    return root
