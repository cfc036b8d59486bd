"""The people of the story, and with which roles each of them comes to the doors of the services."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Person:
    """Somebody in the story: the opaque id that the services know, the name that readers see, the token's roles."""

    id: str
    name: str
    title: str
    roles: tuple[str, ...]


OKAFOR = Person("p-okafor", "A. Okafor", "audit programme manager", ("audit-programme-manager", "programme-manager"))
WEISS = Person("p-weiss", "J. Weiss", "auditor", ("auditor",))
RUIZ = Person("p-ruiz", "M. Ruiz", "service level manager", ("service-level-manager", "risk-manager"))
KELLER = Person("p-keller", "T. Keller", "process owner", ("process-owner",))
LINDQVIST = Person("p-lindqvist", "H. Lindqvist", "CIO", ("cio", "top-management"))
MONITOR = Person("monitor", "the monitor", "reports what it measures", ("monitor",))
DIRECTOR = Person("p-director", "the director", "moves the clock and watches", ("operator", "reader"))

EVERYBODY = (OKAFOR, WEISS, RUIZ, KELLER, LINDQVIST, MONITOR, DIRECTOR)

DUTIES: dict[Person, str] = {RUIZ: "service-level-manager", KELLER: "process-owner", LINDQVIST: "cio"}
"""Who answers for what in the organisation, as dated facts of the audit service (the token only opens doors)."""


def name_of(person: str | None) -> str:
    """How readers know a person."""
    return next((each.name for each in EVERYBODY if each.id == person), person or "nobody")
