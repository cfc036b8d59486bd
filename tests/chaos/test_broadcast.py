"""Reading the bus from a mark on; no stack is needed for that."""

import asyncio
from datetime import UTC, datetime
from types import SimpleNamespace
from unittest.mock import AsyncMock

import pytest
from broadcast import Mark, listen

BORN = datetime(2026, 4, 14, tzinfo=UTC)


@pytest.mark.parametrize(
    ("mark", "read_from"),
    [(Mark(BORN, 7), 8), (Mark(BORN, 12), 1), (Mark(BORN.replace(year=2025), 7), 1), (Mark(), 1)],
    ids=["goes on", "went back", "another stream", "never read"],
)
def test_a_stream_that_is_not_the_one_that_was_read_is_read_from_its_start(
    mark: Mark, read_from: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    js = AsyncMock()
    js.stream_info.return_value = SimpleNamespace(created=BORN, state=SimpleNamespace(last_seq=10))
    monkeypatch.setattr("broadcast._messages", read := AsyncMock(return_value=[]))
    heard = asyncio.run(listen(js, "audit", mark))
    assert read.await_args.args == (js, "CLOSELOOP_AUDIT", read_from, 10)
    assert heard.again == (read_from == 1)
    assert heard.mark == Mark(BORN, 10)
