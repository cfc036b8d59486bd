"""Random leaders, checkpoints and restores on PostgreSQL and on the simulation."""

from typing import Any
from uuid import UUID

from histories import History, World, identities, run_histories, tenants
from hypothesis import strategies as st
from hypothesis.stateful import rule
from making import an_append

from events.codec import canonical
from events.message import Message
from events.store.bus_port import Lost, Noted
from events.store.port import NewEvent
from simulation.database import GivenUp

STREAMS = tuple(UUID(int=n) for n in (1, 2))
POSITIONS = range(-1, 30)

streams = st.sampled_from(STREAMS)
epochs = st.sampled_from([-1, 0, 0, 0, 1])
"""How far from the epoch that has the checkpoint."""
events = st.integers(1, 20).map(lambda n: UUID(int=n))
losses = st.builds(
    lambda event, position, tenant, stream, version: Lost(
        event, position, tenant, stream, version, Message("subject", {"ce-id": str(event)}, b"\x00\xff")
    ),
    events,
    st.integers(1, 12),
    tenants,
    streams,
    st.integers(1, 6),
)


class Relays(History):
    """What the relay keeps."""

    @rule(tenant=tenants, stream=streams, bodies=st.lists(st.sampled_from([None, "{}", '{"a":1}']), max_size=3))
    def append(self, tenant: str, stream: UUID, bodies: list[str | None]) -> None:
        state = self.database.tables.states.get((tenant, "jar", stream))
        spoken = [("toy.jar.jar-filled", 1, body) if body else () for body in bodies]
        made = [NewEvent(UUID(int=self.number()), "jar-filled", 1, "{}", *each) for each in spoken]
        one = an_append(stream, tenant=tenant, expected=state.version if state else 0, events=made)
        self.same(lambda world: world.store.append([one]))

    @rule(holder=st.sampled_from(["here", "there"]), seconds=st.sampled_from([-1, 3600]))
    def lease(self, **what: Any) -> None:
        self.same(lambda world: world.outgoing.lease(**what))

    @rule(holder=st.sampled_from(["here", "there"]), other=st.sampled_from(["here", "there"]))
    def release(self, holder: str, other: str) -> None:
        async def then_leads(world: World) -> int | None:
            await world.outgoing.release(holder)
            return await world.outgoing.lease(other, 3600)

        self.same(then_leads)

    @rule(on=epochs)
    def take_over(self, on: int) -> None:
        epoch = self.database.tables.checkpoint.epoch + on
        self.same(lambda world: world.outgoing.take_over(epoch))

    @rule(on=epochs, off=st.sampled_from([0, 0, 1]), short=st.integers(0, 4), of=identities)
    def move(self, on: int, off: int, short: int, of: str) -> None:
        known, new = self.database.tables.checkpoint, self.database.tables.position - short

        async def moved(world: World) -> Any:
            old, identity = known.position + off, await world.identity(of)
            return await world.outgoing.move(known.epoch + on, old, new, identity), await world.outgoing.behind()

        self.same(moved)

    @rule(on=epochs, created=st.sampled_from(["monday", "tuesday"]), sequence=st.integers(0, 9), of=identities)
    def note(self, on: int, created: str, sequence: int, of: str) -> None:
        epoch = self.database.tables.checkpoint.epoch + on

        async def noted(world: World) -> Any:
            noted = Noted(created, sequence, await world.identity(of))
            return await world.outgoing.note(epoch, noted), await world.outgoing.noted()

        self.same(noted)

    @rule(lost=st.lists(losses, max_size=3), sequence=st.integers(0, 9), of=identities)
    def give_up(self, lost: list[Lost], sequence: int, of: str) -> None:
        async def given_up(world: World) -> Any:
            return await world.outgoing.give_up(lost, Noted("monday", sequence, await world.identity(of)))

        self.same(given_up)

    @rule(lost=losses)
    def begin_to_give_up(self, lost: Lost) -> None:
        """The operator's process ends before the decision."""
        number = len(self.database.tables.restores) + 1
        key = (lost.event, lost.position)
        if key not in self.database.tables.given_up:
            self.database.tables.given_up[key] = GivenUp(lost, number)
            headers = canonical(dict(lost.message.headers))
            place = (*key, lost.tenant, lost.stream, lost.version, "subject", headers, lost.message.body, number)
            written = "INSERT INTO lost_announcements VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)"
            self.runner.run(self.sql.execute(written, *place))

    @rule(after=st.integers(-1, 12), limit=st.sampled_from([1, 2, 100]))
    def tail(self, **what: Any) -> None:
        self.same(lambda world: world.outgoing.tail(**what))

    @rule(ids=st.lists(events, max_size=5), start=st.integers(0, 12))
    def look(self, ids: list[UUID], start: int) -> None:
        async def everywhere(world: World) -> Any:
            found = sorted((await world.outgoing.at(POSITIONS)).items())
            lost = sorted(await world.outgoing.lost_announcements(start), key=repr)
            return (
                found,
                lost,
                sorted(await world.outgoing.lost(ids)),
                await world.outgoing.behind(),
                await world.outgoing.noted(),
            )

        self.same(everywhere)


def test_histories_of_relays(database: str) -> None:
    run_histories(Relays, database)
