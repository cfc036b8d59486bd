"""What an operator does beside a running service, as the commands of `./closeloop` do: drop dead letters."""

from collections.abc import Sequence
from typing import TYPE_CHECKING
from uuid import UUID

import asyncpg
from pydantic import SecretStr

from chassis.operator_desk import dead_letters
from chassis.service import load
from chassis.settings import Settings

if TYPE_CHECKING:
    from arena import Arena

LONG = 60.0
PARKED = "SELECT id, headers, body, reason FROM dead_letters WHERE status = 'parked'"


def settings_of(arena: "Arena", service: str) -> Settings:
    """Those of its first process."""
    known = arena.service(service).environment
    database, nats = SecretStr(known["CLOSELOOP_DATABASE_URL"]), SecretStr(known["CLOSELOOP_NATS_URL"])
    return Settings(service=service, database_url=database, nats_url=nats)


def parked(arena: "Arena", service: str) -> Sequence[asyncpg.Record]:
    """Letters with id, headers, body and reason."""
    return arena.sql(service, PARKED)


def drop(arena: "Arena", service: str, letter: UUID) -> None:
    """What waits behind it goes on."""
    said: list[str] = []
    work = dead_letters(load(service), settings_of(arena, service), "drop", letter, said.append)
    assert arena.run(work, LONG), said
