"""The service catalogue: which services we deliver, who owns them, and which supplier stands behind them (8.2.4)."""

from collections.abc import Sequence
from dataclasses import replace
from enum import StrEnum

from events.kernel import Given, NotFound, Refused, event, value
from events.words import Key, Line, Person, Text

# --- commands --------------------------------------------------------------------------------------------------------


@value
class List:
    """A service belongs to the catalogue from now on; its key stays its name for ever."""

    key: Key
    name: Line
    owner: Person
    supplier: Line | None = None


@value
class Change:
    """Name, owner or supplier of a service are these from now on."""

    name: Line
    owner: Person
    supplier: Line | None = None


@value
class Retire:
    """The service is delivered no more."""

    reason: Text


Command = List | Change | Retire


# --- events ----------------------------------------------------------------------------------------------------------


@event("service-listed")
class Listed:
    key: Key
    name: Line
    owner: Person
    supplier: Line | None


@event("service-changed")
class Changed:
    name: Line
    owner: Person
    supplier: Line | None


@event("service-retired")
class Retired:
    reason: Text


Event = Listed | Changed | Retired


# --- state -----------------------------------------------------------------------------------------------------------


class Status(StrEnum):
    """Where a service stands in the catalogue."""

    ABSENT = "absent"
    LISTED = "listed"
    RETIRED = "retired"


@value
class Service:
    """A service of the catalogue."""

    status: Status = Status.ABSENT
    key: str = ""
    name: str = ""
    owner: str = ""
    supplier: str | None = None


def evolve(service: Service, happened: Event) -> Service:
    match happened:
        case Listed():
            return Service(
                status=Status.LISTED,
                key=happened.key,
                name=happened.name,
                owner=happened.owner,
                supplier=happened.supplier,
            )
        case Changed():
            return replace(service, name=happened.name, owner=happened.owner, supplier=happened.supplier)
        case Retired():
            return replace(service, status=Status.RETIRED)


# --- decisions -------------------------------------------------------------------------------------------------------


def decide(service: Service, command: Command, given: Given) -> Sequence[Event]:
    match command:
        case List():
            return _list(service, command)
        case Change():
            return _change(service, command)
        case Retire():
            return _retire(service, command)


def _list(service: Service, command: List) -> Sequence[Event]:
    if service.status is not Status.ABSENT:
        raise Refused(f"{command.key} is in the catalogue already, it is {service.status}", rule="8.2.4")
    return [Listed(key=command.key, name=command.name, owner=command.owner, supplier=command.supplier)]


def _change(service: Service, command: Change) -> Sequence[Event]:
    _refuse_unless_listed(service)
    if (service.name, service.owner, service.supplier) == (command.name, command.owner, command.supplier):
        return []
    return [Changed(name=command.name, owner=command.owner, supplier=command.supplier)]


def _retire(service: Service, command: Retire) -> Sequence[Event]:
    _refuse_unless_listed(service)
    return [Retired(reason=command.reason)]


def _refuse_unless_listed(service: Service) -> None:
    if service.status is Status.ABSENT:
        raise NotFound("no such service in the catalogue")
    if service.status is Status.RETIRED:
        raise Refused(f"{service.key} was retired", rule="8.2.4")
