"""What the shared words let in."""

import pytest
from pydantic import ValidationError

from events.codec import from_json
from events.words import Key, Line, Text


@pytest.mark.parametrize("word", [Line, Text, Key])
def test_nul_is_refused_at_the_door(word: type[str]) -> None:
    with pytest.raises(ValidationError):
        from_json(word, '"a\\u0000b"')
    assert from_json(word, '"ab"') == "ab"
