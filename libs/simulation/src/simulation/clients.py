"""Those who call over HTTP: as the door of a service reads them, and as stubborn as the documentation asks them to be.

Whatever is no answer is asked again, under the same id, of whichever process lives.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from copy import copy
from dataclasses import dataclass
from itertools import count
from typing import Any, Self, TypeVar
from uuid import UUID

from chassis.routes import Act, FanOut, Routes
from chassis.submissions import Submitted, carry_out
from events.codec import adapter, canonical, digest
from events.handling import Instruction, Stale
from events.kernel import Actor, Found, Refused, derived_id
from events.store.port import Origin, OutcomeUnknown, Recorded, Unavailable
from simulation.world import TENANT, Lost, Process, Site, World

T = TypeVar("T")
PATIENCE = 12.0
"""Seconds after which a client believes that there will be no answer."""


@dataclass(frozen=True)
class Acknowledged:
    """A 2xx: what a client was told, and when."""

    tenant: str
    service: str
    command: UUID
    recorded: Recorded
    at: float


@dataclass(frozen=True)
class Request:
    """A POST of one act; to a new object where there is no `id`, else to it as it was `seen`."""

    tenant: str
    routes: Routes
    act: Act
    person: str
    body: Mapping[str, Any]
    id: UUID | None = None
    seen: int | None = None

    @property
    def operation(self) -> str:
        return f"{self.routes.path} {self.act.name}"

    @property
    def told(self) -> Any:
        """The command that the body says."""
        return _read(self.act.command, self.body)

    def instruction(self, told: Any, command: UUID, made: UUID) -> Instruction:
        """As a door makes it; `made` is the id of a new object."""
        return Instruction(
            aggregate=self.routes.aggregate,
            tenant=self.tenant,
            stream=self.id or made,
            command=told,
            id=command,
            origin=Origin.HTTP,
            by=Actor(person=self.person),
            fingerprint=digest(canonical([self.routes.path, self.act.name, self.body, self.seen])),
            expected=self.seen,
            status=200 if self.act.name else 201,
            correlation=str(command),
        )


class Clients:
    """The clients of one tenant, and what all clients of all services were told."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.tenant = TENANT
        self.chance = world.chance
        self.acknowledged: list[Acknowledged] = []
        self.refused: dict[str, Refused] = {}
        """By the correlation of what was asked."""
        self.asked: set[tuple[str, UUID]] = set()
        """The tenants and ids of all commands that anybody ever meant."""
        self.bugs: list[str] = []
        """What a service answered with 500."""
        self._keys = count(1)

    def of(self, tenant: str) -> Self:
        """People of another tenant; their books are kept together."""
        others = copy(self)
        others.tenant = tenant
        return others

    async def create(self, service: str, path: str, person: str, body: Mapping[str, Any]) -> Recorded | None:
        """`POST /v1/<path>`; None if it was refused."""
        routes = self._routes(service, path)
        act = next(each for each in routes.acts if not each.name)
        return await self._act(service, Request(self.tenant, routes, act, person, body))

    async def act(
        self, service: str, path: str, id: UUID, name: str, person: str, body: Mapping[str, Any] | None = None
    ) -> Recorded | None:
        """`POST /v1/<path>/{id}/<name>`, at the version at which it is found; read anew as long as it is stale."""
        routes = self._routes(service, path)
        act = next(each for each in routes.acts if each.name == name)
        for _ in range(5):
            found = await self.get(service, path, id)
            try:
                request = Request(self.tenant, routes, act, person, body or {}, id, found.version)
                return await self._act(service, request)
            except Stale:
                continue
        return None

    async def get(self, service: str, path: str, id: UUID) -> Found[Any]:
        """`GET /v1/<path>/{id}`."""
        aggregate = self._routes(service, path).aggregate
        return await self._stubbornly(service, lambda process: process.handler.read(aggregate, self.tenant, id))

    async def submit(self, service: str, path: str, person: str, body: Mapping[str, Any]) -> bool:
        """`POST /v1/<path>`, where that becomes several commands; whether it was accepted."""
        fan_out = next(each for each in self._fan_outs(service) if each.path == path)
        id, text = self._new_command(service, person, path), canonical(body)
        submitted = Submitted(
            tenant=self.tenant,
            id=id,
            body=_read(fan_out.body, body),
            by=Actor(person=person),
            fingerprint=digest(text),
            correlation=str(id),
        )
        try:
            done = await self._stubbornly(service, lambda process: carry_out(process.handler, fan_out, submitted))
        except Refused as refusal:
            self._note_refusal(service, path, refusal, id)
            return False
        for key, recorded in done.items():
            self._acknowledge(service, derived_id(id, key), recorded)
        return True

    async def _act(self, service: str, request: Request) -> Recorded | None:
        command, told = self._new_command(service, request.person, request.operation), request.told

        async def serve(process: Process) -> Recorded:
            # A repetition makes another id, but its command is known and names the first.
            id_of = request.act.id_of
            made = id_of(self.tenant, told) if id_of else UUID(int=self.chance.getrandbits(128), version=4)
            return await self._never_refusing_what_was_done(process, request.instruction(told, command, made))

        try:
            recorded = await self._stubbornly(service, serve)
        except Stale as stale:
            self.refused[str(command)] = stale
            raise
        except Refused as refusal:
            self._note_refusal(service, request.operation, refusal, command)
            return None
        self._acknowledge(service, command, recorded)
        return recorded

    async def _never_refusing_what_was_done(self, process: Process, instruction: Instruction) -> Recorded:
        site = self.world.sites[process.site]
        done_before = (instruction.tenant, instruction.id) in site.database.tables.commands
        try:
            return await process.handler.handle(instruction)
        except Refused as refusal:
            if done_before and instruction.id not in site.forgotten:
                self.bugs.append(f"{process.name} refused what it had done before: {refusal.detail}")
            raise

    async def _stubbornly(self, service: str, serve: Callable[[Process], Awaitable[T]]) -> T:
        while True:
            try:
                return await self._once(self.world.sites[service], serve)
            except (Unavailable, OutcomeUnknown, Lost, TimeoutError):
                await asyncio.sleep(self.chance.choice((0.05, 0.2, 1.0)))

    async def _once(self, site: Site, serve: Callable[[Process], Awaitable[T]]) -> T:
        if not site.alive:
            raise Lost(site.name)
        process, weather = self.chance.choice(site.alive), self.world.weather
        answer: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        process.callers[answer] = None
        process.runs(self._serve(process, serve, answer))
        hangs_up, loses = weather.happens(weather.climate.hang_up), weather.happens(weather.climate.hang_up)
        try:
            async with asyncio.timeout(self.chance.choice((0.0, 0.01, 0.3)) if hangs_up else PATIENCE):
                found = await answer
        finally:
            process.callers.pop(answer, None)
        if loses:
            raise Lost(process.name)
        return found

    async def _serve(
        self, process: Process, serve: Callable[[Process], Awaitable[T]], answer: "asyncio.Future[T]"
    ) -> None:
        try:
            found = await serve(process)
        except (Refused, Unavailable, OutcomeUnknown) as error:
            if not answer.done():
                answer.set_exception(error)
        except Exception as error:
            self.bugs.append(f"{process.name}: {error!r}")
            if not answer.done():
                answer.set_exception(Lost(repr(error)))
        else:
            if not answer.done():
                answer.set_result(found)

    # --- the books of the clients -------------------------------------------------------------------------------------

    def _new_command(self, service: str, person: str, operation: str) -> UUID:
        command = derived_id("http", self.tenant, person, f"{service} {operation}", f"key {next(self._keys)}")
        self.asked.add((self.tenant, command))
        return command

    def _acknowledge(self, service: str, command: UUID, recorded: Recorded) -> None:
        at = asyncio.get_running_loop().time()
        self.acknowledged.append(Acknowledged(self.tenant, service, command, recorded, at))
        self.world.note(f"{service} acknowledged {recorded.kind} {recorded.stream} version {recorded.version}")

    def _note_refusal(self, service: str, operation: str, refusal: Refused, command: UUID) -> None:
        self.refused[str(command)] = refusal
        self.world.note(f"{service} refused {operation}: {refusal.detail}")

    def _routes(self, service: str, path: str) -> Routes:
        features = self.world.sites[service].service.features
        return next(each.routes for each in features if each.routes and each.routes.path == path)

    def _fan_outs(self, service: str) -> list[FanOut]:
        features = self.world.sites[service].service.features
        return [fan_out for each in features if each.routes for fan_out in each.routes.fan_outs]


def _read(of: type[Any], body: Mapping[str, Any]) -> Any:
    return adapter(of).validate_json(json.dumps(body), strict=True)
