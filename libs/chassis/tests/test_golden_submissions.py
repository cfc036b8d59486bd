"""What the chassis itself stores stays readable."""

from pathlib import Path

from chassis.submissions import submissions
from events.golden import check_golden, check_released

GOLDEN = Path(__file__).parent / "golden"


def test_submissions_are_what_they_were_when_they_were_released() -> None:
    check_golden(submissions, GOLDEN)


def test_whatever_a_release_has_stored_is_read_and_folds_to_what_it_meant() -> None:
    logs = sorted(GOLDEN.glob("releases/*/*.events.jsonl"))
    assert logs
    for log in logs:
        check_released(log, [submissions])
