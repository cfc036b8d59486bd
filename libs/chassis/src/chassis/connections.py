"""Connections that somebody keeps without using: a whole head must come in time, and what is answered must be taken.

Uvicorn waits for ever for the first request on a connection, for the rest of one that nobody reads any more, and for
a client that does not take its answer. A thousand such connections, and nobody else is served.
"""

import asyncio

from uvicorn.protocols.http.h11_impl import H11Protocol

LEAST_TAKEN = 64 * 1024
"""So many bytes of an answer must be taken in that time for the connection to be kept."""


class PatientProtocol(H11Protocol):
    """Cuts the connection off when the client has had its turn for too long."""

    patience = 10.0
    _end: asyncio.TimerHandle | None = None
    _untaken = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._watch()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._watch()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._watch()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._watch()

    def resume_writing(self) -> None:
        super().resume_writing()
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_watch()
        super().connection_lost(exc)

    def _watch(self) -> None:
        """The client's turn ends when we have a request to answer; the edge bounds how long its body may take."""
        answering = self.cycle is not None and not self.cycle.response_complete
        if answering and not self.flow.write_paused:
            self._stop_watch()
        elif self._end is None:
            self._untaken = self.transport.get_write_buffer_size()
            self._end = self.loop.call_later(self.patience, self._turn_is_over)

    def _stop_watch(self) -> None:
        if self._end is not None:
            self._end.cancel()
            self._end = None

    def _turn_is_over(self) -> None:
        before, self._end = self._untaken, None
        if 0 < self.transport.get_write_buffer_size() <= before - LEAST_TAKEN:
            self._watch()  # it takes its answer, slowly
        else:
            self.transport.abort()


def patient_for(seconds: float) -> type[PatientProtocol]:
    """The protocol with that patience."""
    return type("Protocol", (PatientProtocol,), {"patience": seconds})
