"""How a month follows another, where an outage lasts, and how it follows what becomes of its agreement."""

from collections.abc import Iterable
from datetime import date

from contracts.sla import PeriodClosed, SlaActivated, SlaEnded
from events.kernel import News, Reaction
from sla_service.months import month_of_day, next_month
from sla_service.periods.aggregate import period_id, periods
from sla_service.periods.commands import Measure, Reconsider
from sla_service.samples import Outage

HEARD = (PeriodClosed, SlaActivated, SlaEnded)


def react(news: News) -> Iterable[Reaction]:
    match news.body:
        case PeriodClosed() as closed:
            return _carry_over(news, closed)
        case SlaActivated(judges_from=date() as day, targets=targets):
            return _reconsider(news, "a month in which a version comes in force is looked at again", day, targets)
        case SlaEnded(ended_on=day, targets=targets):
            return _reconsider(news, "a month in which the agreement ends is decided at its end", day, targets)
        case _:
            return []


def _carry_over(news: News, closed: PeriodClosed) -> Iterable[Reaction]:
    month = next_month(closed.month)
    for each in closed.open:
        outage = Outage(id=each.id, started_at=each.started_at, corrects=each.corrects)
        yield Reaction(
            rule="an outage that lasts goes on in the next month",
            aggregate=periods,
            stream=period_id(news.tenant, closed.sla, closed.target, month),
            command=Measure(sla=closed.sla, target=closed.target, month=month, source=each.source, samples=(outage,)),
            key=f"{each.source}:{each.id}",
        )


def _reconsider(news: News, rule: str, day: date, targets: Iterable[str]) -> Iterable[Reaction]:
    for target in targets:
        yield Reaction(
            rule=rule,
            aggregate=periods,
            stream=period_id(news.tenant, news.stream, target, month_of_day(day)),
            command=Reconsider(),
            key=target,
        )
