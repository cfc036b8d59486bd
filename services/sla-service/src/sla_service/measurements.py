"""A report of samples becomes one command for each target and month that it concerns, and one for the outages."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from functools import cache, partial
from typing import Annotated, Any
from uuid import UUID

from annotated_types import Len

from chassis.routes import Order
from events.kernel import Given, Need, Refused, Unacceptable, value
from events.words import Key
from sla_service.months import month_of, months_between
from sla_service.outages.aggregate import outages, outages_id
from sla_service.outages.domain import Report as ReportOutages
from sla_service.periods.aggregate import period_id, periods, periods_of
from sla_service.periods.basis import judged_by
from sla_service.periods.commands import Measure
from sla_service.periods.resolution import counts_at
from sla_service.samples import Outage, Sample, label, refuse_unobservable, row_of, unknown_rows
from sla_service.slas.aggregate import agreements_about
from sla_service.slas.state import Version
from sla_service.slas.terms import AvailabilityTarget, Target

MOST_SAMPLES = 1000
MOST_PLACES = 120
MOST_LOOKS = 200_000
"""Of one report: the targets and months that it may concern, and how often it may be asked whether a sample does."""
Place = tuple[UUID, str, str]
"""Agreement, target and month."""


@value
class Measurements:
    """Samples of one service by one source. A correction is a sample with its own id that names the old one."""

    service: Key
    source: Key
    samples: Annotated[tuple[Sample, ...], Len(1, MOST_SAMPLES)]


def needs(body: Measurements, _: str) -> Iterable[Need[Any]]:
    yield agreements_about(body.service)
    if _corrections(body):
        yield periods_of(body.service)


def orders(body: Measurements, given: Given) -> Sequence[Order]:
    refuse_unobservable(body.samples, given.at)
    unknown_rows((), (row_of(body.service, body.source, sample) for sample in body.samples))
    concerned = [*_orders_for_periods(body, given), *_orders_for_outages(body, given)]
    if not concerned:
        raise Refused(
            f"no target of an agreement in force concerns these incidents of {body.service}: nothing was kept",
            rule="S-01",
            service=body.service,
        )
    return concerned


def _orders_for_outages(body: Measurements, given: Given) -> Iterator[Order]:
    reported = tuple(sample for sample in body.samples if isinstance(sample, Outage))
    if reported:
        yield Order(
            aggregate=outages,
            stream=outages_id(given.tenant, body.service),
            command=ReportOutages(service=body.service, source=body.source, samples=reported),
            key=f"outages of {body.service}",
        )


def _orders_for_periods(body: Measurements, given: Given) -> Iterator[Order]:
    concerned: dict[Place, dict[str, Sample]] = {}
    placed = tuple(_places(body, given))
    for sample, place in (*placed, *_places_of_the_corrected(body, placed, given)):
        concerned.setdefault(place, {})[sample.id] = sample
    numbers = {found.id: found.state.number for found in given[agreements_about(body.service)]}
    for (sla, target, month), samples in concerned.items():
        yield Order(
            aggregate=periods,
            stream=period_id(given.tenant, sla, target, month),
            command=Measure(sla=sla, target=target, month=month, source=body.source, samples=tuple(samples.values())),
            key=f"{numbers[sla]} {target} {month}",
        )


def _places(body: Measurements, given: Given) -> Iterator[tuple[Sample, Place]]:
    """Where the samples count, by the versions that the months are judged by."""
    looks, places = 0, set[Place]()
    for found in given[agreements_about(body.service)]:
        judged = cache(partial(judged_by, found.state))
        for version in found.state.versions_in_force:
            for target in version.terms.targets:
                for sample in body.samples:
                    for month in _months(sample, target, version, given.at):
                        looks += 1
                        if any(part.version is version for part in judged(target.key, month)):
                            places.add(place := (found.id, target.key, month))
                            yield sample, place
                        if looks > MOST_LOOKS or len(places) > MOST_PLACES:
                            raise Unacceptable(
                                f"these samples concern more than {MOST_PLACES} targets and months: send them in parts",
                                rule="S-04",
                            )


def _months(sample: Sample, target: Target, version: Version, now: datetime) -> Iterable[str]:
    """The months in which a sample counts; a correction is told also where its open report would have counted."""
    zone = version.terms.time_zone
    if isinstance(sample, Outage):
        if not isinstance(target, AvailabilityTarget):
            return ()
        until = now if sample.corrects or sample.ended_at is None else sample.ended_at
        return months_between(month_of(sample.started_at, zone), month_of(until, zone))
    if isinstance(target, AvailabilityTarget) or target.priority not in (None, sample.priority):
        return ()
    forms = (sample, replace(sample, resolved_at=None)) if sample.corrects else (sample,)
    return {month_of(counts_at(form, target), zone) for form in forms}


def _places_of_the_corrected(
    body: Measurements, placed: Sequence[tuple[Sample, Place]], given: Given
) -> Iterator[tuple[Sample, Place]]:
    """Where the samples that are corrected were reported, before or just now, so that they stop counting there."""
    beside = {sample.corrects: sample for sample in _corrections(body)}
    for sample, place in placed:
        if sample.id in beside:
            yield beside[sample.id], place
    corrections = {label(body.source, sample.corrects or ""): sample for sample in _corrections(body)}
    if corrections:
        for found in given[periods_of(body.service)]:
            period = found.state
            if period.sla is not None:
                for known in corrections.keys() & set(period.samples):
                    yield corrections[known], (period.sla, period.target, period.month)


def _corrections(body: Measurements) -> tuple[Sample, ...]:
    return tuple(sample for sample in body.samples if sample.corrects is not None)
