"""Lists: declared filters and sort keys as one keyset query over `states`, page by page, never by offset.

A row of an older shape is found by the fields that it has, and shown folded anew. Where the declared fields have
changed, nothing is listed before every row has them.
"""

import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from pydantic import ValidationError
from sqlalchemy import RowMapping, TextClause, bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.types import Text, Uuid

from chassis.calls import Call, wrong_parameter
from chassis.paging import DEFAULT_LIMIT, bad_cursor, decode_cursor, encode_cursor, limit_of
from chassis.queries import ask
from chassis.representation import state_hints
from chassis.routes import Routes
from events.codec import adapter, canonical, digest
from events.handling import Handler
from events.kernel import Found
from events.store.database import Database
from events.store.port import Loaded


@dataclass(frozen=True, kw_only=True)
class Question:
    """What is asked for: of which tenant and kind, by which filters, in which order, from where on."""

    tenant: str
    kind: str
    filters: tuple[tuple[str, tuple[str, ...]], ...] = ()
    sort: str = "id"
    descending: bool = False
    limit: int = DEFAULT_LIMIT
    after: tuple[str | None, UUID] | None = None
    """Sort value and id of the last row of the page before."""

    @property
    def scope(self) -> str:
        """A cursor serves only the question that it was given out for."""
        return digest(canonical([self.tenant, self.kind, self.filters, self.sort, self.descending]))[:16]


def question(call: Call, routes: Routes) -> Question:
    """The question in the query string."""
    listing = routes.listing
    asked = call.request.query_params
    sort = asked.get("sort", "id")
    if sort.removeprefix("-") not in ("id", *listing.sorts):
        raise wrong_parameter("sort", f"must be one of {', '.join(('id', *listing.sorts))}, or such with a - before it")
    hints = state_hints(type(routes.aggregate.initial))
    first = Question(
        tenant=call.tenant,
        kind=routes.aggregate.kind,
        filters=tuple(
            (name, tuple(sorted({_as_stored(name, hints.get(name), given) for given in asked.getlist(name)})))
            for name in listing.filters
            if name in asked
        ),
        sort=sort.removeprefix("-"),
        descending=sort.startswith("-"),
        limit=limit_of(call),
    )
    return _continued(first, asked["cursor"]) if "cursor" in asked else first


def _as_stored(name: str, of: Any, given: str) -> str:
    """A filter's value as the text that `state->>` gives for it."""
    if of is None:
        return given
    try:
        stored = adapter(of).dump_python(adapter(of).validate_strings(given), mode="json")
    except ValidationError as error:
        raise wrong_parameter(name, "cannot have this value: " + error.errors()[0]["msg"]) from None
    return stored if isinstance(stored, str) else json.dumps(stored)


def statement(asked: Question) -> tuple[TextClause, dict[str, Any]]:
    """The SQL. Names from declarations are written out, so that the expression and partial indexes match."""
    key = "id" if asked.sort == "id" else f"(state->>{_literal(asked.sort)})"
    clauses = ["tenant = :tenant", f"kind = {_literal(asked.kind)}"]
    parameters: dict[str, Any] = {"tenant": asked.tenant, "limit": asked.limit + 1}
    types: list[Any] = []
    for number, (field, values) in enumerate(asked.filters):
        name = f"f{number}"
        one = len(values) == 1
        clauses.append(f"(state->>{_literal(field)}) = " + (f":{name}" if one else f"ANY(:{name})"))
        types.append(bindparam(name, type_=Text() if one else ARRAY(Text())))
        parameters[name] = values[0] if one else list(values)
    if asked.after:
        clauses.append(_from_here_on(key, asked))
        parameters["last_key"], parameters["last_id"] = asked.after
        types += [bindparam("last_id", type_=Uuid())]
        if ":last_key" in clauses[-1]:
            types += [bindparam("last_key", type_=Text())]
        else:
            del parameters["last_key"]
    way = " DESC" if asked.descending else ""
    order = f"id{way}" if key == "id" else f"{key}{way}, id{way}"
    sql = (
        f"SELECT id, version, shape, state::text AS state_text, {key}::text AS sort_key FROM states "  # noqa: S608
        f"WHERE {' AND '.join(clauses)} ORDER BY {order} LIMIT :limit"
    )
    return text(sql).bindparams(*types), parameters


def _from_here_on(key: str, asked: Question) -> str:
    """The keyset condition. Rows without a sort value come last upwards and first downwards."""
    assert asked.after
    after, before = ("<", "IS NOT NULL") if asked.descending else (">", "IS NULL")
    if key == "id":
        return f"id {after} :last_id"
    if asked.after[0] is None:
        rest = f"({key} IS NULL AND id {after} :last_id)"
        return f"({rest} OR {key} IS NOT NULL)" if asked.descending else rest
    ahead = f"({key}, id) {after} (:last_key, :last_id)"
    return ahead if before == "IS NOT NULL" else f"({ahead} OR {key} IS NULL)"


async def found_page(
    database: Database, handler: Handler, routes: Routes, asked: Question
) -> tuple[list[Found[Any]], str]:
    """One page, and the cursor to the next one (empty: there is none)."""
    handler.require_complete(routes.aggregate)
    rows = await ask(database.reads, *statement(asked))
    shown = rows[: asked.limit]
    found = [await _found(handler, routes, asked.tenant, row) for row in shown]
    return found, _cursor(asked, shown) if len(rows) > asked.limit else ""


async def _found(handler: Handler, routes: Routes, tenant: str, row: RowMapping) -> Found[Any]:
    loaded = Loaded(row["version"], row["shape"], row["state_text"], now=None, recorded=None)  # type: ignore[arg-type]
    state = await handler.state_of(routes.aggregate, tenant, row["id"], loaded)
    return Found(id=row["id"], version=row["version"], state=state)


def _cursor(asked: Question, rows: Sequence[RowMapping]) -> str:
    last = rows[-1]
    key = None if asked.sort == "id" else last["sort_key"]
    return encode_cursor([asked.scope, key, str(last["id"])])


def _continued(asked: Question, cursor: str) -> Question:
    match decode_cursor(cursor):
        case [asked.scope, None | str() as key, str() as id]:
            with suppress(ValueError):
                return replace(asked, after=(key, UUID(id)))
    raise bad_cursor()


def _literal(name: str) -> str:
    """A declared name as an SQL literal."""
    assert name.replace("-", "_").isidentifier(), name
    return f"'{name}'"
