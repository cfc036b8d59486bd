"""News may speak of what our log lost when an older database was restored: they are not needed, and no trouble."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from itertools import product
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from chassis.service import load
from contracts.improvement import Source, SourceKind
from events.bus.envelope import Heard
from events.bus.reacting import Reactor
from events.codec import canonical, from_json
from events.handling import Handler
from events.kernel import CONTRACTS, News
from events.store.writer import Writer
from simulation.store import SimulatedStore
from simulation.world import NAMES, TENANT

EXAMPLES = Path(__file__).parents[2] / "contracts" / "tests" / "golden"
PLAIN = {"month": "2026-02", "trigger": "sla-breach"}
"""What has a form that its contract does not show."""


@pytest.mark.parametrize("name", NAMES)
async def test_nothing_that_is_heard_is_refused_because_its_subject_is_not_there(
    name: str, store: SimulatedStore
) -> None:
    features = load(name).features
    writer = Writer(store)
    writer.start()
    reactor = Reactor(name, Handler(store, writer, [feature.aggregate for feature in features]), features)
    try:
        for feature, news in product(features, _news()):
            if feature.react and isinstance(news.body, feature.hears):
                await reactor._carry_out(Heard(news, "a story"), [feature], within="")
    finally:
        await writer.stop()


def _news() -> Iterator[News]:
    """An example of everything that is announced; where it names sources, one of each kind."""
    announced = {place: contract for place, contract in CONTRACTS.items() if place[0] in NAMES}
    for (service, name, version), contract in announced.items():
        examples = json.loads((EXAMPLES / f"{service}.json").read_text())[f"{name} v{version}"]
        for example, kind in product(examples, SourceKind):
            example |= {name: PLAIN[name] for name in PLAIN.keys() & example.keys()}
            yield News(
                tenant=TENANT,
                service=service,
                stream=uuid4(),
                event=uuid4(),
                at=datetime(2026, 4, 14, 8, 0, tzinfo=UTC),
                body=_of_kind(from_json(contract, canonical(example)), kind),
            )


def _of_kind(body: Any, kind: SourceKind) -> Any:
    sources = getattr(body, "sources", ())
    if not all(isinstance(each, Source) for each in sources):
        return body
    return replace(body, sources=tuple(replace(each, kind=kind) for each in sources)) if sources else body
