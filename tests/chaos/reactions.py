"""From service to service: each announcement was heard once by everybody who listens, and did what it calls for."""

import json
from collections.abc import Collection, Iterator, Mapping
from datetime import datetime
from uuid import UUID

from rows import Rows
from verdict import Verdict

from chassis.service import load
from events.bus.envelope import understood
from events.codec import from_json
from events.kernel import CONTRACTS, News, derived_id
from events.message import Message
from events.store.port import StoredEvent
from events.store.told import nth_free


def check_reactions(rows: Mapping[str, Rows], verdict: Verdict, forgiven: Collection[str] = ()) -> None:
    """`rows` of all services, since the same moment of rest."""
    news = [each for source in rows.values() for each in _news(source)]
    given_up = [each for source in rows.values() for each in _given_up(source)]
    for listener in rows.values():
        _check_inbox(listener, rows, verdict, forgiven)
        # Others go by what they have heard; a service itself, by what it has.
        heard = [each for each in given_up if each.service != listener.service]
        _check_commands(listener, [*news, *heard], verdict, forgiven)


# --- what was heard ---------------------------------------------------------------------------------------------------


def _check_inbox(listener: Rows, rows: Mapping[str, Rows], verdict: Verdict, forgiven: Collection[str]) -> None:
    """The last version heard of a stream is the last one that it has."""
    for source in sources_of(listener.service):
        told = _told(rows[source])
        heard = {(row["tenant"], row["stream"]): row["version"] for row in listener.inbox if row["source"] == source}
        for key in told.keys() | heard.keys():
            if str(key[1]) in forgiven:
                continue
            said, known = told.get(key, 0), heard.get(key, 0)
            where = f"{listener.service} has heard of {source} {key[1]}: version {known} of {said}"
            if known < said:
                verdict.lost.append(where)
            elif known > said:
                verdict.phantom.append(where)


def _told(source: Rows) -> dict[tuple[str, UUID], int]:
    """By stream the highest number that others can have heard."""
    lost = source.lost_versions
    told = {key: max(versions) for key, versions in lost.items()}
    for row in source.announced:
        key = (row["tenant"], row["stream"])
        told[key] = max(told.get(key, 0), nth_free(row["version"], lost.get(key, ())))
    return told


def sources_of(service: str) -> set[str]:
    """The services that a service listens to."""
    return {each.__announced_by__[0] for feature in load(service).features for each in feature.hears}


# --- what was done ----------------------------------------------------------------------------------------------------


def _check_commands(listener: Rows, news: list[News], verdict: Verdict, forgiven: Collection[str]) -> None:
    done = {row["id"]: row for row in listener.commands if row["origin"] == "news"}
    wanted = {id: each for each in news for id in _reactions(listener.service, each)}
    for id in wanted.keys() - done.keys():
        if str(wanted[id].stream) not in forgiven:
            about = f"{type(wanted[id].body).__name__} of {wanted[id].stream}"
            verdict.lost.append(f"{listener.service}: what {about} calls for was not done ({id})")
    for id in done.keys() - wanted.keys():
        if str(done[id]["stream"]) not in forgiven and done[id]["position"] > listener.after:
            what = f"{done[id]['kind']} {done[id]['stream']} version {done[id]['version']}"
            verdict.phantom.append(f"{listener.service}: no announcement calls for command {id} ({what})")


def _reactions(service: str, news: News) -> Iterator[UUID]:
    for feature in load(service).features:
        if feature.react and isinstance(news.body, feature.hears):
            for reaction in feature.react(news):
                yield derived_id(news.tenant, news.event, reaction.rule, reaction.key)


def _news(source: Rows) -> Iterator[News]:
    for event in source.new:
        if event.public_body is not None:
            yield _as_news(source.service, source.as_told(event))


def _given_up(source: Rows) -> Iterator[News]:
    for row in source.lost:
        message = Message(row["subject"], json.loads(row["headers"]), bytes(row["body"]))
        yield understood(source.service, message).news


def _as_news(service: str, event: StoredEvent) -> News:
    assert event.public_type
    assert event.public_schema
    assert event.public_body
    contract = CONTRACTS[service, event.public_type.split(".")[2], event.public_schema]
    return News(
        tenant=event.tenant,
        service=service,
        stream=event.stream,
        event=event.id,
        at=datetime.fromisoformat(json.loads(event.metadata)["at"]),
        body=from_json(contract, event.public_body),
    )
