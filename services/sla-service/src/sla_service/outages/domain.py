"""The outages of a service as they really were: overlapping reports are one outage, whatever was agreed (S-09).

The state keeps the outages of the last 400 days, longer than any window in which an action is judged; the reports
themselves stay as side rows.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from events.kernel import Decision, Given, Need, RowsOf, Vouched, event, fingerprint, value
from events.words import Count, Key, Line, Seconds, Sha256
from sla_service import samples
from sla_service.samples import Outage, in_force, report_of, root_of, row_of, unknown_rows

REPORTED = RowsOf(samples.TABLE)
KEPT = timedelta(days=400)


class Status(StrEnum):
    """Whether anything was ever reported."""

    ABSENT = "absent"
    REPORTED = "reported"


# --- commands --------------------------------------------------------------------------------------------------------


@value
class Report:
    """One source reports outages of the service."""

    service: Key
    source: Key
    samples: tuple[Outage, ...]


# --- events ----------------------------------------------------------------------------------------------------------


@event("outages-reported")
class Reported:
    """So many outages were reported; the hash is that of their rows. Outages that ended before are forgotten."""

    service: Key
    rows: Count
    sha256: Sha256
    forgotten_before: datetime


@event("outage-told")
class Told:
    """An outage as it is known now: told when it is new, and again when it is another than was told."""

    name: Line
    sources: tuple[Line, ...]
    started_at: datetime
    ended_at: datetime | None
    seconds: Seconds


@event("outage-taken-back")
class TakenBack:
    """By what is known now there was no such outage, or it is part of another one."""

    name: Line
    started_at: datetime


Event = Reported | Told | TakenBack


def vouches(event: Event) -> Vouched | None:
    """For the rows that came with a report."""
    return Vouched(rows=event.rows, sha256=event.sha256) if isinstance(event, Reported) else None


# --- state -----------------------------------------------------------------------------------------------------------


@value
class Known:
    """One outage: named by its first report, with everybody who reported it."""

    name: str
    sources: tuple[str, ...]
    started_at: datetime
    ended_at: datetime | None


@value
class Outages:
    """The outages of one service."""

    status: Status = Status.ABSENT
    service: str = ""
    outages: tuple[Known, ...] = ()


def evolve(state: Outages, happened: Event) -> Outages:
    match happened:
        case Reported():
            kept = tuple(each for each in state.outages if not _ended_before(each, happened.forgotten_before))
            return replace(state, status=Status.REPORTED, service=happened.service, outages=kept)
        case Told():
            told = Known(
                name=happened.name, sources=happened.sources, started_at=happened.started_at, ended_at=happened.ended_at
            )
            return replace(state, outages=(*_without(state, happened.name), told))
        case TakenBack():
            return replace(state, outages=_without(state, happened.name))


def _without(state: Outages, name: str) -> tuple[Known, ...]:
    return tuple(each for each in state.outages if each.name != name)


def _ended_before(outage: Known, at: datetime) -> bool:
    return outage.ended_at is not None and outage.ended_at < at


# --- decisions -------------------------------------------------------------------------------------------------------


def needs(_: Outages, command: Report) -> Iterable[Need[Any]]:
    return (REPORTED,)


def decide(state: Outages, command: Report, given: Given) -> Sequence[Event] | Decision[Event]:
    known = given[REPORTED]
    rows = unknown_rows(known, (row_of(command.service, command.source, sample) for sample in command.samples))
    if not rows:
        return []
    reported = Reported(
        service=command.service, rows=len(rows), sha256=fingerprint(rows), forgotten_before=given.at - KEPT
    )
    before = evolve(state, reported).outages
    after = [
        outage
        for outage in merged([report_of(row) for row in (*known, *rows)])
        if not _ended_before(outage, reported.forgotten_before)
    ]
    return Decision([reported, *_changes(before, after, given.at)], rows)


def _changes(before: Sequence[Known], after: Sequence[Known], now: datetime) -> Iterable[Event]:
    names, unchanged = {outage.name for outage in after}, frozenset(before)
    for outage in before:
        if outage.name not in names:
            yield TakenBack(name=outage.name, started_at=outage.started_at)
    for outage in after:
        if outage not in unchanged:
            yield Told(
                name=outage.name,
                sources=outage.sources,
                started_at=outage.started_at,
                ended_at=outage.ended_at,
                seconds=int(((outage.ended_at or now) - outage.started_at).total_seconds()),
            )


# --- merging ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Piece:
    """One report as part of an outage; `arrived` is its place in the order of first reports."""

    arrived: int
    name: str
    source: str
    outage: Outage


def merged(reports: Sequence[samples.Report]) -> Sequence[Known]:
    """The union of all reports in force."""
    groups: list[list[Piece]] = []
    end: datetime | None = None
    for piece in sorted(_pieces(reports), key=lambda piece: (piece.outage.started_at, piece.arrived)):
        if groups and (end is None or piece.outage.started_at <= end):
            groups[-1].append(piece)
            end = None if end is None or piece.outage.ended_at is None else max(end, piece.outage.ended_at)
        else:
            groups.append([piece])
            end = piece.outage.ended_at
    return [_as_one(group) for group in groups]


def _pieces(reports: Sequence[samples.Report]) -> Iterable[Piece]:
    root, arrival = root_of(reports), {report: place for place, report in enumerate(reports)}
    for report in in_force(reports):
        first = root(report)
        if isinstance(report.sample, Outage):
            yield Piece(arrival[first], first.label, report.label, report.sample)


def _as_one(group: Sequence[Piece]) -> Known:
    ends = [piece.outage.ended_at for piece in group]
    return Known(
        name=min(group, key=lambda piece: piece.arrived).name,
        sources=tuple(sorted({piece.source for piece in group})),
        started_at=group[0].outage.started_at,
        ended_at=None if None in ends else max(end for end in ends if end is not None),
    )
