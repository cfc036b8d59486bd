"""JSON as a jsonb column keeps it: the same values under other spaces, in another order, with numbers written out."""

import json
import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from functools import lru_cache
from typing import Any

from events.store.port import Unstorable

UNKEEPABLE = re.compile("[\x00\ud800-\udfff]")
"""NUL, and halves of characters."""
_written = json.JSONEncoder(ensure_ascii=False).encode


def as_kept(text: str) -> str:
    """What is read back of a text that was written to a jsonb column. Raises Unstorable where it is refused."""
    return _text(_parsed(text))


def top_level(kept: str, name: str) -> str | None:
    """A field as the operator ->> gives it: text without quotes, anything else as JSON, nothing for null."""
    value = _parsed(kept).get(name)
    if value is None or isinstance(value, str):
        return value
    return _text(value)


def refuse_unkeepable(*values: Any) -> None:
    """Raises Unstorable where a text among these, however deep, has a character that the database cannot keep."""
    for value in values:
        if isinstance(value, str):
            if UNKEEPABLE.search(value):
                raise Unstorable("The database refuses this data.")
        elif isinstance(value, Sequence):
            refuse_unkeepable(*value)


def _parsed(text: str) -> Any:
    try:
        return json.loads(text, parse_int=Decimal, parse_float=Decimal, parse_constant=_refused)
    except ValueError as error:
        raise Unstorable("The database refuses this data.") from error


def _text(value: Any) -> str:
    if isinstance(value, Mapping):
        keys = sorted(value, key=_order)
        return "{" + ", ".join(f"{_text(key)}: {_text(value[key])}" for key in keys) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(_text(each) for each in value) + "]"
    if isinstance(value, Decimal):
        return _number(value)
    refuse_unkeepable(value)
    return _written(value)


@lru_cache(10_000)
def _order(key: str) -> tuple[int, str]:
    return len(key.encode("utf-8", "replace")), key


def _number(value: Decimal) -> str:
    return f"{value.copy_abs() if value.is_zero() else value:f}"


def _refused(word: str) -> Any:
    raise ValueError(f"{word} is no JSON")
