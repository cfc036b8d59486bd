"""Which places an armed failpoint means."""

import pytest

from events.failpoints import Failpoint, FailpointHit, failpoint


@pytest.mark.parametrize(
    ("armed", "passed", "fails"),
    [
        ("W9", "W9-lease", True),
        ("W9", "W9-waiting", True),
        ("W9-waiting", "W9-waiting", True),
        ("W9-waiting", "W9-lease", False),
        ("W7a", "W7a", True),
        ("W7a", "W7b", False),
        ("W1", "W10", False),
    ],
)
async def test_which_places_are_meant(armed: str, passed: str, fails: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    point = Failpoint(armed, "raise", 1)
    monkeypatch.setattr("events.failpoints.armed", lambda: point)
    if fails:
        with pytest.raises(FailpointHit):
            await failpoint(passed)
    else:
        await failpoint(passed)
    assert point.passed == fails
