"""Which risks concern a service, so that what happens to the service reaches each of them (K-06).

News concern the risks that were registered when they were told: whoever registers a risk knows what was known before.
A link and news may be heard in either order; the outcome is the same, because recent news are remembered.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from events.kernel import Given, event, value
from events.words import Instant, Key, Text
from risk_service.words import Trigger

REMEMBERED = 100
"""News of one service that a late link can still meet; a link is late by seconds, or by an outage of the bus."""


@value
class ServiceNews:
    """Something that happened to a service and was told by another service."""

    trigger: Trigger
    cause: UUID
    because: Text
    happened_at: Instant
    told_at: Instant


@value
class Linked:
    risk: UUID
    registered_at: Instant


# --- commands --------------------------------------------------------------------------------------------------------


@value
class Link:
    """A risk was registered that concerns this service."""

    service: Key
    risk: UUID
    registered_at: Instant


@value
class Tell:
    """Tell every risk of this service what happened."""

    service: Key
    news: ServiceNews


Command = Link | Tell


# --- events ----------------------------------------------------------------------------------------------------------


@event("service-risk-linked")
class RiskLinked:
    service: Key
    risk: UUID
    registered_at: Instant


@event("service-news-heard")
class NewsHeard:
    service: Key
    news: ServiceNews


@event("service-risk-touched")
class RiskTouched:
    service: Key
    risk: UUID
    news: ServiceNews


Event = RiskLinked | NewsHeard | RiskTouched


# --- state -----------------------------------------------------------------------------------------------------------


class Status(StrEnum):
    UNHEARD = "unheard"
    KNOWN = "known"


@value
class ServiceRisks:
    """The risks of one service, and what it went through lately."""

    status: Status = Status.UNHEARD
    service: str = ""
    risks: tuple[Linked, ...] = ()
    recent: tuple[ServiceNews, ...] = ()


def evolve(known: ServiceRisks, happened: Event) -> ServiceRisks:
    known = replace(known, status=Status.KNOWN, service=happened.service)
    match happened:
        case RiskLinked():
            linked = Linked(risk=happened.risk, registered_at=happened.registered_at)
            return replace(known, risks=(*known.risks, linked))
        case NewsHeard():
            return replace(known, recent=(*known.recent, happened.news)[-REMEMBERED:])
        case RiskTouched():
            return known


# --- decisions -------------------------------------------------------------------------------------------------------


def decide(known: ServiceRisks, command: Command, _given: Given) -> Sequence[Event]:
    match command:
        case Link():
            return _link(known, command)
        case Tell():
            return _tell(known, command)


def _link(known: ServiceRisks, link: Link) -> Sequence[Event]:
    if any(each.risk == link.risk for each in known.risks):
        return []
    linked = RiskLinked(service=link.service, risk=link.risk, registered_at=link.registered_at)
    missed = [news for news in known.recent if _concerns(news, link.registered_at)]
    return [linked, *(RiskTouched(service=link.service, risk=link.risk, news=news) for news in missed)]


def _tell(known: ServiceRisks, tell: Tell) -> Sequence[Event]:
    if any(news.cause == tell.news.cause for news in known.recent):
        return []
    heard = NewsHeard(service=tell.service, news=tell.news)
    concerned = [each.risk for each in known.risks if _concerns(tell.news, each.registered_at)]
    return [heard, *(RiskTouched(service=tell.service, risk=risk, news=tell.news) for risk in concerned)]


def _concerns(news: ServiceNews, registered_at: datetime) -> bool:
    return news.told_at >= registered_at
