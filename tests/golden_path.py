"""Plays the golden path from a finding to its verified effect against a running product: `up`, or the containers.

    .venv/bin/python tests/golden_path.py up            starts `./closeloop up` in a folder that is thrown away
    .venv/bin/python tests/golden_path.py containers    builds and starts docker-compose.yml; half-way it kills the
                                                        improvement service, starts it again, and looks whether
                                                        everything was kept

Both need business time that can be moved, and both clean up behind themselves. Exit 0: the loop closed.
"""

import argparse
import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import httpx
from rich.console import Console

from stack.client import Caller, Object, eventually
from stack.cluster import SERVICE_PORTS
from stack.demo import golden_path
from stack.demo.cast import DIRECTOR
from stack.demo.stage import Stage
from stack.demo.timeline import Timeline
from stack.identity import Identity

REPOSITORY = Path(__file__).resolve().parent.parent
CLOCK_START = datetime(2026, 1, 5, 9, tzinfo=UTC)
LISTS = {
    "audit": ("audits", "findings", "role-holders"),
    "sla": ("services", "slas", "outages"),
    "risk": ("risks", "known-duties"),
    "improvement": ("corrective-actions", "measures", "known-duties"),
}
KILLED = "improvement"


@dataclass(frozen=True)
class Product:
    """A running product, and how to kill and start one of its services."""

    addresses: Mapping[str, str]
    identity: Identity
    kill: Callable[[str], None] | None = None
    start: Callable[[str], None] | None = None


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("where", choices=("up", "containers"))
    where = parser.parse_args().where
    with _up() if where == "up" else _containers() as product:
        _play(product)
    print(f"The loop closed on {where}.")
    return 0


def _play(product: Product) -> None:
    for name, address in product.addresses.items():
        eventually(lambda at=address: _is_ready(at), f"{name} is ready", patience=180)  # type: ignore[misc]
    with Timeline(Console(highlight=False)) as timeline:
        stage = Stage(product.addresses, product.identity.mint, timeline, 20.0, CLOCK_START)
        stage.appoint()
        golden_path.play(stage, halfway=lambda: _kill_and_compare(product, stage))


def _kill_and_compare(product: Product, stage: Stage) -> None:
    if not (product.kill and product.start):
        return
    caller = stage.caller(DIRECTOR)
    before = _everything(caller)
    product.kill(KILLED)
    assert not _is_ready(product.addresses[KILLED]), f"{KILLED} still answers after it was killed"
    product.start(KILLED)
    eventually(lambda: _is_ready(product.addresses[KILLED]), f"{KILLED} is ready again", patience=120)
    kept = _everything(caller)
    assert kept == before, "not everything was kept"
    print(f"{KILLED} was killed and came back: {sum(map(len, kept.values()))} objects, all as before")


def _everything(caller: Caller) -> dict[str, list[Object]]:
    """Every object of every list, without what is derived from the clock."""
    derived = ("age_days", "overdue", "overdue_days")
    return {
        f"{service}/{path}": [
            {name: said for name, said in each.items() if name not in derived} for each in caller.all(service, path)
        ]
        for service, paths in LISTS.items()
        for path in paths
    }


def _is_ready(address: str) -> bool:
    try:
        return httpx.get(f"{address}/readyz", timeout=2, trust_env=False).json()["status"] == "ready"
    except (httpx.HTTPError, ValueError):
        return False


@contextmanager
def _up() -> Iterator[Product]:
    folder = Path(tempfile.mkdtemp(prefix="closeloop-golden-path-"))
    folder.chmod(0o711)
    data = folder / "data"
    command = [str(REPOSITORY / "closeloop"), "up", "--data", str(data), "--clock-start", CLOCK_START.isoformat()]
    product = subprocess.Popen(command)
    try:
        written = data / "addresses.json"
        eventually(written.exists, "`./closeloop up` says where it is", patience=300)
        addresses = json.loads(written.read_text())
        yield Product({name: addresses[name] for name in SERVICE_PORTS}, Identity(data / "identity"))
    finally:
        product.send_signal(signal.SIGTERM)
        product.wait(timeout=60)
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _containers() -> Iterator[Product]:
    compose, engine = _compose(), _engine()
    folder = Path(tempfile.mkdtemp(prefix="closeloop-golden-path-"))
    folder.chmod(0o711)
    # The public key that the containers are given, in place of deploy/secrets, which may be somebody's own.
    identity = Identity(folder).ensure()
    identity.jwks.chmod(0o644)
    environment = {
        **os.environ,
        "POSTGRES_PASSWORD": secrets.token_hex(16),
        "CLOSELOOP_CLOCK_START": CLOCK_START.isoformat(),
        "CLOSELOOP_JWKS_FILE": str(identity.jwks),
    }

    def run(*command: str, patience: int = 900) -> None:
        subprocess.run(command, cwd=REPOSITORY, env=environment, check=True, timeout=patience)

    def container(service: str) -> str:
        listed = [engine, "ps", "--all", "--format", "{{.Names}}"]
        names = subprocess.run(listed, capture_output=True, text=True, check=True).stdout.split()
        return next(name for name in names if name.startswith(PROJECT) and service in name)

    try:
        _build(run, engine)
        run(*compose, "up", "--detach", *(["--no-build"] if engine == "podman" else []))
        yield Product(
            {name: f"http://127.0.0.1:{port}" for name, port in SERVICE_PORTS.items()},
            identity,
            kill=lambda service: run(engine, "kill", container(service)),
            start=lambda service: run(engine, "start", container(service)),
        )
    finally:
        run(*compose, "down", "--volumes")
        shutil.rmtree(folder, ignore_errors=True)


PROJECT = "closeloop-golden-path"


def _engine() -> str:
    return "podman" if shutil.which("podman-compose") else "docker"


def _compose() -> Sequence[str]:
    """Under a project name of its own, so that nobody's volumes are touched."""
    tool = ["podman-compose"] if _engine() == "podman" else ["docker", "compose"]
    return [*tool, "--project-name", PROJECT]


def _build(run: Callable[..., None], engine: str) -> None:
    """One image for each service; podman keeps health checks only in the docker format."""
    extra = ["--network", "host", "--format", "docker"] if engine == "podman" else []
    for service in SERVICE_PORTS:
        tag, argument = f"closeloop/{service}", f"SERVICE={service}"
        run(engine, "build", *extra, "--build-arg", argument, "--tag", tag, "--file", "deploy/Dockerfile", ".")


if __name__ == "__main__":
    began = time.monotonic()
    code = main()
    print(f"{time.monotonic() - began:.0f} s")
    sys.exit(code)
