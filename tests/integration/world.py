"""One running stack, and everybody who calls it."""

from collections.abc import Callable

from stack.client import Caller
from stack.cluster import Stack


class World:
    """What a story is played on; `stack` is at hand for those who pull plugs."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.operator = self.person("p-operator", "operator")

    def person(self, person: str, *roles: str, tenant: str = "meridian") -> Caller:
        """Somebody with a token that carries these roles."""
        return Caller(self.stack.addresses, self.stack.mint(person, roles, tenant))


Begin = Callable[[str], World]
"""`begin("2026-02-01T00:00:00Z")`: a whole stack whose business time starts there."""
