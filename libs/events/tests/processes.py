"""Starting `client.py` in processes of their own, and waiting for conditions instead of sleeping."""

import asyncio
import os
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

CLIENT = Path(__file__).with_name("client.py")


@asynccontextmanager
async def client(url: str, *task: str, failpoint: str = "") -> AsyncIterator[Process]:
    """A process that carries out a task of `client.py`; killed at the end, if it still runs."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    if failpoint:
        environment |= {"CLOSELOOP_ENV": "test", "CLOSELOOP_FAILPOINT": failpoint}
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(CLIENT), url, *task, stdin=PIPE, stdout=PIPE, env=environment
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def lines(process: Process, count: int) -> list[str]:
    """The next lines that it says."""
    assert process.stdout
    said = [(await asyncio.wait_for(process.stdout.readline(), 30)).decode().strip() for _ in range(count)]
    assert all(said), "the client died"
    return said


async def until(true: Callable[[], Awaitable[object]], seconds: float = 20) -> None:
    """Wait until this holds."""
    async with asyncio.timeout(seconds):
        while not await true():  # noqa: ASYNC110 - another process makes it true
            await asyncio.sleep(0.01)
