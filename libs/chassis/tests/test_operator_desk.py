"""What an operator is shown was partly written by whoever may publish."""

from pathlib import Path
from uuid import UUID, uuid4

import asyncpg
import pytest

from chassis import operator_desk
from chassis.migrations import migrate
from chassis.operator_desk import dead_letters, printable
from chassis.routes import Service
from chassis.settings import Settings
from events.bus.dead_letters import DeadLetters
from events.bus.envelope import to_message
from events.store.port import StoredEvent, Unavailable
from stack.postgres import plain_url


@pytest.mark.parametrize(
    ("written", "shown"),
    [("a\x1b[2Jb", r"a\x1b[2Jb"), ("a\r\nb", r"a\r\nb"), ("a\x9bb", r"a\x9bb"), ("Prüfung: 'ü' ", "Prüfung: 'ü' ")],
)
def test_a_dead_letter_cannot_command_the_terminal(written: str, shown: str) -> None:
    assert printable(written) == shown


async def test_what_is_replayed_by_hand_knows_what_the_running_service_knows(
    database: str, migrations: Path, toy_service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That lists are not complete yet, and that our own log does not have what we are said to have said."""
    await migrate(database, migrations)
    sql = await asyncpg.connect(plain_url(database))
    await sql.execute("INSERT INTO states VALUES ('t', 'light', $1, 1, 0, 0, '{}')", uuid4())
    looked = []

    async def look(desk: DeadLetters, _: UUID | None, __: operator_desk.Say) -> bool:
        looked.append(desk._reactor._handler.incomplete("light"))
        with pytest.raises(Unavailable, match="an operator decides"):
            await desk._reactor._is_known("toy", lost)
        return True

    now = await sql.fetchval("SELECT clock_timestamp()")
    about = '{"at":"2026-01-01T00:00:00+00:00"}'
    said = ("light", uuid4(), 1, uuid4(), "switched", 1, "{}", about, now, "toy.light.switched", 1, "{}", 1)
    lost = to_message("toy", StoredEvent(7, "t", *said))
    monkeypatch.setitem(operator_desk._WORDS, "list", look)
    assert await dead_letters(toy_service, Settings(service="toy", database_url=database), "list", None, print)
    assert looked[0]
    assert "rows are being folded anew" in looked[0]
    await sql.close()
