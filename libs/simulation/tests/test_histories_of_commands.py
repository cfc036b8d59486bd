"""Random batches of commands, and all that can be asked of a store, on PostgreSQL and on the simulation."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from histories import History, World, run_histories, tenants
from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from events.kernel import Row
from events.store.port import Append, DueStream, NewEvent, Origin, Together

PAST = datetime(2020, 1, 1, tzinfo=UTC)
FUTURE = datetime(2199, 1, 1, tzinfo=UTC)
KINDS = ("jar", "lid")
STREAMS = tuple(UUID(int=n) for n in (1, 2, 3))
KEYS = ("a", "b", "c")
TABLES = ("weight", "length")
SERIES = ("CA", "F")

texts = st.sampled_from(["{}", '{"é":"\\u0001\U0001f600"}', '{ "b": 1,\n "a":1 }'])
states = st.sampled_from(
    [
        '{"label": "jam", "n": 1.50}',
        '{"label":"jam","n":1e2}',
        '{"n":-0,"label":null}',
        '{"label":["x", true]}',
        '{"bb":{"z":1,"y":"\\u00e9\\t"},"a":"/","label":"tea","label":"jam"}',
    ]
)
SOUGHT = [[], [("label", "jam")], [("label", '["x", true]')], [("n", "100"), ("label", "jam")], [("none", "")]]
evidence = st.builds(
    Row,
    table=st.sampled_from(TABLES),
    source=st.sampled_from(["scale", "ruler"]),
    id=st.sampled_from(["w-1", "w-2"]),
    body=st.sampled_from(["1", "1", "2"]),
)
commands = st.fixed_dictionaries(
    {
        "tenant": tenants,
        "origin": st.sampled_from(Origin),
        "fingerprint": st.sampled_from(["f", "g"]),
        "status": st.sampled_from([200, 201]),
        "kind": st.sampled_from(["jar", "jar", "lid"]),
        "stream": st.sampled_from(STREAMS),
        "shape": st.sampled_from([1, 1, 1, 2]),
        "metadata": texts,
        "state": states,
        "deadline": st.sampled_from(
            [None, None, None, PAST, PAST + timedelta(days=1), PAST.replace(year=2031), FUTURE]
        ),
        "claims": st.lists(st.sampled_from(KEYS), max_size=3),
        "rows": st.lists(evidence, max_size=2),
    }
)
behind = st.sampled_from([0, 0, 0, 0, 0, 1, -1])
"""By how much the version that a command expects is behind the one that is known."""
known = st.sampled_from([0, 0, 0, 0, 0, 1, 2, 5])
"""0: a new command id; otherwise the one that was made so many ids ago."""
bodies = st.lists(st.sampled_from([None, None, "{}", '{"a":1}']), max_size=3)
"""What others hear of each event, if anything."""
appends = st.tuples(commands, behind, known, bodies)

poison = st.sampled_from(
    [
        {"state": '{"a": "\\u0000"}'},
        {"state": '{"a": "\\ud800"}'},
        {"state": "{"},
        {"state": "NaN"},
        {"metadata": "\x00"},
        {"fingerprint": "\ud800"},
        {"status": 40000},
        {"rows": [Row(table="weight", source="scale", id="w-1", body=body) for body in "12"]},
    ]
)


class Commands(History):
    """The store."""

    @rule(batch=st.lists(appends, min_size=1, max_size=4))
    def append(self, batch: list[Any]) -> None:
        self._append(batch)

    @rule(batch=st.lists(appends, min_size=1, max_size=2))
    def append_without_rows(self, batch: list[Any]) -> None:
        self._append([(command | {"rows": [], "shape": 2}, *more) for command, *more in batch])

    @rule(batch=st.lists(appends, max_size=1), poisoned=appends, more=poison)
    def append_poison(self, batch: list[Any], poisoned: Any, more: dict[str, Any]) -> None:
        command, *others = poisoned
        self._append([*batch, (command | more, *others)])

    @precondition(lambda self: self.database.tables.events)
    @rule(append=appends)
    def append_an_event_that_is_there(self, append: Any) -> None:
        *others, heard = append
        self._append([(*others, [*heard, self.database.tables.events[0].id])])

    @rule(
        before=st.lists(appends, max_size=1),
        set=st.lists(appends, min_size=1, max_size=3),
        after=st.lists(appends, max_size=1),
    )
    def append_together(self, before: list[Any], set: list[Any], after: list[Any]) -> None:
        alone, together, others = ([self._command(*each) for each in part] for part in (before, set, after))
        self.same(lambda world: world.store.append([*alone, Together(tuple(together)), *others]))

    def _append(self, batch: list[Any]) -> None:
        made = [self._command(*each) for each in batch]
        self.same(lambda world: world.store.append(made))

    def _command(self, command: dict[str, Any], behind: int, known: int, bodies: list[Any]) -> Append:
        """The version is the one before the batch: within it, it may have moved on."""
        state = self.database.tables.states.get((command["tenant"], command["kind"], command["stream"]))
        expected = max(0, (state.version if state else 0) - behind)
        id = UUID(int=1000 + max(1, self.made - known) if known else 1000 + self.number())
        return Append(**command, command=id, expected=expected, events=[self._event(body) for body in bodies])

    def _event(self, body: str | UUID | None) -> NewEvent:
        if isinstance(body, UUID):
            return NewEvent(body, "jar-filled", 1, "{}")
        heard = ("toy.jar.jar-filled", 1, body) if body else ()
        number = self.number()
        return NewEvent(UUID(int=number), f"jar-filled-{number}", 1, '{"things" :1}', *heard)

    @rule(tenant=tenants, series=st.sampled_from(SERIES), first=st.sampled_from([1, 101]))
    def next_number(self, **what: Any) -> None:
        self.same(lambda world: world.store.next_number(**what))

    @rule(tenant=tenants, stream=st.sampled_from(STREAMS), version=st.integers(1, 4), shape=st.sampled_from([1, 2]))
    def park_a_deadline(self, **what: Any) -> None:
        self.same(lambda world: world.store.park_deadline(DueStream(kind="jar", **what, deadline=PAST), "stuck"))

    @precondition(lambda self: self.database.tables.states)
    @rule(which=st.integers(0, 5), other_shape=st.sampled_from([0, 0, 1]))
    def park_the_deadline_of_a_state(self, which: int, other_shape: int) -> None:
        rows = sorted(self.database.tables.states.items())
        key, state = rows[which % len(rows)]
        due = DueStream(*key, state.version, state.shape + other_shape, PAST)
        self.same(lambda world: world.store.park_deadline(due, "stuck"))

    @rule(ahead=st.sampled_from([timedelta(0), timedelta(days=3650, seconds=1), timedelta(days=-3650)]))
    def business_time_moves(self, ahead: timedelta) -> None:
        self.database.tables.ahead = ahead
        self.runner.run(self.sql.execute("UPDATE business_clock SET ahead = $1", ahead))
        read = [self._business_times(world) for world in (self.simulated, self.postgres)]
        assert max(max(read)) - min(min(read)) < timedelta(seconds=10)

    def _business_times(self, world: World) -> list[datetime]:
        loaded = self.runner.run(world.store.load("meridian", "jar", STREAMS[0], None))
        return [loaded.now, self.runner.run(world.store.now())]

    @rule(tenant=tenants)
    def look_at_streams(self, tenant: str) -> None:
        async def all_of_them(world: World) -> Any:
            for kind in KINDS:
                for stream in STREAMS:
                    yield await world.store.load(tenant, kind, stream, UUID(int=1000 + self.made))
                    yield await world.store.stream(tenant, kind, stream)
                    for table in TABLES:
                        yield await world.store.rows(tenant, kind, stream, table)
                for fields in SOUGHT:
                    yield await world.store.where(tenant, kind, fields, 2)
            for key in KEYS:
                yield await world.store.holder(tenant, key)

        self.same(lambda world: listed(all_of_them(world)))

    @rule(stream=st.sampled_from(STREAMS), version=st.integers(0, 4), position=st.integers(0, 12))
    def look_back(self, stream: UUID, version: int, position: int) -> None:
        async def up_to(world: World) -> Any:
            return (
                await world.store.stream("meridian", "jar", stream, version=version),
                await world.store.stream("meridian", "jar", stream, position=position),
                await world.store.stream("meridian", "jar", stream, version=version, position=position),
            )

        self.same(up_to)

    @rule(limit=st.sampled_from([1, 2, 100]))
    def look_at_deadlines(self, limit: int) -> None:
        async def deadlines_and(world: World) -> Any:
            found = await world.store.due(limit)
            those = sorted(map(repr, found)) if limit > len(found) else ()
            return [due.deadline for due in found], those, await world.store.parked_deadlines()

        self.same(deadlines_and)

    @precondition(lambda self: self.database.tables.events)
    @rule(which=st.integers(0, 20), off=st.sampled_from([-1, 0, 1]))
    def position_at(self, which: int, off: int) -> None:
        events = self.database.tables.events
        chosen = events[which % len(events)]

        async def recorded_then(world: World) -> int:
            kept = await world.store.stream(chosen.tenant, chosen.kind, chosen.stream, version=chosen.version)
            return await world.store.position_at(kept[-1].recorded_at + timedelta(microseconds=off))

        self.same(recorded_then)

    @rule()
    def position_in_the_future(self) -> None:
        self.same(lambda world: world.store.position_at(FUTURE))


async def listed(answers: Any) -> list[Any]:
    return [each async for each in answers]


def test_histories_of_commands(database: str) -> None:
    run_histories(Commands, database)
