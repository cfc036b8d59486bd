"""All that is derived is lost while the services run; the operator rebuilds it, and every object is what it was."""

import json
import subprocess
import sys

import asyncpg
from meridian import Meridian
from world import Begin, World

from stack.client import eventually
from stack.postgres import ensure_database, plain_url
from stack.processes import run_now

LOSS = "DELETE FROM states; DELETE FROM claims"


def test_everything_derived_is_lost_and_rebuilt_beside_the_running_services(begin: Begin) -> None:
    meridian = Meridian(begin("2026-03-20T08:00:00Z"))
    meridian.appoint_everybody()
    meridian.list_service("SVC-ERP")
    meridian.agree("SVC-ERP", starts="2026-04-01", signed="2026-03-20")
    meridian.at("2026-04-14T10:30:00+02:00")
    meridian.report_outage("SVC-ERP", "INC-4711", "2026-04-14T09:10:00+02:00", "2026-04-14T10:25:00+02:00")
    eventually(meridian.actions, "the action for the breach")
    before = everything(meridian)
    assert operator(meridian.world, "verify", "--state", "all") == (0, 4)

    lose(meridian.world, "sla")
    assert list(meridian.ruiz.all("sla", "periods")) == []
    assert operator(meridian.world, "verify", "--state", "sla")[0] == 1
    assert operator(meridian.world, "rebuild", "all") == (0, 4)
    assert everything(meridian) == before
    assert operator(meridian.world, "verify", "--state", "all") == (0, 4)


def everything(meridian: Meridian) -> str:
    """What readers see."""
    paths = (("sla", "services"), ("sla", "slas"), ("sla", "periods"), ("improvement", "corrective-actions"))
    return json.dumps([list(meridian.ruiz.all(service, path)) for service, path in paths], sort_keys=True)


def lose(world: World, service: str) -> None:
    """As if somebody had removed it by hand."""

    database = ensure_database(world.stack.postgres_url, f"closeloop_{service}")

    async def remove() -> None:
        connection = await asyncpg.connect(plain_url(database))
        await connection.execute(LOSS)
        await connection.close()

    run_now(remove())


def operator(world: World, *command: str) -> tuple[int, int]:
    """(exit code, summaries) of a command of `./closeloop`."""
    data = ["--data", str(world.stack.folder)]
    ran = subprocess.run([sys.executable, "-m", "stack", *command, *data], capture_output=True, text=True, check=False)
    return ran.returncode, sum("streams" in line and " in " in line for line in ran.stdout.splitlines())
