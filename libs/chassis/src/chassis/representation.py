"""How an object looks from outside: its id, its version, and the fields of its view."""

from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass, make_dataclass
from datetime import datetime
from typing import Any, get_type_hints
from uuid import UUID

from starlette.responses import Response

from chassis.routes import Routes
from events.codec import adapter, canonical
from events.handling import Handler
from events.kernel import Found, value


@value
class Done:
    """What one of the commands of a request came to."""

    order: str
    kind: str
    id: UUID
    version: int


@value
class AllDone:
    """Every command of the request was carried out."""

    results: tuple[Done, ...]


def as_json(content: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    return Response(canonical(content), status, headers, "application/json")


def dumped(content: Any) -> Any:
    """A value as plain JSON data."""
    return adapter(type(content)).dump_python(content, mode="json")


@dataclass(frozen=True)
class Shown:
    """Shows the objects of one aggregate."""

    routes: Routes
    handler: Handler

    async def clock(self) -> datetime | None:
        """Business time, where the view asks for it."""
        return await self.handler.now() if self.routes.view else None

    def render(self, found: Found[Any], now: datetime | None) -> dict[str, Any]:
        view = self.routes.view(found.state, now) if self.routes.view and now else found.state
        return {"id": str(found.id), "version": found.version, **dumped(view)}


def etag(version: int) -> dict[str, str]:
    return {"ETag": f'"{version}"'}


def state_hints(state: type[Any]) -> dict[str, Any]:
    """The types of a state's fields."""
    return get_type_hints(state, include_extras=True)


def type_of(routes: Routes) -> type[Any]:
    """The type of a representation, for the OpenAPI document."""
    shown = get_type_hints(routes.view).get("return", Any) if routes.view else type(routes.aggregate.initial)
    own: list[tuple[str, Any]] = [("id", UUID), ("version", int)]
    if is_dataclass(shown) and isinstance(shown, type):
        hints = get_type_hints(shown, include_extras=True)
        own += [(each.name, hints[each.name]) for each in fields(shown) if each.name not in ("id", "version")]
    made = make_dataclass(pascal(routes.noun), own, kw_only=True)
    made.__doc__ = " ".join((shown.__doc__ or "").split()) or None
    return made


def list_type(name: str, item: Any) -> type[Any]:
    """The type of a page of something."""
    return make_dataclass(name, [("items", list[item]), ("next", str | None)], kw_only=True)


def pascal(words: str) -> str:
    """corrective-action -> CorrectiveAction."""
    return "".join(word[:1].upper() + word[1:] for word in words.replace("_", "-").replace(" ", "-").split("-"))
