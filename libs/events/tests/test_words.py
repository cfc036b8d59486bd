"""What the shared words let in."""

import pytest
from pydantic import ValidationError

from events.codec import from_json
from events.words import Key, Line, Text, Zone


@pytest.mark.parametrize("word", [Line, Text, Key])
def test_nul_is_refused_at_the_door(word: type[str]) -> None:
    with pytest.raises(ValidationError):
        from_json(word, '"a\\u0000b"')
    assert from_json(word, '"ab"') == "ab"


def test_a_time_zone_is_known_without_looking_at_the_disk_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """It stands in many events: each look took five milliseconds, for each event that was read back."""
    looks: list[str] = []
    for place in ("zoneinfo.available_timezones", "events.words.available_timezones"):
        monkeypatch.setattr(place, lambda: looks.append("") or set())
    assert from_json(Zone, '"Europe/Berlin"') == "Europe/Berlin"
    with pytest.raises(ValidationError):
        from_json(Zone, '"Europe/Atlantis"')
    assert not looks
