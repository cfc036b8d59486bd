"""Records a release: whole streams of every kind as this code stores them, and what follows from them.

    ./closeloop release 0.2.0

The streams are the histories that the services' own tests tell, as few as tell of every event, and of every event after
every other that ever came before it. They stay for ever: later code must read every byte of them (`events.golden`).
"""

import importlib
import json
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = {
    "libs/chassis/tests": "chassis.submissions",
    **{f"services/{name}-service/tests": f"{name}_service.main" for name in ("audit", "sla", "risk", "improvement")},
}
MOST = 60

Stream = Sequence[Any]
Pairs = set[tuple[str, str]]


class Histories:
    """A pytest plugin that keeps histories which tell of something new, by kind."""

    def __init__(self) -> None:
        self.by_kind: dict[str, list[Stream]] = {}
        self._told: dict[str, Pairs] = {}

    def pytest_configure(self) -> None:
        testing = importlib.import_module("events.testing")
        told: Callable[..., Any] = testing.Scenario.when

        def when(scenario: Any, command: Any) -> Any:
            outcome = told(scenario, command)
            self.keep(scenario.aggregate.kind, [*scenario.history, *outcome.events])
            return outcome

        testing.Scenario.when = when

    def pytest_runtest_teardown(self, item: pytest.Item) -> None:
        """Some services tell their stories in a world of streams."""
        world = getattr(item, "funcargs", {}).get("world")
        for stream in getattr(world, "streams", {}).values():
            self.keep(stream.aggregate.kind, stream.events)

    def keep(self, kind: str, stream: Stream) -> None:
        """Keep a stream, if it tells of something new."""
        told, new = self._told.setdefault(kind, set()), pairs(stream)
        if not new <= told:
            told |= new
            self.by_kind.setdefault(kind, []).append(stream)


def pairs(stream: Stream) -> Pairs:
    """Which event follows which."""
    names = ["", *(type(event).__name__ for event in stream)]
    return set(pairwise(names))


def fewest(streams: Sequence[Stream]) -> list[Stream]:
    """Those that together tell of all, the longest first."""
    chosen, told = list[Stream](), Pairs()
    for stream in sorted(streams, key=len, reverse=True):
        if not pairs(stream) <= told:
            told |= pairs(stream)
            chosen.append(stream)
    return chosen[:MOST]


def aggregates_in(module: str) -> Iterator[Any]:
    """The aggregates of a service, or of the chassis itself."""
    found = importlib.import_module(module)
    if hasattr(found, "service"):
        yield from (feature.aggregate for feature in found.service.features)
    else:
        yield found.submissions


def examples(folder: Path, aggregate: Any) -> Stream:
    """The history that the golden fold of today's shape tells."""
    codec, golden = importlib.import_module("events.codec"), folder / f"{aggregate.kind}.shape-{aggregate.shape}.json"
    steps = json.loads(golden.read_text())
    decode = codec.codec_of(aggregate).decode
    return [
        decode(name, int(version), codec.canonical(step["data"]))
        for step in steps
        for name, _, version in [step["event"].rpartition(" v")]
    ]


def record(version: str) -> None:
    """Write the logs of a release."""
    histories = Histories()
    tests = [str(ROOT / folder) for folder in FOLDERS if folder.startswith("services")] + [
        str(ROOT / "libs/duties/tests")
    ]
    arguments = ["-q", "-n", "0", "-p", "no:cacheprovider", "-k", "not golden"]
    if code := pytest.main([*arguments, *tests], plugins=[histories]):
        sys.exit(f"The tests must pass before a release is recorded (pytest ended with {code}).")
    golden = importlib.import_module("events.golden")
    for folder, module in FOLDERS.items():
        for aggregate in aggregates_in(module):
            told = histories.by_kind.get(aggregate.kind, [])
            streams = fewest([*told, examples(ROOT / folder / "golden", aggregate)])
            golden.record_release(ROOT / folder / "golden" / "releases" / version, aggregate, streams)
            print(f"{aggregate.kind}: {len(streams)} streams, {sum(map(len, streams))} events")


if __name__ == "__main__":
    if len(sys.argv) != 2 or not re.fullmatch(r"\d+\.\d+\.\d+", sys.argv[1]):
        sys.exit(__doc__)
    record(sys.argv[1])
