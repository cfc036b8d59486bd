"""How a service declares its HTTP interface: which command at which path, who may, what can be listed.

Declarations only; `chassis.http` serves them, and the OpenAPI document is made from them.

    routes = Routes(findings, path="findings", noun="finding", listing=Listing(filters=("status", "grade")))
    routes.create(Raise, permission="finding.raise", summary="Raise a finding", example={...})
    routes.act("issue", Issue, permission="finding.issue", summary="Issue a finding", example={})

serves `POST /v1/findings`, `POST /v1/findings/{id}/issue`, `GET /v1/findings`, `GET /v1/findings/{id}` and
`GET /v1/findings/{id}/history`.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from events.codec import canonical
from events.kernel import Aggregate, Given, Need, React

IdOf = Callable[[str, Any], UUID]
"""(tenant, command) -> the id of the stream that the command makes."""
View = Callable[[Any, datetime], Any]
"""(state, business time) -> the value shown to readers; what depends on the clock (overdue) is derived here."""


@dataclass(frozen=True, kw_only=True)
class Listing:
    """By which top-level fields of the state a kind can be listed; each needs an expression index in the migration.

    A filter matches one value of the field, or any of several when the parameter is repeated. Sort keys are ISO text
    or numbers in the state; the id ends every order.
    """

    filters: tuple[str, ...] = ()
    sorts: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Act:
    """One POST: a body that is a command, for a new or an existing object."""

    name: str
    """Sub-resource, a noun ("verification"); empty for the one that makes the object."""
    command: type[Any]
    permission: str
    summary: str
    example: Mapping[str, Any]
    id_of: IdOf | None = None


@dataclass(frozen=True, kw_only=True)
class Order:
    """One of the commands that a fan-out body becomes; `key` keeps its id apart from its siblings'."""

    aggregate: Aggregate[Any, Any, Any]
    stream: UUID
    command: Any
    key: str


@dataclass(frozen=True, kw_only=True)
class FanOut:
    """One POST whose body becomes several commands: all are appended, or none.

    Each is for a stream of its own, and is decided on what was there before all of them.
    """

    path: str
    body: type[Any]
    permission: str
    summary: str
    example: Mapping[str, Any]
    needs: Callable[[Any, str], Iterable[Need[Any]]]
    """(body, tenant) -> what `orders` must know."""
    orders: Callable[[Any, Given], Sequence[Order]]
    """May raise Refused; then nothing was done."""


@dataclass(kw_only=True)
class Routes:
    """The HTTP interface of one aggregate, filled by `create` and `act`."""

    aggregate: Aggregate[Any, Any, Any]
    path: str
    noun: str
    read: str
    """Permission to read these objects."""
    listing: Listing = field(default_factory=Listing)
    view: View | None = None
    singleton: bool = False
    """One object per tenant at `/v1/<path>`, id `derived_id(kind, tenant)`; before its first event it shows the
    initial state with ETag "0", so a default is in force without any set-up."""
    acts: list[Act] = field(default_factory=list)
    fan_outs: list[FanOut] = field(default_factory=list)

    def create(
        self,
        command: type[Any],
        *,
        permission: str,
        summary: str,
        example: Mapping[str, Any],
        id_of: IdOf | None = None,
    ) -> None:
        """`POST /v1/<path>` makes an object: under a new UUIDv7, or under `id_of(tenant, command)`."""
        self.acts.append(
            Act(name="", command=command, permission=permission, summary=summary, example=example, id_of=id_of)
        )

    def act(self, name: str, command: type[Any], *, permission: str, summary: str, example: Mapping[str, Any]) -> None:
        """`POST /v1/<path>/{id}/<name>` changes an object; it needs `If-Match`."""
        self.acts.append(Act(name=name, command=command, permission=permission, summary=summary, example=example))

    def fan_out(self, fan_out: FanOut) -> None:
        """`POST /v1/<fan_out.path>`."""
        self.fan_outs.append(fan_out)


@dataclass(frozen=True, kw_only=True)
class Feature:
    """One aggregate as a service has it: its routes, and how it reacts to what it hears."""

    aggregate: Aggregate[Any, Any, Any]
    routes: Routes | None = None
    hears: tuple[type[Any], ...] = ()
    react: React | None = None


@dataclass(frozen=True, kw_only=True)
class Service:
    """A service: its name, its features, and what each token role may do here (role -> permissions)."""

    name: str
    title: str
    features: tuple[Feature, ...]
    permissions: Mapping[str, frozenset[str]]


def declarations(service: Service) -> dict[str, str]:
    """By which fields each kind can be listed."""
    return {
        each.aggregate.kind: canonical({"filters": each.routes.listing.filters, "sorts": each.routes.listing.sorts})
        for each in service.features
        if each.routes and not each.routes.singleton
    }
