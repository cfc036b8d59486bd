"""What the headers of a message say, and which of them are believed."""

import pytest

from events.bus.envelope import POSITION, position_of
from events.message import Message


@pytest.mark.parametrize(
    ("header", "position"),
    [
        ("1", 1),
        ("999999999999999999", 999_999_999_999_999_999),
        ("9223372036854775808", None),
        ("-1", None),
        ("1.0", None),
        ("", None),
    ],
)
def test_a_position_that_no_log_can_have_is_none(header: str, position: int | None) -> None:
    """A database counts to 2**63 - 1: asked for more than that, it would answer with an error, again and again."""
    assert position_of(Message("closeloop.a.b", {POSITION: header}, b"")) == position
