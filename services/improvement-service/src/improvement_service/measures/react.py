"""What measures hear: readings from the SLA service, and from our own actions which criteria to watch."""

from collections.abc import Iterable
from datetime import timedelta
from decimal import Decimal

from contracts.improvement import CriterionBound, CriterionReleased, Measure
from contracts.sla import CoverageCounted, OutageMeasured
from events.kernel import News, Reaction
from improvement_service.measures.aggregate import measure_id, measures
from improvement_service.measures.commands import Keep, Release, Take
from improvement_service.measures.values import Reading, Watch, minutes

HEARD = (OutageMeasured, CoverageCounted, CriterionBound, CriterionReleased)


def react(news: News) -> Iterable[Reaction]:
    match news.body:
        case OutageMeasured() as told:
            yield _take(news, Measure.LONGEST_OUTAGE, told.service, _outage(told))
        case CoverageCounted(without_sla=count):
            reading = Reading(name=str(news.event), since=news.at, until=news.at, value=Decimal(count))
            yield _take(news, Measure.SERVICES_WITHOUT_SLA, None, reading)
        case CriterionBound() as told:
            watch = Watch(
                action=news.stream,
                cycle=told.cycle,
                threshold=told.threshold,
                starts_at=told.starts_at,
                ends_at=told.ends_at,
            )
            yield Reaction(
                rule="watch-criterion",
                aggregate=measures,
                stream=measure_id(news.tenant, told.measure, told.subject),
                command=Keep(measure=told.measure, subject=told.subject, watch=watch),
            )
        case CriterionReleased() as told:
            yield Reaction(
                rule="release-criterion",
                aggregate=measures,
                stream=measure_id(news.tenant, told.measure, told.subject),
                command=Release(action=news.stream, cycle=told.cycle),
            )


def _take(news: News, measure: Measure, subject: str | None, reading: Reading) -> Reaction:
    return Reaction(
        rule="take-reading",
        aggregate=measures,
        stream=measure_id(news.tenant, measure, subject),
        command=Take(measure=measure, subject=subject, reading=reading),
    )


def _outage(told: OutageMeasured) -> Reading:
    length = timedelta(seconds=told.seconds)
    return Reading(
        name=told.outage,
        since=told.started_at,
        until=told.ended_at or told.started_at + length,
        value=minutes(length),
        ongoing=told.ended_at is None,
    )
