"""Serves what a service declares: each act, each object, each list and history, and each fan-out, all in one way."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import select
from starlette.responses import Response
from uuid_utils.compat import uuid7

from chassis import history, lists
from chassis.calls import Body, Call, unknown_object
from chassis.endpoints import Endpoint, Takes
from chassis.history import Entry, feed
from chassis.paging import CURSOR, LIMIT, page
from chassis.queries import ask
from chassis.representation import (
    AllDone,
    Done,
    Shown,
    as_json,
    dumped,
    etag,
    list_type,
    pascal,
    state_hints,
    type_of,
)
from chassis.routes import Act, FanOut, Routes, Service
from chassis.submissions import Submitted, carry_out, never_undone
from events.handling import Handler, Instruction, Stale
from events.kernel import Found, derived_id
from events.store import tables as t
from events.store.database import Database
from events.store.port import Origin, Recorded
from events.store.postgres import PostgresStore

AS_OF = {"type": "string", "format": "date-time", "description": "As it was recorded at this instant."}


@dataclass(frozen=True)
class Machinery:
    """What serving needs of the process."""

    service: str
    database: Database
    store: PostgresStore
    handler: Handler


def endpoints(service: Service, machinery: Machinery) -> list[Endpoint]:
    """Every operation that a service declares."""
    found = [feed(machinery.database)]
    for feature in service.features:
        if feature.routes:
            found += Objects(feature.routes, machinery).endpoints()
    return found


@dataclass(frozen=True)
class Objects:
    """The objects of one aggregate."""

    routes: Routes
    machinery: Machinery

    @property
    def path(self) -> str:
        """Where one object is found."""
        return f"/v1/{self.routes.path}" + ("" if self.routes.singleton else "/{id}")

    @property
    def shown(self) -> Shown:
        return Shown(self.routes, self.machinery.handler)

    def endpoints(self) -> Iterator[Endpoint]:
        seen = type_of(self.routes)
        for act in self.routes.acts:
            yield self._act(act, seen)
        for fan_out in self.routes.fan_outs:
            yield self._fan_out(fan_out)
        if not self.routes.singleton:
            yield self._list(seen)
        yield self._get(seen)
        yield self._history()

    # --- changing ---

    def _act(self, act: Act, seen: type[Any]) -> Endpoint:
        makes = not act.name and not self.routes.singleton
        base = f"/v1/{self.routes.path}" if makes or self.routes.singleton else self.path

        async def serve(call: Call) -> Response:
            return await self._perform(call, act, makes=makes)

        return Endpoint(
            method="POST",
            path=f"{base}/{act.name}" if act.name else base,
            permission=act.permission,
            id=_operation_id(act.command.__name__, self.routes.noun),
            summary=act.summary,
            tag=self.routes.path,
            answer=seen,
            serve=serve,
            status=201 if makes else 200,
            takes=Takes(type=act.command, example=act.example),
            conditional=not makes,
        )

    async def _perform(self, call: Call, act: Act, *, makes: bool) -> Response:
        call.require_json()
        id = call.command_id()
        expected = None if makes else call.seen_version()
        stream = None if makes else self._stream(call)
        body = await call.body(act.command)
        instruction = Instruction(
            aggregate=self.routes.aggregate,
            tenant=call.tenant,
            stream=stream or self._new_stream(call, act, body),
            command=body.value,
            id=id,
            origin=Origin.HTTP,
            by=call.caller.actor,
            fingerprint=call.fingerprint(body),
            expected=expected,
            status=201 if makes else 200,
            correlation=call.exchange.correlation,
        )
        return await self._answer(call, await self._handle(instruction))

    async def _handle(self, instruction: Instruction) -> Recorded:
        try:
            return await self.machinery.handler.handle(instruction)
        except Stale as stale:
            if stale.members.get("version") == 0 and not self.routes.singleton:
                raise unknown_object() from None
            raise

    def _stream(self, call: Call) -> UUID:
        """The object that is meant; the only one of its kind has no id in its path."""
        if self.routes.singleton:
            return derived_id(self.routes.aggregate.kind, call.tenant)
        return call.object_id()

    def _new_stream(self, call: Call, act: Act, body: Body) -> UUID:
        """A repetition gets another id here, but its command is known and names the first one's stream."""
        return act.id_of(call.tenant, body.value) if act.id_of else uuid7()

    async def _answer(self, call: Call, recorded: Recorded) -> Response:
        """The object at the version that the command made: the same for every repetition."""
        with never_undone():
            found = await self.machinery.handler.read(
                self.routes.aggregate, call.tenant, recorded.stream, version=recorded.version
            )
            now = await self.shown.clock()
        headers = {**etag(found.version), **self._position(recorded)}
        if recorded.status == 201:
            headers["Location"] = f"/v1/{self.routes.path}/{recorded.stream}"
        return as_json(self.shown.render(found, now), recorded.status, headers)

    def _position(self, recorded: Recorded) -> dict[str, str]:
        return {"Closeloop-Position": f"{self.machinery.service}:{recorded.position}"}

    # --- one body, several commands ---

    def _fan_out(self, fan_out: FanOut) -> Endpoint:
        async def serve(call: Call) -> Response:
            return await self._perform_all(call, fan_out)

        return Endpoint(
            method="POST",
            path=f"/v1/{fan_out.path}",
            permission=fan_out.permission,
            id=_operation_id("submit", fan_out.body.__name__),
            summary=fan_out.summary,
            tag=self.routes.path,
            answer=AllDone,
            serve=serve,
            takes=Takes(type=fan_out.body, example=fan_out.example),
        )

    async def _perform_all(self, call: Call, fan_out: FanOut) -> Response:
        call.require_json()
        id = call.command_id()
        body = await call.body(fan_out.body, too_long_is=413)
        submitted = Submitted(
            tenant=call.tenant,
            id=id,
            body=body.value,
            by=call.caller.actor,
            fingerprint=call.fingerprint(body),
            correlation=call.exchange.correlation,
        )
        return self._all_done(await carry_out(self.machinery.handler, fan_out, submitted))

    def _all_done(self, recorded: Mapping[str, Recorded]) -> Response:
        results = tuple(
            Done(order=key, kind=each.kind, id=each.stream, version=each.version) for key, each in recorded.items()
        )
        last = max(recorded.values(), key=lambda each: each.position, default=None)
        return as_json(dumped(AllDone(results=results)), headers=self._position(last) if last else {})

    # --- reading ---

    def _get(self, seen: type[Any]) -> Endpoint:
        return Endpoint(
            method="GET",
            path=self.path,
            permission=self.routes.read,
            id=_operation_id("get", self.routes.noun),
            summary=f"Show the {self.routes.noun}",
            tag=self.routes.path,
            answer=seen,
            serve=self._show,
            query={"as_of": AS_OF},
        )

    async def _show(self, call: Call) -> Response:
        as_of = call.instant("as_of")
        stream = self._stream(call)
        position = None if as_of is None else await self.machinery.store.position_at(as_of)
        found: Found[Any] = await self.machinery.handler.read(
            self.routes.aggregate, call.tenant, stream, position=position
        )
        self._require(found.version)
        now = await (self._business_time(as_of) if as_of else self.shown.clock())
        return as_json(self.shown.render(found, now), headers=etag(found.version))

    async def _business_time(self, recorded: datetime) -> datetime:
        """What the business clock showed when the database's clock showed this."""
        (row,) = await ask(self.machinery.database.reads, select(t.business_clock.c.ahead))
        ahead: timedelta = row["ahead"]
        return recorded + ahead

    def _require(self, version: int) -> None:
        if version == 0 and not self.routes.singleton:
            raise unknown_object()

    def _list(self, seen: type[Any]) -> Endpoint:
        listing = self.routes.listing
        sorts = [way + name for name in ("id", *listing.sorts) for way in ("", "-")]
        return Endpoint(
            method="GET",
            path=f"/v1/{self.routes.path}",
            permission=self.routes.read,
            id="list" + pascal(self.routes.path),
            summary=f"List {self.routes.path.replace('-', ' ')}",
            tag=self.routes.path,
            answer=list_type(f"{pascal(self.routes.noun)}Page", seen),
            serve=self._show_page,
            query={
                **{name: self._filter(name) for name in listing.filters},
                "sort": {"type": "string", "enum": sorts, "default": "id"},
                "limit": LIMIT,
                "cursor": CURSOR,
            },
        )

    def _filter(self, name: str) -> dict[str, Any]:
        of = state_hints(type(self.routes.aggregate.initial)).get(name, str)
        return {"type": "array", "items": of, "description": "Repeat it to match any of several values."}

    async def _show_page(self, call: Call) -> Response:
        asked = lists.question(call, self.routes)
        found, cursor = await lists.found_page(self.machinery.database, self.machinery.handler, self.routes, asked)
        now = await self.shown.clock()
        return page(call, [self.shown.render(each, now) for each in found], cursor)

    def _history(self) -> Endpoint:
        return Endpoint(
            method="GET",
            path=f"{self.path}/history",
            permission=self.routes.read,
            id=_operation_id("get", self.routes.noun) + "History",
            summary=f"Show who did what to the {self.routes.noun}, when and why",
            tag=self.routes.path,
            answer=list_type("History", Entry),
            serve=self._show_history,
            query={"limit": LIMIT, "cursor": CURSOR},
        )

    async def _show_history(self, call: Call) -> Response:
        aggregate, stream = self.routes.aggregate, self._stream(call)
        loaded = await self.machinery.store.load(call.tenant, aggregate.kind, stream, None)
        self.machinery.handler.require_known(aggregate, loaded)
        entries, cursor = await history.entries(self.machinery.database, call, aggregate, stream)
        if not entries and "cursor" not in call.request.query_params:
            self._require(0)
        return page(call, [dumped(each) for each in entries], cursor)


def _operation_id(verb: str, noun: str) -> str:
    """`Raise`, "finding" -> raiseFinding; a verb that already says what it is about stays as it is."""
    name = verb[:1].lower() + verb[1:]
    return name if name.lower().endswith(pascal(noun).lower()) else name + pascal(noun)
