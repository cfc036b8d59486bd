"""An endpoint: one method at one path, with all that its documentation and its checks need to know about it."""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from chassis.calls import Call
from chassis.edge import Exchange
from chassis.identity import Identity
from chassis.problems import Problem

ANYBODY: Final = "*"
"""In place of a permission: whoever has a good token."""
Serve = Callable[[Call], Awaitable[Response]]


@dataclass(frozen=True, kw_only=True)
class Takes:
    """The body of a POST."""

    type: type[Any]
    example: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Endpoint:
    """One operation of the interface."""

    method: str
    path: str
    permission: str
    id: str
    """operationId; clients generate names from it, so it never changes."""
    summary: str
    tag: str
    answer: type[Any]
    serve: Serve
    status: int = 200
    takes: Takes | None = None
    query: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Query parameters: name -> OpenAPI schema (its `description` and whether it is repeatable included)."""
    conditional: bool = False
    """Whether If-Match is needed."""

    @property
    def operation(self) -> str:
        return f"{self.method} {self.path}"


OPERATOR: Final = {"operator": frozenset({"events.read", "clock.move"})}
"""The role that every service has: it reads the feed and, in throwaway stacks, moves the clock."""


def permission_table(own: Mapping[str, frozenset[str]]) -> dict[str, frozenset[str]]:
    """What each token role may do in a service: its own table, and the role that every service has."""
    return {role: own.get(role, frozenset()) | OPERATOR.get(role, frozenset()) for role in {**own, **OPERATOR}}


class PermissionsIncomplete(Exception):
    """A route that nobody may call is a mistake in the service's permission table."""


def check_permissions(endpoints: Iterable[Endpoint], table: Mapping[str, frozenset[str]]) -> None:
    """Every endpoint names a permission, and some role has it."""
    held = frozenset().union(*table.values())
    for each in endpoints:
        if not each.permission:
            raise PermissionsIncomplete(f"{each.operation} declares no permission")
        if each.permission != ANYBODY and each.permission not in held:
            raise PermissionsIncomplete(f"{each.operation} needs {each.permission}, which no role has")


@dataclass(frozen=True)
class Door:
    """Asks everybody who they are and whether they may, before anything else is looked at."""

    identity: Identity
    permissions: Mapping[str, frozenset[str]]

    async def admit(self, request: Request, endpoint: Endpoint) -> Call:
        """The call, once its caller is known (401) and permitted (403)."""
        caller = await self.identity.caller(request.headers.get("authorization"))
        exchange = Exchange.of(request.scope)
        exchange.caller, exchange.route = caller, endpoint.path
        if endpoint.permission != ANYBODY and not any(
            endpoint.permission in self.permissions.get(role, ()) for role in caller.roles
        ):
            detail = f"None of your roles has the permission {endpoint.permission}."
            raise Problem(403, "not-permitted", detail, {"permission": endpoint.permission})
        call = Call(request, caller, endpoint.operation)
        call.check_query(endpoint.query, [name for name, schema in endpoint.query.items() if "items" in schema])
        return call

    def routes(self, endpoints: Sequence[Endpoint]) -> list[Route]:
        """Starlette's routes: one per path, so that a wrong method is told every right one."""
        by_path = sorted(endpoints, key=_specific_first)
        return [self._route(path, {each.method: each for each in group}) for path, group in groupby(by_path, _path)]

    def _route(self, path: str, by_method: Mapping[str, Endpoint]) -> Route:
        async def serve(request: Request) -> Response:
            endpoint = by_method["GET" if request.method == "HEAD" else request.method]
            return await endpoint.serve(await self.admit(request, endpoint))

        return Route(path, serve, methods=list(by_method), include_in_schema=False)


def _path(endpoint: Endpoint) -> str:
    return endpoint.path


def _specific_first(endpoint: Endpoint) -> tuple[list[bool], str]:
    """`/findings/summary` before `/findings/{id}`."""
    return [step.startswith("{") for step in endpoint.path.split("/")], endpoint.path
