"""Append against a model of it in a few lines: any batches, in any order, get the answers that the model gives."""

import asyncio
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID, uuid4

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from making import a_row, an_append, an_event

from events.store.database import Database
from events.store.port import Answer, Append, ClaimHeld, Recorded, RowDiffers, ShapeBehind, VersionMoved
from events.store.postgres import PostgresStore
from events.store.schema import create_core

STREAMS = [UUID(int=n) for n in range(3)]
KEYS = ["a", "b", "c"]

commands = st.fixed_dictionaries(
    {
        "command": st.integers(0, 30).map(lambda n: UUID(int=n)),
        "stream": st.sampled_from(STREAMS),
        "behind": st.sampled_from([0, 0, 0, 0, 1, -1]),
        "shape": st.sampled_from([1, 1, 1, 2]),
        "events": st.lists(st.booleans(), max_size=3),
        "claims": st.lists(st.sampled_from(KEYS), max_size=2, unique=True),
        "rows": st.lists(st.sampled_from([("w-1", "1"), ("w-2", "1"), ("w-2", "2")]), max_size=1),
    }
)


@dataclass
class Model:
    """One tenant of a store, in memory."""

    position: int
    known: dict[UUID, Recorded] = field(default_factory=dict)
    versions: dict[UUID, int] = field(default_factory=dict)
    shapes: dict[UUID, int] = field(default_factory=dict)
    heard: dict[UUID, int] = field(default_factory=dict)
    holders: dict[str, UUID] = field(default_factory=dict)
    rows: dict[str, str] = field(default_factory=dict)
    kept: set[tuple[UUID, str]] = field(default_factory=set)

    def append(self, one: Append) -> Answer:
        """What append must answer."""
        version = self.versions.get(one.stream, 0)
        if one.command in self.known:
            return replace(self.known[one.command], first=False)
        if one.expected != version:
            return VersionMoved()
        if one.shape < self.shapes.get(one.stream, 0):
            return ShapeBehind()
        if one.events:
            for key in sorted(one.claims):
                if self.holders.get(key, one.stream) != one.stream:
                    return ClaimHeld(key, "jar", self.holders[key])
            for row in one.rows:
                if self.rows.get(row.id, row.body) != row.body:
                    return RowDiffers("weight", "scale", row.id)
            self._take(one, version)
        at = self.versions.get(one.stream, 0)
        answer = Recorded("jar", one.stream, at, self.position, 201, "f", one.origin, first=True)
        self.known[one.command] = answer
        return answer

    def _take(self, one: Append, version: int) -> None:
        self.position += len(one.events)
        self.versions[one.stream] = version + len(one.events)
        self.shapes[one.stream] = one.shape
        self.heard[one.stream] = self.heard.get(one.stream, 0) + sum(e.public_body is not None for e in one.events)
        self.holders = {key: holder for key, holder in self.holders.items() if holder != one.stream}
        self.holders |= dict.fromkeys(one.claims, one.stream)
        self.rows |= {row.id: row.body for row in one.rows}
        self.kept |= {(one.stream, row.id) for row in one.rows}


class Appending(RuleBasedStateMachine):
    """Each run is a tenant of its own in one database."""

    runner: asyncio.Runner
    store: PostgresStore
    at = 0

    @initialize()
    def begin(self) -> None:
        self.tenant = f"t-{uuid4().hex}"
        self.model = Model(type(self).at)

    @rule(batch=st.lists(commands, min_size=1, max_size=4))
    def append(self, batch: list[dict[str, Any]]) -> None:
        appends, expected = [], []
        for each in batch:
            appends.append(self._append_of(**each))
            expected.append(self.model.append(appends[-1]))
        answers = self.runner.run(self.store.append(appends))
        type(self).at = self.model.position
        assert answers == expected

    def _append_of(self, *, behind: int, events: list[bool], rows: list[tuple[str, str]], **each: Any) -> Append:
        version = self.model.versions.get(each["stream"], 0)
        # A row that the stream has already is left out, as every `decide` does that brings rows.
        new = [
            a_row(id, body)
            for id, body in rows
            if events and not ((each["stream"], id) in self.model.kept and self.model.rows[id] == body)
        ]
        heard = [an_event(public="{}" if loud else None) for loud in events]
        return an_append(tenant=self.tenant, expected=max(0, version - behind), events=heard, rows=new, **each)

    @invariant()
    def each_stream_is_what_the_model_says(self) -> None:
        if not hasattr(self, "model"):
            return
        for stream in STREAMS:
            kept = self.runner.run(self.store.stream(self.tenant, "jar", stream))
            assert [event.version for event in kept] == list(range(1, self.model.versions.get(stream, 0) + 1))
            spoken = [event.public_version for event in kept if event.public_version]
            assert spoken == list(range(1, self.model.heard.get(stream, 0) + 1))

    @invariant()
    def each_claim_is_held_by_whom_the_model_says(self) -> None:
        if not hasattr(self, "model"):
            return
        for key in KEYS:
            held = self.runner.run(self.store.holder(self.tenant, key))
            assert (held and held[1]) == self.model.holders.get(key)


def test_append_answers_as_the_model_does(database: str) -> None:
    with asyncio.Runner() as runner:
        db = Database.at(database)

        async def migrate() -> None:
            async with db.writes.connect() as connection:
                await connection.run_sync(create_core)

        runner.run(migrate())
        machine = type("Machine", (Appending,), {"runner": runner, "store": PostgresStore(db)})
        run_state_machine_as_test(
            machine,
            settings=settings(
                max_examples=20,
                stateful_step_count=20,
                deadline=None,
                phases=[Phase.generate],
                derandomize=True,
                database=None,
                suppress_health_check=list(HealthCheck),
            ),
        )
        runner.run(db.close())
