"""What we do when they speak: one message to the commands that follow from it, each handled exactly once in effect."""

import asyncio
import traceback
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Protocol

import structlog

from events.bus.envelope import BrokenMessage, Heard, UnknownMessage, understood
from events.codec import UnknownEvent
from events.handling import Handler, Instruction
from events.kernel import Actor, React, Reaction, Refused, derived_id
from events.message import Message
from events.store.port import Origin, OutcomeUnknown, Unavailable

log = structlog.get_logger(__name__)

PATIENCE = 20.0

Knows = Callable[[Message], Awaitable[bool]]
"""Raises Unavailable where that is not decided."""


class Listening(Protocol):
    """What of a feature concerns the bus: which announcements it hears, and what it does then."""

    @property
    def hears(self) -> tuple[type[Any], ...]:
        """Classes of public events."""

    @property
    def react(self) -> React | None:
        """The commands that follow."""


class Transient(Exception):
    """It could not be done now; nothing is wrong with the message."""


class Permanent(Exception):
    """It will not be done, however often it is tried."""


class Reactor:
    """Carries out what a service's features do about news."""

    def __init__(
        self, service: str, handler: Handler, features: Sequence[Listening], knows: Knows | None = None
    ) -> None:
        """Features that hear nothing do no harm. `knows`: whether our log has what our own stream says."""
        self._service = service
        self._knows = knows
        self._by = Actor(person=f"system:{service}")
        self._handler = handler
        self._features = [feature for feature in features if feature.react]

    @property
    def sources(self) -> list[str]:
        """The services that are listened to; our own may be among them."""
        return sorted({each.__announced_by__[0] for feature in self._features for each in feature.hears})

    async def handle(self, source: str, message: Message, within: str = "") -> None:
        """Done when this returns, now or earlier; `within`: in the database of this identity, or not at all.

        Raises Transient or Permanent.
        """
        try:
            async with asyncio.timeout(PATIENCE):
                heard = understood(source, message)
                concerned = [each for each in self._features if isinstance(heard.news.body, each.hears)]
                if concerned and await self._is_known(source, message):
                    await self._carry_out(heard, concerned, within)
        except (Unavailable, OutcomeUnknown, UnknownEvent, OSError) as error:  # OSError: TimeoutError too
            raise Transient(str(error) or repr(error)) from error
        except (BrokenMessage, UnknownMessage) as error:
            raise Permanent(f"{type(error).__name__}: {error}") from error
        except Refused as refusal:
            members = "".join(f"; {name}: {value}" for name, value in refusal.members.items())
            raise Permanent(f"{refusal.slug}: {refusal.detail}{members}") from refusal
        except Exception as error:
            log.exception("reaction_failed", source=source, subject=message.subject)
            raise Permanent("a bug: " + traceback.format_exception_only(error)[-1].strip()) from error

    async def _is_known(self, source: str, message: Message) -> bool:
        """Others are believed; what we have said ourselves must stand in our log."""
        return source != self._service or self._knows is None or await self._knows(message)

    async def _carry_out(self, heard: Heard, concerned: Sequence[Listening], within: str) -> None:
        for feature in concerned:
            assert feature.react
            for reaction in feature.react(heard.news):
                await self._handler.handle(self._instruction(heard, reaction, within))

    def _instruction(self, heard: Heard, reaction: Reaction, within: str) -> Instruction:
        news = heard.news
        return Instruction(
            aggregate=reaction.aggregate,
            tenant=news.tenant,
            stream=reaction.stream,
            command=reaction.command,
            id=derived_id(news.tenant, news.event, reaction.rule, reaction.key),
            origin=Origin.NEWS,
            by=self._by,
            correlation=heard.correlation,
            causation=news.event,
            within=within,
        )
