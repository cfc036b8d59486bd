"""What the chassis itself stores stays readable."""

from pathlib import Path

from chassis.submissions import submissions
from events.golden import check_golden


def test_submissions_are_what_they_were_when_they_were_released() -> None:
    check_golden(submissions, Path(__file__).parent / "golden")
