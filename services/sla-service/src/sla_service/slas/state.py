"""What is true of an agreement now: its versions, which of them governs a month, and what comes by itself."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import date, datetime, timedelta
from enum import StrEnum

from events.kernel import value
from events.words import end_of
from sla_service.slas.events import (
    Abandoned,
    Activated,
    Agreed,
    Amended,
    Drafted,
    Ended,
    Event,
    RestatementCalledFor,
    Signed,
    TerminationSet,
)
from sla_service.slas.terms import Side, Terms


class Status(StrEnum):
    """Where an agreement, or one of its versions, stands (S-03)."""

    ABSENT = "absent"
    DRAFT = "draft"
    AGREED = "agreed"
    ACTIVE = "active"
    SUPERSEDED = "superseded"
    TERMINATED = "terminated"


NOT_YET_IN_FORCE = (Status.DRAFT, Status.AGREED)


@value
class Signature:
    """Who signed for one side, and when."""

    side: Side
    person: str
    on: date


@value
class Version:
    """One version of an agreement; once signed by both it is never edited."""

    number: int
    terms: Terms
    status: Status = Status.DRAFT
    reason: str | None = None
    signatures: tuple[Signature, ...] = ()
    back_dated: bool = False
    applies_from: date | None = None
    activates_at: datetime | None = None

    @property
    def unsigned(self) -> tuple[Side, ...]:
        """The sides that have not signed yet."""
        signed = {signature.side for signature in self.signatures}
        return tuple(side for side in Side if side not in signed)


@value
class Part:
    """The days of a time on which one version is in force."""

    version: Version
    first: date
    last: date


@value
class Sla:
    """An agreement between a service and a customer, with all its versions."""

    status: Status = Status.ABSENT
    number: str = ""
    service: str = ""
    customer: str = ""
    versions: tuple[Version, ...] = ()
    ends_on: date | None = None
    """The last day, once the agreement was terminated."""
    to_restate: tuple[str, ...] = ()
    """Months that a back-dated amendment touches, and that nobody has restated yet."""

    @property
    def pending(self) -> Version | None:
        """The version that is proposed, or agreed and waiting for its day."""
        return next((each for each in self.versions if each.status in NOT_YET_IN_FORCE), None)

    @property
    def active(self) -> Version | None:
        """The version in force."""
        return next((each for each in self.versions if each.status is Status.ACTIVE), None)

    @property
    def last_day(self) -> date | None:
        """The last day in force, as far as known; None: open-ended, or never in force.

        A version that is agreed leaves no gap, so the agreement ends when that one does.
        """
        if self.status is Status.TERMINATED:
            return self.ends_on
        days = (self.ends_on, self._last_agreed.terms.effective_to if self._last_agreed else None)
        return min((day for day in days if day is not None), default=None)

    @property
    def _last_agreed(self) -> Version | None:
        """The version in force, or the one that is agreed to follow it."""
        follows = self.active and self.pending and self.pending.status is Status.AGREED
        return self.pending if follows else self.active

    @property
    def versions_in_force(self) -> tuple[Version, ...]:
        """The versions that are or were in force, in the order of their numbers."""
        return tuple(each for each in self.versions if each.applies_from and each.status not in NOT_YET_IN_FORCE)

    def version(self, number: int) -> Version:
        """One version by its number."""
        return self.versions[number - 1]

    def parts(self, first: date, last: date) -> tuple[Part, ...]:
        """The versions in force in a time, one after the other, each with its own days (S-05)."""
        last = min(last, self.last_day or last)
        begun = {max(each.applies_from, first): each for each in self.versions_in_force if each.applies_from}
        starts = [day for day in begun if day <= last]
        ends = [*(day - timedelta(days=1) for day in starts[1:]), last]
        return tuple(Part(version=begun[day], first=day, last=end) for day, end in zip(starts, ends, strict=False))


# --- how it came to be -----------------------------------------------------------------------------------------------


def evolve(sla: Sla, happened: Event) -> Sla:
    match happened:
        case Drafted():
            return Sla(
                status=Status.DRAFT,
                number=happened.number,
                service=happened.service,
                customer=happened.customer,
                versions=(Version(number=1, terms=happened.terms),),
            )
        case Amended():
            return _amended(sla, happened)
        case Signed():
            signature = Signature(side=happened.side, person=happened.person, on=happened.on)
            signatures = (*sla.version(happened.version).signatures, signature)
            return _with(sla, replace(sla.version(happened.version), signatures=signatures))
        case Agreed():
            return _agreed(sla, happened)
        case Activated():
            return _activated(sla, happened)
        case RestatementCalledFor():
            return replace(sla, to_restate=tuple(sorted({*sla.to_restate, *happened.months})))
        case TerminationSet():
            return replace(sla, ends_on=happened.ends_on)
        case Ended():
            return _terminated(replace(sla, ends_on=happened.ended_on))
        case Abandoned():
            return _terminated(sla)


def _amended(sla: Sla, happened: Amended) -> Sla:
    proposed = Version(number=happened.version, terms=happened.terms, reason=happened.reason)
    versions = tuple(
        replace(each, status=Status.SUPERSEDED) if each.status is Status.DRAFT else each for each in sla.versions
    )
    return replace(sla, versions=(*versions, proposed))


def _agreed(sla: Sla, happened: Agreed) -> Sla:
    agreed = replace(
        sla.version(happened.version),
        status=Status.AGREED,
        applies_from=happened.applies_from,
        activates_at=happened.activates_at,
        back_dated=happened.back_dated,
    )
    return _with(replace(sla, status=sla.status if sla.active else Status.AGREED), agreed)


def _activated(sla: Sla, happened: Activated) -> Sla:
    if sla.active is not None:
        sla = _with(sla, replace(sla.active, status=Status.SUPERSEDED))
    return _with(replace(sla, status=Status.ACTIVE), replace(sla.version(happened.version), status=Status.ACTIVE))


def _terminated(sla: Sla) -> Sla:
    versions = tuple(
        each if each.status is Status.SUPERSEDED else replace(each, status=Status.TERMINATED) for each in sla.versions
    )
    return replace(sla, status=Status.TERMINATED, versions=versions)


def _with(sla: Sla, version: Version) -> Sla:
    number = version.number
    return replace(sla, versions=(*sla.versions[: number - 1], version, *sla.versions[number:]))


# --- what follows from it --------------------------------------------------------------------------------------------


def deadline(sla: Sla) -> datetime | None:
    """When the agreed version comes into force, or the agreement ends for want of a successor."""
    return min((at for at in (starts_at(sla), ends_at(sla)) if at is not None), default=None)


def starts_at(sla: Sla) -> datetime | None:
    """When the version that waits for its day comes into force."""
    pending = sla.pending
    return pending.activates_at if pending and pending.status is Status.AGREED else None


def ends_at(sla: Sla) -> datetime | None:
    """When the last day in force is over."""
    active, last_day = sla.active, sla.last_day
    return end_of(last_day, active.terms.time_zone) if active and last_day else None


def claims(sla: Sla) -> Iterable[str]:
    """One agreement in force, or agreed to be, per service and customer."""
    if sla.status in (Status.AGREED, Status.ACTIVE):
        yield f"sla:{sla.service}:{sla.customer}"
