"""A toy service that uses everything the chassis offers: lights in rooms, and the one dimmer of a house."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import date, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated
from uuid import UUID

import pytest
import pytest_asyncio
from pydantic import Field

from chassis.routes import FanOut, Feature, Listing, Order, Routes, Service
from chassis.testing import Served, serving
from events.kernel import Aggregate, AllWhere, Given, NotFound, Refused, derived_id, event, public, value
from events.words import Count, Day, Line, Text

HERE = Path(__file__).parent


class Status(StrEnum):
    ABSENT = "absent"
    OFF = "off"
    ON = "on"


@value
class Install:
    """Put a light into a room."""

    room: Line
    installed_on: Day | None = None
    lumens: Count = 400


@value
class Switch:
    """Switch a light on or off."""

    on: bool
    reason: Text | None = None


@event("light-installed")
class Installed:
    room: str
    installed_on: date | None
    lumens: int


@event("light-switched")
class Switched:
    on: bool
    at: datetime


@public("toy", "light", "switched")
class LightSwitched:
    room: str
    on: bool


@value
class Light:
    """A light, and whether it shines."""

    status: Status = Status.ABSENT
    room: str = ""
    installed_on: date | None = None
    lumens: int = 0


def decide(light: Light, command: Install | Switch, given: Given) -> Sequence[Installed | Switched]:
    match command:
        case Install() if light.status is Status.ABSENT:
            return [Installed(room=command.room, installed_on=command.installed_on, lumens=command.lumens)]
        case Install():
            raise Refused("There is a light already.")
        case Switch() if light.status is Status.ABSENT:
            raise NotFound("There is no such light.")
        case Switch(on=on) if (light.status is Status.ON) == on:
            raise Refused(f"It is {light.status} already.", rule="L-01", room=light.room)
        case Switch(on=on):
            return [Switched(on=on, at=given.at)]


def evolve(light: Light, event: Installed | Switched) -> Light:
    match event:
        case Installed():
            return Light(status=Status.OFF, room=event.room, installed_on=event.installed_on, lumens=event.lumens)
        case Switched(on=on):
            return replace(light, status=Status.ON if on else Status.OFF)


def announce(light: Light, event: Installed | Switched) -> LightSwitched | None:
    return LightSwitched(room=light.room, on=event.on) if isinstance(event, Switched) else None


lights = Aggregate(
    kind="light",
    initial=Light(),
    decide=decide,
    evolve=evolve,
    announce=announce,
    events=(Installed, Switched),
    claims=lambda light: [f"last-place:{light.room}"] if light.room == "Cellar" else [],
)

light_routes = Routes(
    aggregate=lights,
    path="lights",
    noun="light",
    read="light.read",
    listing=Listing(filters=("status", "room"), sorts=("installed_on",)),
)
light_routes.create(Install, permission="light.install", summary="Install a light", example={"room": "Hall"})
light_routes.act("position", Switch, permission="light.switch", summary="Switch a light", example={"on": True})


@value
class InstallAll:
    """Put lights into many rooms."""

    rooms: Annotated[tuple[Line, ...], Field(max_length=3)]


def orders(body: InstallAll, given: Given) -> list[Order]:
    if given.only(AllWhere(Dimmer)).percent < 10:
        raise Refused("it is too dark to install anything")
    return [
        Order(aggregate=lights, stream=derived_id(given.tenant, room), command=Install(room=room), key=room)
        for room in body.rooms
    ]


light_routes.fan_out(
    FanOut(
        path="light-batches",
        body=InstallAll,
        permission="light.install",
        summary="Install many lights",
        example={"rooms": ["Hall"]},
        needs=lambda body, tenant: (AllWhere(Dimmer),),
        orders=orders,
    )
)


@value
class Dim:
    """Set the highest brightness of the house."""

    percent: Annotated[int, Field(ge=1, le=100)]


@event("dimmed")
class Dimmed:
    percent: int


@value
class Dimmer:
    """The highest brightness that is allowed in the house."""

    percent: int = 100


@value
class DimmerView:
    """The dimmer as it is shown."""

    percent: int
    seen_at: datetime


def view(dimmer: Dimmer, now: datetime) -> DimmerView:
    return DimmerView(percent=dimmer.percent, seen_at=now)


dimmers = Aggregate(
    kind="dimmer",
    initial=Dimmer(),
    decide=lambda _, command, __: [Dimmed(percent=command.percent)],
    evolve=lambda _, event: Dimmer(percent=event.percent),
    events=(Dimmed,),
)
dimmer_routes = Routes(aggregate=dimmers, path="dimmer", noun="dimmer", read="light.read", view=view, singleton=True)
dimmer_routes.act("brightness", Dim, permission="light.dim", summary="Dim the house", example={"percent": 40})


toy = Service(
    name="toy",
    title="Toy service",
    features=(Feature(aggregate=lights, routes=light_routes), Feature(aggregate=dimmers, routes=dimmer_routes)),
    permissions={
        "electrician": frozenset(
            {"light.install", "light.switch", "light.dim", "light.read", "events.read", "clock.move"}
        ),
        "guest": frozenset({"light.read"}),
    },
)


@pytest.fixture
def toy_service() -> Service:
    return toy


@pytest.fixture
def migrations() -> Path:
    return HERE / "migrations"


@pytest_asyncio.fixture
async def house(database: str, tmp_path: Path, migrations: Path) -> AsyncIterator[Served]:
    """The toy service over HTTP, on an empty database."""
    async with serving(toy, database, tmp_path, migrations=migrations) as served:
        yield served


@pytest.fixture
def missing() -> UUID:
    """An id that nobody has."""
    return derived_id("nobody")
