"""The operator's desk: tasks of `python -m chassis`, carried out on the database of a service that `up` runs."""

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

from stack.cluster import SERVICE_PORTS, database_of
from stack.postgres import ensure_database, is_reachable
from stack.processes import StackError


def carry_out(data: Path, service: str, task: str, *arguments: str) -> int:
    """The exit code of a task, for one service."""
    if service not in SERVICE_PORTS:
        raise StackError(f"There is no service {service}: give one of {', '.join(SERVICE_PORTS)}.")
    known = addresses_in(data)
    database = ensure_database(known["postgres"], database_of(service))
    environment = {**os.environ, "CLOSELOOP_DATABASE_URL": database, "CLOSELOOP_NATS_URL": known["nats"]}
    command = [sys.executable, "-P", "-m", "chassis", task, service, *arguments]
    return subprocess.run(command, env=environment, check=False).returncode


def addresses_in(data: Path) -> dict[str, str]:
    """Where the stack of a data folder can be reached; raises StackError where none runs."""
    addresses = data / "addresses.json"
    known: dict[str, str] = json.loads(addresses.read_text()) if addresses.exists() else {}
    if not known or not is_reachable(known["postgres"]):  # whoever is killed leaves its addresses behind
        raise StackError(f"Nothing runs in {data}. Start it with `./closeloop up --data {shlex.quote(str(data))}`.")
    return known


def carry_out_for(data: Path, services: str, task: str, *arguments: str) -> int:
    """The highest exit code of a task, for one service or for `all` of them."""
    chosen = tuple(SERVICE_PORTS) if services == "all" else (services,)
    return max(carry_out(data, service, task, *arguments) for service in chosen)
