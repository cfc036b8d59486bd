"""A proxy between the services and a server: when told to, it cuts, swallows, stalls or slows what passes.

It listens on loopback and has a thread and an event loop of its own; its methods may be called from any other thread.
"""

import asyncio
import socket
import struct
from collections.abc import Callable, Coroutine
from contextlib import suppress
from math import isfinite
from pathlib import Path
from threading import Thread
from typing import Any, Self, TypeVar

from weather import BOTH, Dropping, Way, Weather

from stack.processes import LOOPBACK

CHUNK = 64 * 1024
QUEUED = 256
AT_ONCE = struct.pack("ii", 1, 0)
"""SO_LINGER, with no patience: closing such a socket sends RST."""

Where = Path | str | tuple[str, int]
Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]
Answer = TypeVar("Answer")


class Proxy:
    """Carries connections from a port of its own to wherever the server is."""

    def __init__(self, where: Callable[[], Where]) -> None:
        """`where` is asked at each new connection: a unix socket, or host and port."""
        self._where = where
        self._place = _reserved()
        self.port: int = self._place.getsockname()[1]
        self._loop = asyncio.new_event_loop()
        self._thread = Thread(target=self._loop.run_forever, name="proxy", daemon=True)
        self._server: asyncio.Server | None = None
        self._links: set[Link] = set()
        self.weather = Weather()
        self.dropping = Dropping(Way.ANSWERS, 0, times=0)
        self.swallowed = 0
        """Bytes that were lost on the way."""
        self.cuts = 0
        """Connections that were cut."""

    def start(self) -> Self:
        self._thread.start()
        self._do(self._listen())
        return self

    def stop(self) -> None:
        self._do(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        self._place.close()

    @property
    def links(self) -> int:
        """Connections that are open."""
        return len(self._links)

    def cut(self, *, refuse: bool = False) -> int:
        """Reset every connection, and if so told refuse new ones until healed; how many were cut."""
        return self._do(self._cut(refuse))

    def half_open(self, ways: frozenset[Way] = BOTH) -> None:
        """Swallow whatever passes. A connection that has lost a byte is silent in that direction for ever."""
        self._do(self._change(lost=ways))

    def stall(self, ways: frozenset[Way] = BOTH) -> None:
        """Hold back whatever passes; it arrives, late, when healed."""
        self._do(self._change(held=ways))

    def slow(self, delay: float, jitter: float = 0.0, rate: float | None = None, ways: frozenset[Way] = BOTH) -> None:
        """All arrives and in order, but late and at a trickle: seconds for each way, and bytes per second."""
        self._do(self._change(slow=ways, delay=delay, jitter=jitter, rate=rate))

    def drop_after(self, every: int, way: Way = Way.ANSWERS, times: int = 1) -> None:
        """When so many bytes have passed from now on, cut their connection right there; so many times."""
        self._do(self._drop(Dropping(way, every, times)))

    def heal(self, *, reset: bool = False) -> None:
        """From now on all passes. With `reset`, connections that have lost something hear of it at once."""
        self._do(self._heal(reset))

    async def _listen(self) -> None:
        if self._server is None:
            self._server = await asyncio.start_server(self._carry, LOOPBACK, self.port, reuse_port=True)

    async def _cut(self, refuse: bool) -> int:
        if refuse and self._server is not None:
            self._server.close()
            self._server = None
        return self._reset(self._links)

    async def _drop(self, dropping: Dropping) -> None:
        self.dropping = dropping

    async def _heal(self, reset: bool) -> None:
        await self._change()
        await self._drop(Dropping(Way.ANSWERS, 0, times=0))
        if reset:
            self._reset({link for link in self._links if link.broken})
        await self._listen()

    async def _close(self) -> None:
        await self._cut(refuse=True)
        await self._change()
        for link in list(self._links):
            await link.ended.wait()

    async def _change(self, **weather: Any) -> None:
        before, self.weather = self.weather, Weather(**weather)
        before.over.set()

    def _reset(self, links: "set[Link]") -> int:
        for link in links:
            link.reset()
        self.cuts += len(links)
        return len(links)

    async def _carry(self, *near: Any) -> None:
        try:
            where = self._where()
            far = await (_tcp(*where) if isinstance(where, tuple) else asyncio.open_unix_connection(where))
        except OSError:
            _reset(near[1])
            return
        link = Link(self, near, far)
        self._links.add(link)
        try:
            await link.run()
        finally:
            self._links.discard(link)
            link.ended.set()

    def _do(self, work: Coroutine[Any, Any, Answer]) -> Answer:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()


class Link:
    """One connection through the proxy; it ends as soon as one of its ends has."""

    def __init__(self, proxy: Proxy, near: Streams, far: Streams) -> None:
        self.proxy = proxy
        self.ended = asyncio.Event()
        self._writers = (near[1], far[1])
        self._lanes = (Lane(self, Way.REQUESTS, near[0], far[1]), Lane(self, Way.ANSWERS, far[0], near[1]))

    @property
    def broken(self) -> bool:
        """Whether it has lost something, and can never go on."""
        return any(lane.dead for lane in self._lanes)

    async def run(self) -> None:
        lanes = [asyncio.create_task(lane.run()) for lane in self._lanes]
        try:
            await asyncio.wait(lanes, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for lane in lanes:
                lane.cancel()
            await asyncio.gather(*lanes, return_exceptions=True)
            for writer in self._writers:
                writer.close()

    def reset(self) -> None:
        for writer in self._writers:
            _reset(writer)


class Lane:
    """One direction of a connection: what comes in is queued, with the moment when it may leave."""

    def __init__(self, link: Link, way: Way, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        self._link, self._way = link, way
        self._source, self._sink = source, sink
        self._queue: asyncio.Queue[tuple[Weather, float, bytes]] = asyncio.Queue(QUEUED)
        self._last = 0.0
        self.dead = False

    async def run(self) -> None:
        taking = asyncio.create_task(self._take())
        try:
            await self._give()
        finally:
            taking.cancel()

    async def _take(self) -> None:
        proxy = self._link.proxy
        with suppress(ConnectionError):
            while data := await self._source.read(CHUNK):
                self.dead = self.dead or self._way in proxy.weather.lost
                if self.dead:
                    proxy.swallowed += len(data)
                    continue
                for piece in proxy.weather.slices(self._way, data):
                    leaves = proxy.weather.due(self._way, len(piece), self._last)
                    self._last = leaves if isfinite(leaves) else 0.0
                    await self._queue.put((proxy.weather, leaves, piece))
        while self._way in proxy.weather.lost | proxy.weather.held:  # nor does the other end hear of a farewell
            await proxy.weather.over.wait()
        await self._queue.put((proxy.weather, 0.0, b""))

    async def _give(self) -> None:
        while True:
            weather, due, data = await self._queue.get()
            await _until(due, weather.over)
            if not data:
                return
            rest = self._link.proxy.dropping.rest(self._way, len(data))
            try:
                self._sink.write(data[:rest])
                await self._sink.drain()
            except ConnectionError:
                return
            if rest is not None:
                self._link.proxy.cuts += 1
                self._link.reset()


async def _until(due: float, over: asyncio.Event) -> None:
    left = due - asyncio.get_running_loop().time()
    if left > 0:
        with suppress(TimeoutError):
            async with asyncio.timeout(left if isfinite(due) else None):
                await over.wait()


async def _tcp(host: str, port: int) -> Streams:
    return await asyncio.open_connection(host, port)


def _reset(writer: asyncio.StreamWriter) -> None:
    end: socket.socket = writer.get_extra_info("socket")
    with suppress(OSError):
        end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, AT_ONCE)
    writer.transport.abort()


def _reserved() -> socket.socket:
    """A port that stays ours also while nobody listens on it."""
    place = socket.socket()
    place.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    place.bind((LOOPBACK, 0))
    return place
