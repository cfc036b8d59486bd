"""One process of one service: its connections, its background work, and its HTTP application."""

import importlib
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Any

from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from chassis import clock, http, openapi, public, quiet
from chassis.edge import Edge, Exchange
from chassis.endpoints import Door, Endpoint, check_permissions, permission_table
from chassis.health import Health
from chassis.identity import Identity, keys_from
from chassis.metrics import Metrics
from chassis.migrations import MigrationsMissing, folder_of, head_of
from chassis.problems import problem_of
from chassis.routes import Service, declarations
from chassis.settings import Settings
from chassis.submissions import submissions
from events.bus.nats import NatsBroker
from events.bus.runtime import Bus
from events.handling import Handler
from events.kernel import Aggregate
from events.refolder import Refolder
from events.scheduler import Scheduler
from events.store.database import Database
from events.store.folds import Folds
from events.store.incoming import PostgresIncoming
from events.store.outgoing import PostgresOutgoing
from events.store.postgres import PostgresStore
from events.store.writer import Writer

VERSION = "0.1.0"


@dataclass
class Process:
    """Everything that runs beside the application, started and stopped in order."""

    service: Service
    settings: Settings
    database: Database
    store: PostgresStore
    writer: Writer
    handler: Handler
    refolder: Refolder
    scheduler: Scheduler
    bus: Bus | None
    """Relay and consumers; None where no NATS is configured."""

    @classmethod
    def of(cls, service: Service, settings: Settings) -> "Process":
        """Put together; nothing is connected yet."""
        database = Database.at(settings.database)
        store = PostgresStore(database)
        writer = Writer(store)
        handler = Handler(store, writer, [feature.aggregate for feature in service.features])
        refolder = Refolder(Folds(database), aggregates_of(service), declarations(service))
        handler.incomplete = refolder.incomplete
        scheduler = Scheduler(store, handler, refolder)
        bus = _bus(service, settings, database, handler)
        if bus:
            writer.after = bus.wake
        return cls(service, settings, database, store, writer, handler, refolder, scheduler, bus)

    async def start(self) -> None:
        if self.settings.clock_start:
            await clock.set_clock(self.database, self.settings.clock_start)
        self.writer.start()
        await self.refolder.start()
        self.scheduler.start()
        if self.bus:
            self.bus.start()

    async def stop(self) -> None:
        """Those who bring commands before the one who writes them."""
        if self.bus:
            await self.bus.stop()
        await self.scheduler.stop()
        await self.refolder.stop()
        await self.writer.stop()
        await self.database.close()


def _bus(service: Service, settings: Settings, database: Database, handler: Handler) -> Bus | None:
    nats = settings.nats_url.get_secret_value()
    if not nats:
        return None
    return Bus(
        handler,
        service.name,
        service.features if settings.consume else (),
        broker=NatsBroker(nats, f"closeloop-{service.name}"),
        incoming=PostgresIncoming(database),
        outgoing=PostgresOutgoing(database),
    )


def create_app(service: Service, settings: Settings) -> FastAPI:
    """The HTTP application of a service; its lifespan starts and stops the process's background work."""
    process, metrics = Process.of(service, settings), Metrics()
    health = _health(service, process, metrics)
    endpoints = endpoints_of(service, process, movable_clock=settings.clock_start is not None)
    permissions = permission_table(service.permissions)
    check_permissions(endpoints, permissions)
    document = openapi.document(service.title, VERSION, endpoints, permissions)
    app = FastAPI(
        title=service.title,
        lifespan=_lifespan(process, health),
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    door = Door(Identity(keys_from(settings.jwks), settings.issuer, settings.audience), permissions)
    app.router.routes.extend([*public.routes(health, document), *door.routes(endpoints)])
    app.add_exception_handler(HTTPException, _as_problem)
    app.add_middleware(Edge, max_body=settings.max_body, receive_seconds=settings.receive_seconds, metrics=metrics)
    app.openapi = lambda: document  # type: ignore[method-assign]
    app.state.health = health
    app.state.process = process
    app.state.endpoints = endpoints
    return app


def _health(service: Service, process: Process, metrics: Metrics) -> Health:
    return Health(
        database=process.database,
        writer=process.writer,
        scheduler=process.scheduler,
        refolder=process.refolder,
        metrics=metrics,
        wanted_revision=_wanted_revision(service),
        bus=process.bus,
        deaf=not process.settings.consume,
    )


def _lifespan(process: Process, health: Health) -> Callable[[FastAPI], AbstractAsyncContextManager[None]]:
    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        await process.start()
        try:
            yield
        finally:
            health.stopping = True
            await process.stop()

    return lifespan


def endpoints_of(service: Service, process: Process, *, movable_clock: bool) -> list[Endpoint]:
    """Everything that the service serves to those who have a token."""
    machinery = http.Machinery(service.name, process.database, process.store, process.handler)
    found = [*http.endpoints(service, machinery), *clock.endpoints(machinery, movable=movable_clock)]
    return [*found, *quiet.endpoints(machinery, process.bus)] if movable_clock else found


def aggregates_of(service: Service) -> list[Aggregate[Any, Any, Any]]:
    """Everything that the service's database holds streams of."""
    return [*(feature.aggregate for feature in service.features), submissions]


def load(name: str) -> Service:
    """The service of that name: `service` in the module `<name>_service.main`."""
    found: Service = importlib.import_module(f"{name}_service.main").service
    return found


async def _as_problem(request: Request, error: Exception) -> Response:
    return problem_of(error).response(Exchange.of(request.scope).id)


def _wanted_revision(service: Service) -> str | None:
    try:
        return head_of(folder_of(service.name))
    except MigrationsMissing:
        return None
