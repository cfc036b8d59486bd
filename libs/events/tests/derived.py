"""Looking at what is derived, and damaging it: for the tests of rebuilding and verification."""

from typing import Any
from uuid import UUID

import asyncpg
from making import RINGS, ask
from toy_jar import Label, Put, Weigh, Wind, jars

from events.handling import Handler
from events.kernel import Aggregate


async def rows(sql: asyncpg.Connection) -> list[dict[str, Any]]:
    """Every row with its claims, in text."""
    found = await sql.fetch("""
        SELECT id, version, public_version, shape, state::text AS state, deadline,
               ARRAY(SELECT key FROM claims c WHERE c.stream = s.id ORDER BY key) AS claims
        FROM states s ORDER BY id""")
    return [dict(row) for row in found]


async def fill(handler: Handler, number: int, aggregate: Aggregate[Any, Any, Any] = jars) -> UUID:
    """A jar with things, a label, weights and deadlines; the same for the same number."""
    jar = UUID(int=number)
    commands = [
        Put(things=number),
        Label(label=f"l{number}"),
        Put(things=2),
        Weigh(source=f"scale-{number}", weights=(("a", number), ("b", 2))),
        Wind(rings=RINGS),
        Weigh(source=f"scale-{number}", weights=(("c", 3),)),
    ]
    for step, command in enumerate(commands, 1):
        await handler.handle(ask(command, jar, aggregate=aggregate, id=UUID(int=number * 1000 + step)))
    return jar


DAMAGES = {
    "a wrong state": "UPDATE states SET state = jsonb_set(state, '{things}', '99')",
    "a wrong way of writing": "UPDATE states SET state = jsonb_set(state, '{things}', '5.0')",
    "a wrong version": "UPDATE states SET version = version - 1",
    "a wrong public version": "UPDATE states SET public_version = public_version + 1",
    "a wrong deadline": "UPDATE states SET deadline = deadline + interval '1 day'",
    "no deadline": "UPDATE states SET deadline = NULL",
    "no row": "DELETE FROM states",
    "no claim": "DELETE FROM claims",
    "a claim too many": "INSERT INTO claims SELECT tenant, 'label:more', kind, id FROM states",
    "a claim of nobody": "INSERT INTO claims SELECT tenant, 'label:x', kind, gen_random_uuid() FROM states",
    "a row of nothing": """
        INSERT INTO states SELECT tenant, kind, gen_random_uuid(), version, 0, shape, state, deadline FROM states""",
}
"""Ways in which what is derived can be wrong, as SQL; the second belongs to a jar with five things."""
