"""Gathering what a decision needs from elsewhere in the service's own database, and noting the versions it used."""

from collections.abc import Iterable
from typing import Any, Protocol
from uuid import UUID

from events.kernel import Aggregate, AllWhere, Found, HolderOf, Need, NextNumber, RowsOf, StateOf
from events.store.port import Loaded, Store

LIMIT = 2000
"""How many streams one need may bring in; a domain that needs more needs another aggregate."""

Stream = tuple[Aggregate[Any, Any, Any], UUID]


class TooManyFound(Exception):
    """A need found more streams than a decision may weigh."""


class Reader(Protocol):
    """Reads other streams of the service, by today's code: the handler does."""

    def aggregate_of(self, state: type[Any]) -> Aggregate[Any, Any, Any]:
        """The aggregate whose streams have states of this class."""

    def require_complete(self, aggregate: Aggregate[Any, Any, Any]) -> None:
        """Raises Unavailable while streams of this kind would be missing where they are looked for by their fields."""

    async def read(self, aggregate: Aggregate[Any, Any, Any], tenant: str, id: UUID) -> Found[Any]:
        """The object as it is now."""

    async def state_of(self, aggregate: Aggregate[Any, Any, Any], tenant: str, id: UUID, loaded: Loaded) -> Any:
        """The state in a row."""


async def gather(
    reader: Reader, store: Store, tenant: str, stream: Stream | None, needs: Iterable[Need[Any]]
) -> tuple[dict[Need[Any], Any], dict[str, int]]:
    """(facts by need, versions used by "kind:id")."""
    facts: dict[Need[Any], Any] = {}
    used: dict[str, int] = {}

    def note(kind: str, found: Found[Any]) -> Found[Any]:
        used[f"{kind}:{found.id}"] = found.version
        return found

    for need in needs:
        match need:
            case StateOf():
                aggregate = reader.aggregate_of(need.of)
                facts[need] = note(aggregate.kind, await reader.read(aggregate, tenant, need.id))
            case HolderOf():
                aggregate = reader.aggregate_of(need.of)
                held = await store.holder(tenant, need.key)
                if held and held[0] == aggregate.kind:
                    facts[need] = note(aggregate.kind, await reader.read(aggregate, tenant, held[1]))
                else:
                    facts[need] = None
            case AllWhere():
                aggregate = reader.aggregate_of(need.of)
                found = await _all(reader, store, tenant, aggregate, need.where)
                facts[need] = tuple(note(aggregate.kind, each) for each in found)
            case NextNumber():
                facts[need] = await store.next_number(tenant, need.series, need.first)
            case RowsOf():
                assert stream is not None, "side rows belong to a stream"
                facts[need] = tuple(await store.rows(tenant, stream[0].kind, stream[1], need.table))
            case _:
                raise TypeError(f"nobody knows how to find {need}")
    return facts, used


async def _all(
    reader: Reader, store: Store, tenant: str, aggregate: Aggregate[Any, Any, Any], where: tuple[tuple[str, str], ...]
) -> list[Found[Any]]:
    reader.require_complete(aggregate)
    rows = await store.where(tenant, aggregate.kind, where, LIMIT + 1)
    if len(rows) > LIMIT:
        raise TooManyFound(f"more than {LIMIT} of {aggregate.kind} where {where}")
    found = []
    for row in rows:
        loaded = Loaded(row.version, row.shape, row.state, now=None, recorded=None)  # type: ignore[arg-type]
        found.append(
            Found(id=row.id, version=row.version, state=await reader.state_of(aggregate, tenant, row.id, loaded))
        )
    return found
