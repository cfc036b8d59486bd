"""Golden files: what was once stored or announced stays readable, and what a shape means does not change unnoticed.

`<kind>.events.json` holds an example of every event version ever released, `<kind>.shape-<n>.json` a history with the
state, deadline and claims after each of its events. Both fail when they differ from the code. They are written by
`CLOSELOOP_GOLDEN=write ./closeloop test -k golden`; look at the difference before you commit it:

- an event that was released changed: give it the next version, and an upcaster from the old one;
- a fold changed: raise the aggregate's `shape`.

`releases/<version>/<kind>.events.jsonl` holds whole streams as that release stored them, byte for byte, and
`<kind>.shape-<n>.jsonl` beside it what followed from them by that shape. `./closeloop release VERSION` adds a release.
"""

import json
import os
import types
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints
from uuid import UUID

from pydantic import AwareDatetime, ValidationError

from events.codec import EventCodec, adapter, canonical, codec_of, from_json, to_json
from events.kernel import Aggregate, stored_name

CURE = "If this is meant, run CLOSELOOP_GOLDEN=write ./closeloop test -k golden and look at what changed."

LOG = ".events.jsonl"

CANDIDATES: Mapping[type[Any], Sequence[Any]] = {
    str: ("example", "Europe/Berlin", "0f" * 32, "2026-02", "1"),
    bool: (True,),
    int: (1, 0, 7),
    Decimal: (Decimal("12.50"), Decimal("0.5"), Decimal(1)),
    UUID: (UUID("0197c2a4-7a50-7c3e-9a53-0d6f3b0c8a11"),),
    datetime: (datetime(2026, 2, 12, 9, 30, 0, 250_000, tzinfo=UTC),),
    date: (date(2026, 2, 12),),
    timedelta: (timedelta(minutes=90),),
}
"""Examples of plain types; the first that a type's bounds allow is taken."""


def check_golden(aggregate: Aggregate[Any, Any, Any], folder: Path, history: Sequence[Any] | None = None) -> None:
    """Events and fold of one aggregate; `history` where examples of its events in their declared order make none."""
    _check_events(folder / f"{aggregate.kind}.events.json", aggregate.events, codec_of(aggregate))
    _check_fold(folder / f"{aggregate.kind}.shape-{aggregate.shape}.json", aggregate, history)


def check_golden_contracts(service: str, contracts: Iterable[type[Any]], folder: Path) -> None:
    """The public events of one service."""
    contracts = tuple(contracts)
    _check_events(folder / f"{service}.json", contracts, EventCodec({stored_name(each): each for each in contracts}))


def check_released(log: Path, aggregates: Iterable[Aggregate[Any, Any, Any]]) -> None:
    """The log of one kind in one release: every byte of it is understood, and folds to what today's shape means."""
    kind = log.name.removesuffix(LOG)
    aggregate = next((each for each in aggregates if each.kind == kind), None)
    assert aggregate, f"{log.parent.name} stored {kind}, and nobody can read it any more"
    streams = _read_log(log)
    folds = [_fold_of(aggregate, number, stream) for number, stream in streams.items()]
    path = log.with_name(f"{kind}.shape-{aggregate.shape}.jsonl")
    if _writing() and not path.exists():
        _write_lines(path, folds)
    assert path.exists(), f"{path.name} of {log.parent.name} is missing. {CURE}"
    for before, after in zip(path.read_text().splitlines(), folds, strict=True):
        assert before == canonical(after), (
            f"{kind}: what {log.parent.name} stored folds to something else than shape {aggregate.shape} meant: "
            f"raise the shape. {CURE}\nwas: {before}\nis:  {canonical(after)}"
        )


def record_release(folder: Path, aggregate: Aggregate[Any, Any, Any], streams: Sequence[Sequence[Any]]) -> None:
    """Write the log of one kind for a release, and what follows from it."""
    told = {type(event) for stream in streams for event in stream}
    assert told == set(aggregate.events), f"{aggregate.kind}: no stream tells of {set(aggregate.events) - told}"
    log = folder / f"{aggregate.kind}{LOG}"
    assert not log.exists(), f"{log} is there already: a release is recorded once"
    codec = codec_of(aggregate)
    rows = [(number, *codec.encode(event)) for number, stream in enumerate(streams, 1) for event in stream]
    _write_lines(log, [{"stream": row[0], "type": row[1], "schema": row[2], "data": row[3]} for row in rows])
    folds = [_fold_of(aggregate, number, stream) for number, stream in _read_log(log).items()]
    _write_lines(folder / f"{aggregate.kind}.shape-{aggregate.shape}.jsonl", folds)


def _read_log(log: Path) -> dict[int, list[dict[str, Any]]]:
    streams: dict[int, list[dict[str, Any]]] = {}
    for line in log.read_text().splitlines():
        event = json.loads(line)
        streams.setdefault(event["stream"], []).append(event)
    return streams


def _fold_of(aggregate: Aggregate[Any, Any, Any], number: int, stream: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    codec, state = codec_of(aggregate), aggregate.initial
    for stored in stream:
        name, schema, data = stored["type"], stored["schema"], stored["data"]
        event = codec.decode(name, schema, data)
        assert (name, schema) != stored_name(event) or to_json(event) == data, (
            f"{name} v{schema} is not what was stored: give it the next version, and an upcaster from this one. "
            f"\nwas: {data}\nis:  {to_json(event)}"
        )
        state = aggregate.evolve(state, event)
    return {"stream": number, **_derived(aggregate, state)}


def _check_events(path: Path, classes: Iterable[type[Any]], codec: EventCodec) -> None:
    now = {_label(each): _examples(each) for each in classes}
    if _writing():
        _write(path, {**(_read(path) if path.exists() else {}), **now})
    golden = _read(path)
    for label, examples in now.items():
        assert label in golden, f"{label} is not in {path.name}. {CURE}"
        assert golden[label] == examples, f"{label} is not what it was in {path.name}. {CURE}"
    for label, examples in golden.items():
        for example in examples:
            event = codec.decode(*_parted(label), canonical(example))
            assert label not in now or canonical(example) == to_json(event)


def _check_fold(path: Path, aggregate: Aggregate[Any, Any, Any], history: Sequence[Any] | None) -> None:
    codec = codec_of(aggregate)
    if _writing():
        history = [_example(each, full=True) for each in aggregate.events] if history is None else history
        golden = [{"event": _label(type(each)), "data": json.loads(codec.encode(each)[2])} for each in history]
    else:
        golden = _read(path)
    told = [codec.decode(*_parted(step["event"]), canonical(step["data"])) for step in golden]
    assert {type(each) for each in told} == set(aggregate.events), f"{path.name} does not tell of every event. {CURE}"
    folded = [{**step, **fold} for step, fold in zip(golden, _folds(aggregate, told), strict=True)]
    if _writing():
        _write(path, folded)
        return
    for before, after in zip(golden, folded, strict=True):
        assert before == after, (
            f"{aggregate.kind}: after {before['event']} the fold is not what shape {aggregate.shape} means. "
            f"Raise the shape if it was released. {CURE}"
        )


def _folds(aggregate: Aggregate[Any, Any, Any], history: Iterable[Any]) -> Iterator[dict[str, Any]]:
    state = aggregate.initial
    for event in history:
        state = aggregate.evolve(state, event)
        yield _derived(aggregate, state)
        assert from_json(type(state), to_json(state)) == state, f"{aggregate.kind}: the state does not survive JSON"


def _derived(aggregate: Aggregate[Any, Any, Any], state: Any) -> dict[str, Any]:
    deadline = aggregate.deadline(state)
    return {
        "state": json.loads(to_json(state)),
        "deadline": deadline.astimezone(UTC).isoformat() if deadline else None,
        "claims": sorted(set(aggregate.claims(state))),
    }


def _writing() -> bool:
    return os.environ.get("CLOSELOOP_GOLDEN") == "write"


def _read(path: Path) -> Any:
    assert path.exists(), f"{path} is missing. {CURE}"
    return json.loads(path.read_text())


def _write(path: Path, golden: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(golden, indent=2, ensure_ascii=False) + "\n")


def _write_lines(path: Path, lines: Iterable[Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(canonical(line) + "\n" for line in lines))


def _label(of: type[Any]) -> str:
    name, version = stored_name(of)
    return f"{name} v{version}"


def _parted(label: str) -> tuple[str, int]:
    name, version = label.rsplit(" v", 1)
    return name, int(version)


def _examples(of: type[Any]) -> list[Any]:
    """One example with everything in it, and one with as little as possible."""
    return [json.loads(to_json(_example(of, full=full))) for full in (True, False)]


def _example(of: Any, *, full: bool) -> Any:
    """A value of a type, the same at every call."""
    origin, arguments = get_origin(of), get_args(of)
    if origin is Annotated:
        candidates = [_example(arguments[0], full=each) for each in (full, True)]
        if isinstance(candidates[-1], tuple):
            candidates += [candidates[-1] * length for length in range(2, 10)]
        return _first_allowed(of, candidates)
    if origin in (Union, types.UnionType):
        return _of_a_union([each for each in arguments if each is not type(None)], of, full=full)
    if origin is Literal:
        return arguments[0 if full else -1]
    if origin is tuple:
        return _of_a_tuple(arguments, full=full)
    if is_dataclass(of) and isinstance(of, type):
        hints = get_type_hints(of, include_extras=True)
        return of(**{each.name: _example(hints[each.name], full=full) for each in fields(of)})
    if isinstance(of, type) and issubclass(of, Enum):
        return list(of)[0 if full else -1]
    return CANDIDATES[datetime if of is AwareDatetime else of][0]


def _of_a_union(members: Sequence[Any], of: Any, *, full: bool) -> Any:
    if type(None) in get_args(of) and not full:
        return None
    return _example(members[0 if full else -1], full=full)


def _of_a_tuple(arguments: Sequence[Any], *, full: bool) -> tuple[Any, ...]:
    if len(arguments) != 2 or arguments[1] is not Ellipsis:
        return tuple(_example(each, full=full) for each in arguments)
    alternatives = get_args(arguments[0]) if get_origin(arguments[0]) in (Union, types.UnionType) else arguments[:1]
    return tuple(_example(each, full=True) for each in alternatives) if full else ()


def _first_allowed(of: Any, candidates: Sequence[Any]) -> Any:
    base = get_args(of)[0]
    for candidate in (*candidates, *CANDIDATES.get(base, ())):
        try:
            adapter(of).validate_python(candidate, strict=True)
        except ValidationError:
            continue
        return candidate
    raise TypeError(f"no example of {of} is known: add one to CANDIDATES")
