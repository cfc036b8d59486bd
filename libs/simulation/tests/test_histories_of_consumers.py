"""Random news, early, twice or broken, on PostgreSQL and on the simulation."""

from typing import Any
from uuid import UUID

from histories import TENANTS, History, World, identities, run_histories, tenants
from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from events.message import Message
from events.store.bus_port import Early, Listener

STREAMS = tuple(UUID(int=n) for n in (1, 2))
SOURCES = ("toy", "other")
KEYS = [(tenant, stream) for tenant in TENANTS for stream in STREAMS]

streams = st.sampled_from([STREAMS[0], STREAMS[0], STREAMS[0], STREAMS[1]])
versions = st.integers(1, 5)
sources = st.sampled_from(["toy", "toy", "toy", "other"])
settled = st.sampled_from(["replayed", "dropped"])
reasons = st.sampled_from(["one", "an\x00other"])
created = st.sampled_from(["monday", "monday", "tuesday"])


def message(version: int) -> Message:
    return Message("subject", {"ce-id": str(version)}, bytes([version, 0, 255]))


early = st.builds(
    lambda tenant, stream, version: Early(tenant, stream, version, message(version)), tenants, streams, versions
)


class Consumers(History):
    """What the consumers keep."""

    @rule(source=sources, early=st.lists(early, min_size=1, max_size=4))
    def keep(self, **what: Any) -> None:
        self.same(lambda world: world.incoming.keep(**what))

    @rule(
        source=sources,
        heard=st.dictionaries(st.tuples(tenants, streams), versions, min_size=1, max_size=2),
        settled=settled,
    )
    def advance(self, **what: Any) -> None:
        self.same(lambda world: world.incoming.advance(**what))

    @rule(source=sources, tenant=tenants, stream=streams)
    def advance_by_one(self, source: str, tenant: str, stream: UUID) -> None:
        version = self.database.tables.inbox.get((tenant, source, stream), 0) + 1
        self.same(lambda world: world.incoming.advance(source, {(tenant, stream): version}))

    @rule(source=sources, heard=st.dictionaries(st.tuples(tenants, streams), versions, max_size=1), of=identities)
    def advance_in(self, of: str, **what: Any) -> None:
        async def advanced(world: World) -> None:
            await world.incoming.advance(**what, identity=await world.identity(of))

        self.same(advanced)

    @rule(source=sources, early=early, reason=reasons)
    def park(self, source: str, early: Early, reason: str) -> None:
        self.same(lambda world: world.incoming.park(source, early.message, early, reason))

    @rule(source=sources, tenant=tenants, stream=streams, reason=reasons)
    def park_the_next(self, source: str, tenant: str, stream: UUID, reason: str) -> None:
        version = self.database.tables.inbox.get((tenant, source, stream), 0) + 1
        place = Early(tenant, stream, version, message(version))
        self.same(lambda world: world.incoming.park(source, place.message, place, reason))

    @rule(source=sources, number=st.integers(1, 2), reason=reasons)
    def park_nowhere(self, source: str, number: int, reason: str) -> None:
        self.same(lambda world: world.incoming.park(source, message(number), None, reason))

    @precondition(lambda self: self.database.tables.dead_letters)
    @rule(which=st.integers(0, 5), status=settled)
    def settle(self, which: int, status: str) -> None:
        known = sorted(self.database.tables.dead_letters)
        id = known[which % len(known)]
        self.same(lambda world: world.incoming.settle(id, status))
        self.same(lambda world: world.incoming.letter(id))

    @precondition(lambda self: self.database.tables.waiting)
    @rule(which=st.integers(0, 5), on=st.sampled_from([0, 0, 1]))
    def somebody_else_moves_on(self, which: int, on: int) -> None:
        """What was kept and parked meanwhile stays behind: see `test_bus_side_by_side`."""
        *place, version = sorted(self.database.tables.waiting)[which % len(self.database.tables.waiting)]
        tenant, source, stream = place
        self.database.tables.inbox[tenant, source, stream] = version + on
        moved = "UPDATE inbox SET version = $4 WHERE (tenant, source, stream) = ($1, $2, $3)"
        self.runner.run(self.sql.execute(moved, *place, version + on))

    @rule()
    def tidy(self) -> None:
        self.same(lambda world: world.incoming.tidy())

    @rule(source=sources, created=created, handled=versions, of=identities)
    def listen(self, of: str, **what: Any) -> None:
        async def listening(world: World) -> Any:
            return await world.incoming.listen(**what, identity=await world.identity(of))

        self.same(listening)

    @rule(source=sources, created=created, off=st.sampled_from([0, 0, 1]), handled=versions, of=identities)
    def heard(self, source: str, created: str, off: int, handled: int, of: str) -> None:
        async def heard(world: World) -> bool:
            known = await world.incoming.listener(source)
            seen = Listener(created, known.handled + off if known else 0, await world.identity(of))
            return await world.incoming.heard(source, seen, handled)

        self.same(heard)

    @rule(source=sources)
    def look(self, source: str) -> None:
        async def everywhere(world: World) -> Any:
            marks = await world.incoming.marks(source, KEYS)
            ready = sorted(await world.incoming.ready(), key=repr)
            behind = await world.incoming.ready(source, KEYS)
            letters = [await world.incoming.letters(status) for status in ("parked", "dropped", None)]
            behind_the_first = await world.incoming.letters(None, reasons=["one"], after=next(iter(letters[-1]), None))
            listeners = [await world.incoming.listener(each) for each in SOURCES]
            gaps = sorted((g.source, g.tenant, g.stream, g.missing) for g in await world.incoming.gaps(0))
            return marks, ready, behind, letters, behind_the_first, listeners, gaps, await world.incoming.parked()

        self.same(everywhere)

    @rule()
    def gaps_of_an_hour(self) -> None:
        self.same(lambda world: world.incoming.gaps(3600))


def test_histories_of_consumers(database: str) -> None:
    run_histories(Consumers, database)
