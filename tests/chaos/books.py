"""Each database by itself: numbers without gaps, every event of a known command, every state the fold of its events."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any
from uuid import UUID

from rows import Rows, Stream
from verdict import Verdict

from chassis.service import load
from chassis.submissions import submissions
from events.codec import to_json
from events.folding import Folding
from events.handling import metadata_of, refold
from events.kernel import Aggregate, derived_id
from events.store.port import StoredEvent
from events.verifying import Evidence, History
from stack.identity import TENANT


def check_books(rows: Rows, verdict: Verdict) -> None:
    """Everything that a service's database promises by itself."""
    name = rows.service
    verdict.wrong += [f"{name}: {each}" for each in (*_numbers(rows), *_left_over(rows), *_side_rows(rows))]
    _commands_and_events(rows, verdict)
    verdict.phantom += [f"{name}: {each}" for each in _of_strangers(rows)]
    verdict.duplicated += [f"{name}: two have the number {each['number']}" for each in rows.numbered_twice]
    folds = dict(_folds(rows))
    verdict.wrong += [f"{name}: {each}" for each in (*_states(rows, folds), *_claims(rows, folds))]
    verdict.lost += [f"{name}: {each}" for each in _evidence(rows, folds)]
    verdict.phantom += [f"{name}: {each}" for each in _deadlines(rows, folds)]


# --- numbers ----------------------------------------------------------------------------------------------------------


def _numbers(rows: Rows) -> Iterator[str]:
    positions = [event.position for event in rows.new]
    if positions != rows.positions:
        missing = sorted(set(rows.positions) ^ set(positions))
        yield f"positions {rows.after + 1} to {rows.position} are not dense: {missing[:5]}"
    for before, event in pairwise(rows.new):
        if event.recorded_at < before.recorded_at:
            yield f"position {event.position} was recorded before the one before it"
    for (_, kind, stream), events in rows.streams().items():
        if [event.version for event in events] != list(range(1, len(events) + 1)):
            yield f"{kind} {stream}: versions {[event.version for event in events]}"
        public = [event.public_version for event in events if event.public_body is not None]
        if public != list(range(1, len(public) + 1)):
            yield f"{kind} {stream}: public versions {public}"


def _left_over(rows: Rows) -> Iterator[str]:
    for each in rows.waiting:
        yield f"version {each['version']} of {each['source']} {each['stream']} still waits"
    for each in rows.dead_letters:
        yield f"parked: {each['subject']}: {each['reason']}"
    for each in rows.parked_deadlines:
        yield f"deadline of {each['kind']} {each['stream']} is parked: {each['reason']}"
    for each in rows.overdue:
        yield f"{each['kind']} {each['id']} was due at {each['deadline']}, and nothing happened"


def _of_strangers(rows: Rows) -> Iterator[str]:
    """Only one tenant is at work; ids do not tell, because those of a reaction are the same wherever it lands."""
    for table in ("events", "states", "claims", "commands", "inbox", "side_rows"):
        found = {_tenant(each) for each in getattr(rows, table)} - {TENANT}
        yield from (f"{table} of {tenant}, who has asked for nothing" for tenant in sorted(found))


def _tenant(row: Any) -> str:
    return str(row.tenant if isinstance(row, StoredEvent) else row["tenant"])


def _side_rows(rows: Rows) -> Iterator[str]:
    streams = {event.position: (event.tenant, event.kind, event.stream) for event in rows.events}
    for each in rows.side_rows:
        at_home = (each["tenant"], each["kind"], each["stream"])
        if each["position"] > rows.after and streams.get(each["position"]) != at_home:
            yield f"no event vouches for the row {each['name']} {each['source']} {each['id']}"


def _evidence(rows: Rows, folds: Mapping[Stream, Any]) -> Iterator[str]:
    """Each event that vouches for rows has them, so many and with that content."""
    found: dict[Stream, list[Any]] = {}
    for each in rows.side_rows:
        found.setdefault((each["tenant"], each["kind"], each["stream"]), []).append(each)
    for stream, (aggregate, _, events) in folds.items():
        history = History(aggregate)
        for event in events:
            history.add(event)
        evidence = Evidence(history.vouched)
        for each in found.get(stream, ()):
            evidence.add(each["position"], each["body"])
        yield from (f"{stream[1]} {stream[2]}: {fault}" for fault in evidence.faults())


# --- commands and events ----------------------------------------------------------------------------------------------


def _commands_and_events(rows: Rows, verdict: Verdict) -> None:
    commands = {row["id"]: row for row in rows.commands}
    made: dict[UUID, list[StoredEvent]] = {}
    for event in rows.new:
        command = _by(event)
        made.setdefault(command, []).append(event)
        if command not in commands:
            verdict.phantom.append(f"{_at(rows, event)}: there is no record of its command {command}")
    for id, events in made.items():
        if [event.id for event in events] != [derived_id(id, number) for number in range(len(events))]:
            verdict.duplicated.append(f"{_at(rows, events[0])}: command {id} has other events than it decided")
        last, record = events[-1], commands.get(id)
        if record and (record["kind"], record["stream"], record["version"]) != (last.kind, last.stream, last.version):
            verdict.wrong.append(f"{_at(rows, last)}: the record of command {id} names another place")
    verdict.lost += [f"{rows.service}: {each}" for each in _vanished(rows)]


def _vanished(rows: Rows) -> Iterator[str]:
    """What a command is on record to have made, and is not there."""
    lengths = {stream: len(events) for stream, events in rows.streams().items()}
    for row in rows.commands:
        length = lengths.get((row["tenant"], row["kind"], row["stream"]), 0 if rows.after == 0 else row["version"])
        if row["version"] > length:
            yield f"version {row['version']} of {row['kind']} {row['stream']}, made by command {row['id']}"


def _at(rows: Rows, event: StoredEvent) -> str:
    return f"{rows.service} {event.position} ({event.kind} {event.type} {event.stream})"


# --- states -----------------------------------------------------------------------------------------------------------


def aggregates_of(service: str) -> dict[str, Aggregate[Any, Any, Any]]:
    """By kind, with the machinery's own."""
    return {each.kind: each for each in (submissions, *(feature.aggregate for feature in load(service).features))}


def _folds(rows: Rows) -> Iterator[tuple[Stream, tuple[Aggregate[Any, Any, Any], Any, Sequence[StoredEvent]]]]:
    aggregates = aggregates_of(rows.service)
    for stream, events in rows.streams().items():
        aggregate = aggregates[stream[1]]
        yield stream, (aggregate, refold(aggregate, events), events)


def _states(rows: Rows, folds: Mapping[Stream, Any]) -> Iterator[str]:
    found = {(row["tenant"], row["kind"], row["id"]): row for row in rows.states}
    for stream in found.keys() ^ folds.keys():
        yield f"{stream[1]} {stream[2]}: {'a state without events' if stream in found else 'events without a state'}"
    for stream in found.keys() & folds.keys():
        aggregate, state, events = folds[stream]
        wanted = {
            "version": len(events),
            "public_version": sum(event.public_body is not None for event in events),
            "shape": aggregate.shape,
            "state": json.loads(to_json(state)),
            "deadline": aggregate.deadline(state),
        }
        row = {**found[stream], "state": json.loads(found[stream]["state"])}
        differing = [name for name, value in wanted.items() if row[name] != value]
        if differing:
            yield f"{stream[1]} {stream[2]}: {', '.join(differing)} of the state row is not what its events say"


def _claims(rows: Rows, folds: Mapping[Stream, Any]) -> Iterable[str]:
    held = {(row["tenant"], row["key"], row["stream"]) for row in rows.claims}
    wanted = {
        (tenant, key, stream)
        for (tenant, _, stream), (aggregate, state, _) in folds.items()
        for key in aggregate.claims(state)
    }
    return (f"claim {key} of {stream} is not what its state says" for _, key, stream in held ^ wanted)


# --- deadlines --------------------------------------------------------------------------------------------------------


def _deadlines(rows: Rows, folds: Mapping[Stream, Any]) -> Iterator[str]:
    """What nobody asked for and no news calls for was due: at a deadline that the stream had, and not before it."""
    for row in rows.commands:
        stream = (row["tenant"], row["kind"], row["stream"])
        if row["origin"] != "deadline" or row["position"] <= rows.after or stream not in folds:
            continue
        aggregate, _, events = folds[stream]
        due = _due_commands(aggregate, stream, events[: row["version"]])
        about = f"command {row['id']} ({row['kind']} {row['stream']} version {row['version']})"
        if row["id"] not in due:
            yield f"no deadline calls for {about}"
        elif any(_by(event) == row["id"] and _at_business(event) < due[row["id"]] for event in events):
            yield f"{about} came before its deadline {due[row['id']]}"


def _due_commands(
    aggregate: Aggregate[Any, Any, Any], stream: Stream, events: Sequence[StoredEvent]
) -> dict[UUID, datetime]:
    """The deadline after each event, by the command that it calls for."""
    found, folding = dict[UUID, datetime](), Folding(aggregate)
    for event in events:
        folding.add(event)
        if deadline := aggregate.deadline(folding.state):
            at = deadline.astimezone(UTC)
            found[derived_id("deadline", *stream, event.version, at.isoformat())] = at
    return found


def _by(event: StoredEvent) -> UUID:
    return UUID(metadata_of(event)["command"])


def _at_business(event: StoredEvent) -> datetime:
    return datetime.fromisoformat(metadata_of(event)["at"])
