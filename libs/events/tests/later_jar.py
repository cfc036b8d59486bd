"""The jars of a later release: another fold, another claim, another deadline."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

from toy_jar import Jar, WasPut, jars

from events.kernel import Aggregate

LATER = timedelta(days=40_000)


def doubling(jar: Jar, event: Any) -> Jar:
    """What is put counts twice."""
    jar = jars.evolve(jar, event)
    return replace(jar, things=jar.things + event.things) if isinstance(event, WasPut) else jar


later: Aggregate[Any, Any, Any] = replace(
    jars,
    shape=2,
    evolve=doubling,
    claims=lambda jar: [f"jar:{jar.label}"] if jar.label else [],
    deadline=lambda jar: min(jar.rings) + LATER if jar.rings else None,
)
