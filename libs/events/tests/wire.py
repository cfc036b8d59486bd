"""A wire between us and PostgreSQL that can lose the server's answers, or break."""

import asyncio
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from urllib.parse import parse_qs, urlsplit, urlunsplit

SOCKET = ".s.PGSQL.5432"


class Wire:
    """Connections pass through it; `url` is the database's, by way of the wire."""

    def __init__(self, url: str, folder: Path) -> None:
        parts = urlsplit(url)
        self._server = Path(parse_qs(parts.query)["host"][0]) / SOCKET
        self._ends: list[asyncio.StreamWriter] = []
        self.url = urlunsplit(parts._replace(query=f"host={folder}"))
        self.answers_get_lost = False
        self.lost = asyncio.Event()

    async def connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_unix_connection(self._server)
        self._ends += [writer, back]
        await asyncio.gather(self._pass_on(reader, back), self._pass_on(there, writer, is_answer=True))

    async def _pass_on(
        self, source: asyncio.StreamReader, target: asyncio.StreamWriter, *, is_answer: bool = False
    ) -> None:
        with suppress(ConnectionError):
            while data := await source.read(65536):
                if is_answer and self.answers_get_lost:
                    self.lost.set()
                    continue
                target.write(data)
                await target.drain()
        target.close()

    def cut(self) -> None:
        """Break every connection; new ones work."""
        for end in self._ends:
            end.transport.abort()
        self._ends.clear()


@asynccontextmanager
async def wire_to(url: str) -> AsyncIterator[Wire]:
    with tempfile.TemporaryDirectory(prefix="wire-") as folder:
        wire = Wire(url, Path(folder))
        server = await asyncio.start_unix_server(wire.connect, Path(folder) / SOCKET)
        yield wire
        wire.cut()
        server.close()
