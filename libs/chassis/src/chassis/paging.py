"""Pages: how long one may be, and cursors that say where the next one begins."""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Any

from starlette.responses import Response

from chassis.calls import Call, wrong_parameter
from chassis.problems import Problem
from chassis.representation import as_json
from events.codec import canonical

DEFAULT_LIMIT, MAX_LIMIT = 50, 200

LIMIT = {"type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": DEFAULT_LIMIT}
CURSOR = {"type": "string", "description": "`next` of the page before."}


def limit_of(call: Call) -> int:
    return call.whole_number("limit", DEFAULT_LIMIT, 1, MAX_LIMIT)


def page(call: Call, items: list[Any], following: str, parameter: str = "cursor") -> Response:
    """A page as JSON; `following` is the value of the parameter that asks for the next one (empty: there is none)."""
    headers = {}
    if following:
        link = call.request.url.include_query_params(**{parameter: following})
        headers["Link"] = f'<{link.path}?{link.query}>; rel="next"'
    return as_json({"items": items, "next": following or None}, headers=headers)


def encode_cursor(parts: list[Any]) -> str:
    return urlsafe_b64encode(canonical(parts).encode()).decode().rstrip("=")


def decode_cursor(cursor: str) -> Any:
    """What a cursor says; None for one that was not made here."""
    try:
        return json.loads(urlsafe_b64decode(cursor[:2000] + "=" * (-len(cursor) % 4)))
    except (ValueError, RecursionError):
        return None


def bad_cursor() -> Problem:
    return wrong_parameter("cursor", "was not given out for this list, its filters and its order")
