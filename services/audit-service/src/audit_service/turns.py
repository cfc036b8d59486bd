"""Which step may be taken when: no state is skipped, and what is over stays over (A-05, A-12)."""

from collections.abc import Sequence
from enum import StrEnum

from events.kernel import NotFound, Refused


def refuse_out_of_turn(noun: str, number: str, status: StrEnum, turn: Sequence[StrEnum], rule: str) -> None:
    """Refuse a step in a state in which it is not taken; `number` is empty for what is not there."""
    if status in turn:
        return
    if not number:
        raise NotFound(f"there is no such {noun}")
    members = {f"{noun}_status": status, "allowed_in": turn}
    raise Refused(f"{number} is {status}; this step is taken in: {', '.join(turn)}", rule=rule, **members)
