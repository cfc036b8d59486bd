"""News for an object that newer code has written wait for newer code: they are tried again, never parked."""

from uuid import uuid4

import pytest
from bus_words import TENANT, World, until

from events.kernel import derived_id

WRITTEN = {
    "a newer shape": ("UPDATE states SET shape = 2 WHERE id = '{}'", "UPDATE states SET shape = 1"),
    "a newer event": (
        "UPDATE events SET schema_version = 2 WHERE stream = '{0}'; UPDATE states SET shape = 0 WHERE id = '{0}'",
        "UPDATE events SET schema_version = 1",
    ),
}


@pytest.mark.parametrize(("newer", "replaced"), WRITTEN.values(), ids=WRITTEN)
async def test_news_for_what_newer_code_wrote_wait_and_hold_up_no_other(
    world: World, newer: str, replaced: str
) -> None:
    jar, other, bus = uuid4(), uuid4(), world.bus()
    await world.do("ALTER TABLE events DISABLE TRIGGER ALL")

    async def troubled() -> bool:
        return any("newer version" in each for each in bus.status().degraded)

    async def mirrored_twice() -> bool:
        return await world.mirrored(jar) == 2

    async with world.running(bus):
        await world.fill(jar)
        await until(lambda: world.mirrored(jar))
        await world.do(*newer.format(derived_id("mirror", TENANT, jar)).split("; "))
        await world.fill(jar)
        await until(troubled)
        await world.fill(other)
        await until(lambda: world.mirrored(other))
        (parked,) = await world.row("SELECT count(*) FROM dead_letters")
        (events,) = await world.row(f"SELECT count(*) FROM events WHERE stream = '{derived_id('mirror', TENANT, jar)}'")
        assert (parked, events) == (0, 1)
        await world.do(replaced)
        await until(mirrored_twice, 30)
