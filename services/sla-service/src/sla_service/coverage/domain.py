"""Which services of the catalogue have an agreement in force, and which have none (S-01).

Services and agreements speak in any order; what is kept are two lists, so that the order does not matter.
"""

from collections.abc import Sequence
from dataclasses import replace
from enum import StrEnum
from uuid import UUID

from events.kernel import Given, event, value
from events.words import Key

# --- commands --------------------------------------------------------------------------------------------------------


@value
class AddService:
    """A service is in the catalogue."""

    service: Key


@value
class RemoveService:
    """A service is delivered no more."""

    service: Key


@value
class AddAgreement:
    """An agreement about a service is in force."""

    sla: UUID
    service: Key


@value
class RemoveAgreement:
    """An agreement is in force no more."""

    sla: UUID
    service: Key


Command = AddService | RemoveService | AddAgreement | RemoveAgreement


# --- events ----------------------------------------------------------------------------------------------------------


@event("coverage-service-added")
class ServiceAdded:
    service: Key


@event("coverage-service-removed")
class ServiceRemoved:
    service: Key


@event("coverage-agreement-added")
class AgreementAdded:
    sla: UUID
    service: Key


@event("coverage-agreement-removed")
class AgreementRemoved:
    sla: UUID
    service: Key


@event("coverage-counted")
class Counted:
    """These services have no agreement in force; told when the list is another than before."""

    without_sla: tuple[Key, ...]


Event = ServiceAdded | ServiceRemoved | AgreementAdded | AgreementRemoved | Counted


# --- state -----------------------------------------------------------------------------------------------------------


class Status(StrEnum):
    """Whether anything was ever heard."""

    ABSENT = "absent"
    COUNTED = "counted"


@value
class Agreement:
    """An agreement in force, and the service that it covers."""

    service: str
    sla: UUID


@value
class Coverage:
    """The services of the catalogue, and the agreements in force."""

    status: Status = Status.ABSENT
    services: tuple[str, ...] = ()
    agreements: tuple[Agreement, ...] = ()

    @property
    def without_sla(self) -> tuple[str, ...]:
        """The services without an agreement in force."""
        covered = {agreement.service for agreement in self.agreements}
        return tuple(service for service in self.services if service not in covered)


def evolve(coverage: Coverage, happened: Event) -> Coverage:
    match happened:
        case ServiceAdded():
            return replace(coverage, services=tuple(sorted({*coverage.services, happened.service})))
        case ServiceRemoved():
            return replace(coverage, services=tuple(each for each in coverage.services if each != happened.service))
        case AgreementAdded():
            agreements = {*coverage.agreements, Agreement(service=happened.service, sla=happened.sla)}
            return replace(coverage, agreements=_sorted(agreements))
        case AgreementRemoved():
            agreements = {*coverage.agreements} - {Agreement(service=happened.service, sla=happened.sla)}
            return replace(coverage, agreements=_sorted(agreements))
        case Counted():
            return replace(coverage, status=Status.COUNTED)


def _sorted(agreements: set[Agreement]) -> tuple[Agreement, ...]:
    return tuple(sorted(agreements, key=lambda each: (each.service, each.sla)))


# --- decisions -------------------------------------------------------------------------------------------------------


def decide(coverage: Coverage, command: Command, _: Given) -> Sequence[Event]:
    fact = _fact(command)
    after = evolve(coverage, fact)
    if after == coverage:
        return []
    if after.without_sla == coverage.without_sla and coverage.status is Status.COUNTED:
        return [fact]
    return [fact, Counted(without_sla=after.without_sla)]


def _fact(command: Command) -> Event:
    match command:
        case AddService():
            return ServiceAdded(service=command.service)
        case RemoveService():
            return ServiceRemoved(service=command.service)
        case AddAgreement():
            return AgreementAdded(sla=command.sla, service=command.service)
        case RemoveAgreement():
            return AgreementRemoved(sla=command.sla, service=command.service)
