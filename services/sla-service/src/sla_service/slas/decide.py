"""What may happen to an agreement: both sides sign each version, and the past is never edited (S-02, S-03)."""

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from typing import Any

from events.kernel import Due, Given, Need, NextNumber, NotFound, Refused, Unacceptable
from events.words import day_of, start_of
from sla_service.months import month_of_day, months_between
from sla_service.services.aggregate import catalogued
from sla_service.services.domain import Status as ServiceStatus
from sla_service.slas.commands import Activate, Amend, Command, Draft, Sign, Terminate
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
from sla_service.slas.state import Sla, Status, Version, ends_at, evolve, starts_at
from sla_service.slas.terms import refuse_unmeasurable

NUMBER = NextNumber("SLA")


def needs(_: Sla, command: Command) -> Iterable[Need[Any]]:
    if isinstance(command, Draft):
        return (NUMBER, catalogued(command.service))
    return []


def decide(sla: Sla, command: Command, given: Given) -> Sequence[Event]:
    match command:
        case Draft():
            return _draft(sla, command, given)
        case Amend():
            return _amend(_standing(sla), command)
        case Sign():
            return _sign(_standing(sla), command, given)
        case Activate():
            return _activate(_standing(sla), given)
        case Terminate():
            return _terminate(_standing(sla), command, given)
        case Due():
            return _catch_up(sla, given.at)


def _standing(sla: Sla) -> Sla:
    """An agreement that somebody drafted and nobody terminated."""
    if sla.status is Status.ABSENT:
        raise NotFound("no such agreement")
    if sla.status is Status.TERMINATED:
        raise Refused(f"{sla.number} was terminated", rule="S-03", ended_on=sla.ends_on)
    return sla


def _draft(sla: Sla, command: Draft, given: Given) -> Sequence[Event]:
    if sla.status is not Status.ABSENT:
        raise Refused(f"{sla.number} exists already", rule="S-03")
    _refuse_unlisted(command.service, given)
    refuse_unmeasurable(command.terms)
    return [
        Drafted(number=f"SLA-{given[NUMBER]}", service=command.service, customer=command.customer, terms=command.terms)
    ]


def _refuse_unlisted(service: str, given: Given) -> None:
    if not any(found.state.status is ServiceStatus.LISTED for found in given[catalogued(service)]):
        raise Unacceptable(f"{service} is not in the service catalogue", rule="S-01", service=service)


def _amend(sla: Sla, command: Amend) -> Sequence[Event]:
    refuse_unmeasurable(command.terms)
    pending, starts = sla.pending, command.terms.effective_from
    if pending is not None and pending.status is Status.AGREED:
        raise Refused(
            f"version {pending.number} of {sla.number} is agreed and waits for {pending.applies_from}: "
            "amend it when it is in force",
            rule="S-03",
            version=pending.number,
        )
    if sla.active is not None:
        _refuse_unfitting_start(sla, starts)
    return [Amended(version=len(sla.versions) + 1, terms=command.terms, reason=command.reason)]


def _refuse_unfitting_start(sla: Sla, starts: date) -> None:
    """An amendment lies within the life of the agreement, and leaves no day without one."""
    first = sla.versions_in_force[0].terms.effective_from
    if starts < first:
        raise Unacceptable(f"{sla.number} is in force since {first} only", rule="S-03", effective_from=first)
    last = sla.last_day
    if last is not None and (starts - last).days > 1:
        raise Unacceptable(f"{sla.number} ends on {last}: an amendment from {starts} leaves a gap", rule="S-03")


def _sign(sla: Sla, command: Sign, given: Given) -> Sequence[Event]:
    proposed = sla.pending
    if proposed is None or proposed.status is not Status.DRAFT:
        raise Refused(f"no version of {sla.number} waits for a signature", rule="S-03")
    for signature in proposed.signatures:
        if signature.side is command.side:
            raise Refused(
                f"the {command.side} has signed version {proposed.number} on {signature.on}: {signature.person}",
                rule="S-03",
            )
        if signature.person == command.person:
            raise Refused(
                f"{command.person} has signed version {proposed.number} for the {signature.side}: "
                f"somebody else signs for the {command.side}",
                rule="S-03",
            )
    if command.on > day_of(given.at, proposed.terms.time_zone):
        raise Unacceptable(f"a signature cannot be dated {command.on}, which is to come", rule="S-03", on=command.on)
    signed = Signed(version=proposed.number, side=command.side, person=command.person, on=command.on)
    if proposed.unsigned != (command.side,):
        return [signed]
    agreed = _agree(sla, proposed, given.at)
    return [signed, agreed, *_catch_up(evolve(evolve(sla, signed), agreed), given.at)]


def _agree(sla: Sla, proposed: Version, now: datetime) -> Agreed:
    terms, today = proposed.terms, day_of(now, proposed.terms.time_zone)
    back_dated = sla.active is not None and terms.effective_from < today
    return Agreed(
        version=proposed.number,
        applies_from=today if back_dated else terms.effective_from,
        activates_at=max(start_of(terms.effective_from, terms.time_zone), now),
        back_dated=back_dated,
    )


def _activate(sla: Sla, given: Given) -> Sequence[Event]:
    version = sla.pending
    if version is None:
        return []
    if version.unsigned:
        missing = " and ".join(version.unsigned)
        raise Refused(
            f"version {version.number} of {sla.number} lacks the signature of the {missing}",
            rule="S-03",
            unsigned=version.unsigned,
        )
    if version.activates_at is not None and version.activates_at > given.at:
        raise Refused(
            f"version {version.number} of {sla.number} is in force from {version.applies_from} on",
            rule="S-03",
            effective_from=version.applies_from,
        )
    return _catch_up(sla, given.at)


def _terminate(sla: Sla, command: Terminate, given: Given) -> Sequence[Event]:
    if sla.active is None:
        return [Abandoned(reason=command.reason)]
    if command.ends_on < day_of(given.at, sla.active.terms.time_zone):
        raise Unacceptable(f"{command.ends_on} is over: the past is not edited", rule="S-03", ends_on=command.ends_on)
    if sla.last_day is not None and sla.last_day < command.ends_on:
        raise Refused(f"{sla.number} ends on {sla.last_day} already", rule="S-03", ends_on=sla.last_day)
    return [TerminationSet(ends_on=command.ends_on, reason=command.reason)]


# --- what happens by itself ------------------------------------------------------------------------------------------


def _catch_up(sla: Sla, now: datetime) -> Sequence[Event]:
    """Every step that is due by now, each at its own instant."""
    steps: list[Event] = []
    while following := _following(sla, now):
        steps += following
        for each in following:
            sla = evolve(sla, each)
    return steps


def _following(sla: Sla, now: datetime) -> Sequence[Event]:
    starts, ends = starts_at(sla), ends_at(sla)
    if ends is not None and ends <= now and (starts is None or ends <= starts):
        assert sla.last_day is not None
        return [Ended(ended_on=sla.last_day, at=ends)]
    if starts is not None and starts <= now:
        assert sla.pending is not None
        return [Activated(version=sla.pending.number, at=starts), *_restatement(sla.pending)]
    return []


def _restatement(version: Version) -> Sequence[Event]:
    """The months that an amendment touches and that an earlier version has judged."""
    if not version.back_dated or version.applies_from is None:
        return []
    first, last = month_of_day(version.terms.effective_from), month_of_day(version.applies_from)
    return [RestatementCalledFor(version=version.number, months=tuple(months_between(first, last)))]
