"""`python -m chassis <task> <service>`: one service as a process, and what belongs to it."""

import argparse
import asyncio
import json
import os
import signal
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import FrameType
from typing import Any
from uuid import UUID

import uvicorn
from fastapi import FastAPI
from pydantic import SecretStr, ValidationError

from chassis import announcements, asyncapi, logs, operator_desk, upkeep
from chassis.connections import patient_for
from chassis.endpoints import PermissionsIncomplete
from chassis.migrations import DatabaseMissing, MigrationsMissing, folder_of, migrate_now
from chassis.service import VERSION, create_app, load
from chassis.settings import PREFIX, Settings
from events.bus.port import BrokerTrouble
from events.bus.relay import Halted
from events.kernel import Refused
from events.store.port import OutcomeUnknown, Unavailable

TROUBLE = (
    DatabaseMissing,
    MigrationsMissing,
    PermissionsIncomplete,
    ModuleNotFoundError,
    Unavailable,
    OutcomeUnknown,
    BrokerTrouble,
    Halted,
)
"""What is said in one line, with its cure, instead of a traceback."""
NOWHERE = SecretStr("postgresql://nowhere/nothing")


class Server(uvicorn.Server):
    """Says that it is not ready as soon as it is told to stop, and only then lets go."""

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        app = self.config.app
        assert isinstance(app, FastAPI)
        app.state.health.stopping = True
        super().handle_exit(sig, frame)


def serve(name: str, *, first_migrate: bool = False) -> None:
    """Serve until told to stop; what was begun is finished within 25 seconds."""
    if first_migrate:
        migrate(name)
    settings = Settings(service=name)  # type: ignore[call-arg]
    logs.configure(name)
    config = uvicorn.Config(
        create_app(load(name), settings),
        host=settings.host,
        port=settings.port,
        timeout_keep_alive=5,
        timeout_graceful_shutdown=25,
        limit_concurrency=settings.max_connections,
        h11_max_incomplete_event_size=16 * 1024,
        http=patient_for(settings.receive_seconds),
        ws="none",
        access_log=False,
        log_config=None,
        server_header=False,
        proxy_headers=False,
    )
    # Uvicorn hands a signal on when it has ended in good order; that is a good end for us, too.
    for each in (signal.SIGTERM, signal.SIGINT):
        signal.signal(each, lambda *_: sys.exit(0))
    Server(config).run()


def migrate(name: str) -> None:
    """Bring the service's database up to what this code needs."""
    migrate_now(Settings(service=name).database, folder_of(name))  # type: ignore[call-arg]


def openapi(name: str) -> None:
    """Print the OpenAPI document as it is committed."""
    print(openapi_text(name), end="")


def openapi_text(name: str) -> str:
    """The document of a service as text."""
    app = create_app(load(name), Settings(service=name, database_url=NOWHERE))
    return json.dumps(app.openapi(), indent=2, ensure_ascii=False) + "\n"


def dead_letters(name: str, word: str, id: UUID | None) -> None:
    """Look at dead letters, replay or drop them."""
    logs.configure(name)
    done = asyncio.run(operator_desk.dead_letters(load(name), Settings(service=name), word, id, print))  # type: ignore[call-arg]
    if not done:
        sys.exit(1)


def rebuild(name: str, kind: str | None) -> None:
    """Fold everything that is derived anew."""
    logs.configure(name)
    if not asyncio.run(upkeep.rebuild(load(name), Settings(service=name), kind, _say)):  # type: ignore[call-arg]
        sys.exit(1)


def verify(name: str) -> None:
    """Compare everything that is derived with the events."""
    logs.configure(name)
    sys.exit(asyncio.run(upkeep.verify(load(name), Settings(service=name), _say)))  # type: ignore[call-arg]


def accept_restore(name: str, *, decided: bool, listed: bool) -> None:
    """Decide what becomes of announcements that our log does not have."""
    logs.configure(name)
    service, settings = load(name), Settings(service=name)  # type: ignore[call-arg]
    if listed:
        asyncio.run(announcements.given_up(service, settings, _say))
    elif not asyncio.run(announcements.accept_restore(service, settings, decided=decided, say=_say)):
        sys.exit(1)


def republish(name: str, start: int) -> None:
    """Tell announcements again."""
    logs.configure(name)
    asyncio.run(announcements.republish(load(name), Settings(service=name), start, _say))  # type: ignore[call-arg]


def _say(line: str) -> None:
    print(operator_desk.printable(line), flush=True)


@dataclass(frozen=True)
class Task:
    """One task: what it is for, how it is carried out, and its own arguments."""

    help: str
    run: Callable[[argparse.Namespace], None]
    arguments: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


TASKS = {
    "serve": Task(
        "serve until told to stop",
        lambda asked: serve(asked.service, first_migrate=asked.migrate),
        {"--migrate": {"action": "store_true", "help": "bring the database up before serving"}},
    ),
    "migrate": Task("bring the service's database up to this code", lambda asked: migrate(asked.service)),
    "openapi": Task("print the OpenAPI document", lambda asked: openapi(asked.service)),
    "asyncapi": Task(
        "print the AsyncAPI document", lambda asked: print(asyncapi.document_text(asked.service, VERSION), end="")
    ),
    "rebuild": Task(
        "fold everything that is derived anew, while others read and write",
        lambda asked: rebuild(asked.service, asked.kind),
        {"--kind": {"help": "only this kind of objects"}},
    ),
    "verify": Task(
        "compare everything that is derived with the events; changes nothing",
        lambda asked: verify(asked.service),
        {"--state": {"action": "store_true", "required": True, "help": "states, deadlines, claims, side rows"}},
    ),
    "accept-restore": Task(
        "an older database was restored: show what others have heard and our log does not have, and go on without it",
        lambda asked: accept_restore(asked.service, decided=asked.yes, listed=asked.list),
        {
            "--yes": {"action": "store_true", "help": "go on without it"},
            "--list": {"action": "store_true", "help": "show what was given up so far"},
        },
    ),
    "republish": Task(
        "tell announcements again; whoever listens knows what it has heard",
        lambda asked: republish(asked.service, asked.start),
        {"--from": {"dest": "start", "type": int, "default": 1, "metavar": "POSITION", "help": "from there on"}},
    ),
    "dead-letters": Task(
        "list, show, replay or drop messages that could not be handled",
        lambda asked: dead_letters(asked.service, asked.word, asked.id),
        {"word": {"choices": ("list", "show", "replay", "drop")}, "id": {"nargs": "?", "type": UUID}},
    ),
}


def main() -> None:
    asked = _asked()
    try:
        TASKS[asked.task].run(asked)
    except Refused as refusal:
        sys.exit(f"closeloop: {refusal.detail}")
    except ValidationError as error:
        sys.exit("closeloop: " + "; ".join(_complaint(each["loc"], each["msg"]) for each in error.errors()))
    except TROUBLE as error:
        sys.exit(f"closeloop: {error}")


def _asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m chassis", description=__doc__)
    tasks = parser.add_subparsers(dest="task", required=True)
    for name, task in TASKS.items():
        understood = tasks.add_parser(name, help=task.help)
        understood.add_argument("service", nargs="?", default=os.environ.get(f"{PREFIX}SERVICE"))
        for argument, details in task.arguments.items():
            understood.add_argument(argument, **details)
    asked = parser.parse_args()
    if not asked.service:
        parser.error(f"name a service, here or in {PREFIX}SERVICE")
    if asked.task == "dead-letters" and asked.word != "list" and asked.id is None:
        parser.error(f"{asked.word} needs the id of a dead letter; `list` shows them")
    return asked


def _complaint(place: tuple[int | str, ...], message: str) -> str:
    name = f"{PREFIX}{str(place[0]).upper()}: " if place else ""
    return name + message.removeprefix("Value error, ")


if __name__ == "__main__":
    main()
