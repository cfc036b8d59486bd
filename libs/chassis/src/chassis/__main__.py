"""`python -m chassis <task> <service>`: one service as a process, and what belongs to it."""

import argparse
import asyncio
import json
import os
import signal
import sys
from types import FrameType
from uuid import UUID

import uvicorn
from fastapi import FastAPI
from pydantic import SecretStr, ValidationError

from chassis import asyncapi, logs, operator_desk
from chassis.connections import patient_for
from chassis.endpoints import PermissionsIncomplete
from chassis.migrations import DatabaseMissing, MigrationsMissing, folder_of, migrate_now
from chassis.service import VERSION, create_app, load
from chassis.settings import PREFIX, Settings
from events.kernel import Refused

NOWHERE = SecretStr("postgresql://nowhere/nothing")


class Server(uvicorn.Server):
    """Says that it is not ready as soon as it is told to stop, and only then lets go."""

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        app = self.config.app
        assert isinstance(app, FastAPI)
        app.state.health.stopping = True
        super().handle_exit(sig, frame)


def serve(name: str) -> None:
    """Serve until told to stop; what was begun is finished within 25 seconds."""
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


def main() -> None:
    asked = _asked()
    try:
        match asked.task:
            case "serve":
                if asked.migrate:
                    migrate(asked.service)
                serve(asked.service)
            case "migrate":
                migrate(asked.service)
            case "openapi":
                openapi(asked.service)
            case "asyncapi":
                print(asyncapi.document_text(asked.service, VERSION), end="")
            case "dead-letters":
                dead_letters(asked.service, asked.word, asked.id)
    except Refused as refusal:
        sys.exit(f"closeloop: {refusal.detail}")
    except ValidationError as error:
        sys.exit("closeloop: " + "; ".join(_complaint(each["loc"], each["msg"]) for each in error.errors()))
    except (DatabaseMissing, MigrationsMissing, PermissionsIncomplete, ModuleNotFoundError) as error:
        sys.exit(f"closeloop: {error}")


def _asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m chassis", description=__doc__)
    tasks = parser.add_subparsers(dest="task", required=True)
    for name, help in (
        ("serve", "serve until told to stop"),
        ("migrate", "bring the service's database up to this code"),
        ("openapi", "print the OpenAPI document"),
        ("asyncapi", "print the AsyncAPI document"),
        ("dead-letters", "list, show, replay or drop messages that could not be handled"),
    ):
        task = tasks.add_parser(name, help=help)
        task.add_argument("service", nargs="?", default=os.environ.get(f"{PREFIX}SERVICE"))
        if name == "serve":
            task.add_argument("--migrate", action="store_true", help="bring the database up before serving")
        if name == "dead-letters":
            task.add_argument("word", choices=("list", "show", "replay", "drop"))
            task.add_argument("id", nargs="?", type=UUID)
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
