"""What an operator is shown was partly written by whoever may publish."""

import pytest

from chassis.operator_desk import printable


@pytest.mark.parametrize(
    ("written", "shown"),
    [("a\x1b[2Jb", r"a\x1b[2Jb"), ("a\r\nb", r"a\r\nb"), ("a\x9bb", r"a\x9bb"), ("Prüfung: 'ü' ", "Prüfung: 'ü' ")],
)
def test_a_dead_letter_cannot_command_the_terminal(written: str, shown: str) -> None:
    assert printable(written) == shown
