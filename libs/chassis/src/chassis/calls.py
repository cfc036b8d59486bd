"""One call as an endpoint sees it: who calls, and what headers, query and body say, each checked once and strictly."""

import json
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import ValidationError
from pydantic_core import ErrorDetails
from starlette.requests import Request

from chassis.edge import Exchange
from chassis.identity import Caller
from chassis.problems import Problem
from events.codec import adapter, canonical, digest
from events.kernel import derived_id
from events.words import Instant

_KEY = re.compile(r"[\x20-\x7e]{1,128}\Z")
_ETAG = re.compile(r'"(0|[1-9][0-9]{0,8})"\Z')
_PLAINLY = {
    "unexpected_keyword_argument": "There is no such member here.",
    "missing": "This member is missing.",
}
MOST_ITEMS = 1_000
MOST_VALUES = 10_000
"""In one list, and in one body: what is checked value by value must not keep everybody else waiting."""
_RFC3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d{1,6})?([Zz]|[+-]\d\d:\d\d)\Z")


@dataclass(frozen=True)
class Body:
    """A body that was read: as the type it had to be, and as the text by which a repetition is recognised."""

    value: Any
    text: str


@dataclass(frozen=True)
class Call:
    """A call by somebody who is known and permitted."""

    request: Request
    caller: Caller
    operation: str

    @property
    def tenant(self) -> str:
        return self.caller.tenant

    @property
    def exchange(self) -> Exchange:
        return Exchange.of(self.request.scope)

    def object_id(self) -> UUID:
        """The id in the path; what is no id names no object."""
        text = self.request.path_params["id"]
        try:
            id = UUID(text)
        except ValueError:
            id = None
        if id is None or str(id) != text.lower():
            raise unknown_object()
        return id

    def idempotency_key(self) -> str:
        key = self._one_header("idempotency-key")
        if key is None:
            raise Problem(400, "idempotency-key-missing")
        if not _KEY.match(key):
            raise Problem(400, "malformed", "Idempotency-Key must be 1 to 128 printable characters.")
        return key

    def command_id(self) -> UUID:
        """The id of what is asked for here: the same for a repetition, another for anybody else."""
        return derived_id("http", self.tenant, self.caller.person, self.operation, self.idempotency_key())

    def fingerprint(self, body: Body) -> str:
        """What a repetition must have in common with the first request."""
        match = self.request.headers.get("if-match", "")
        return digest(canonical([self.operation, self.request.url.path.lower(), body.text, match]))

    def seen_version(self) -> int:
        """The version in If-Match."""
        etag = self._one_header("if-match")
        if etag is None:
            raise Problem(428, "if-match-missing")
        found = _ETAG.match(etag)
        if not found:
            raise Problem(400, "malformed", 'If-Match must be one ETag that was given out here, such as "3".')
        return int(found[1])

    def require_json(self) -> None:
        kind, _, parameters = (self.request.headers.get("content-type") or "").partition(";")
        charset = parameters.replace(" ", "").lower()
        if kind.strip().lower() != "application/json" or charset not in ("", "charset=utf-8", 'charset="utf-8"'):
            raise Problem(415, "unsupported-media-type", headers={"Accept-Post": "application/json"})

    async def body(self, of: type[Any], *, too_long_is: int = 422) -> Body:
        """The body, read strictly. `too_long_is` 413 where a list in it bounds what one request may hold."""
        raw = await self.request.body()
        try:
            document = json.loads(raw, object_pairs_hook=_without_twins)
            _refuse_bulk(document)
            value = adapter(of).validate_json(raw, strict=True)
            return Body(value, canonical(document))
        except ValidationError as error:
            raise _invalid(error, document, too_long_is) from None
        except json.JSONDecodeError as error:
            raise Problem(400, "malformed", f"The body is not valid JSON: {error}.") from None
        except (ValueError, RecursionError):
            raise Problem(400, "malformed", "The body is not JSON that can be kept.") from None

    def check_query(self, known: Collection[str], repeatable: Collection[str] = ()) -> None:
        """Refuse what is not declared: a misspelled filter must not look as if it had filtered."""
        for name in self.request.query_params:
            if name not in known:
                raise wrong_parameter(name, f"is not known here; known are: {', '.join(sorted(known)) or 'none'}")
            if len(self.request.query_params.getlist(name)) > (50 if name in repeatable else 1):
                raise wrong_parameter(name, "is given too often")

    def whole_number(self, name: str, default: int, lowest: int, highest: int) -> int:
        text = self.request.query_params.get(name)
        if text is None:
            return default
        if not re.fullmatch(r"[0-9]{1,18}", text) or not lowest <= int(text) <= highest:
            raise wrong_parameter(name, f"must be a whole number from {lowest} to {highest}")
        return int(text)

    def instant(self, name: str) -> datetime | None:
        text = self.request.query_params.get(name)
        if text is None:
            return None
        try:
            if not _RFC3339.match(text):
                raise ValueError(text)
            at: datetime = adapter(Instant).validate_python(datetime.fromisoformat(text.upper()))
        except ValueError:
            raise wrong_parameter(name, "must be an instant such as 2026-02-28T09:00:00Z (a + is %2B here)") from None
        return at

    def _one_header(self, name: str) -> str | None:
        found = self.request.headers.getlist(name)
        if len(found) > 1:
            raise Problem(400, "malformed", f"{name} is given more than once.")
        return found[0] if found else None


def unknown_object() -> Problem:
    """The same answer whether an object never was, or is another tenant's."""
    return Problem(404, "not-found", "There is no such object.")


def wrong_parameter(name: str, why: str) -> Problem:
    return Problem(422, "invalid-parameter", f"The parameter {name[:100]} {why}.", {"parameter": name[:100]})


def _without_twins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object; a name that stands in it twice says two things, and every reader may take another."""
    found = dict(pairs)
    if len(found) < len(pairs):
        raise Problem(400, "malformed", "A name stands twice in one object of the body.")
    return found


def _refuse_bulk(document: Any) -> None:
    """Refuse more than anybody means by one request, before it is validated: that costs most for what is wrong."""
    ahead, values = [document], 0
    while ahead:
        each = ahead.pop()
        inside = each if isinstance(each, list) else list(each.values()) if isinstance(each, dict) else []
        values += len(inside)
        if len(inside) > MOST_ITEMS or values > MOST_VALUES:
            detail = f"One body holds at most {MOST_VALUES} values, and at most {MOST_ITEMS} in one list or object."
            raise Problem(413, "too-large", detail)
        ahead += inside


def _invalid(error: ValidationError, document: Any, too_long_is: int) -> Problem:
    found = error.errors(include_url=False, include_context=False, include_input=False)
    if any(each["type"] == "json_invalid" for each in found):
        return Problem(400, "malformed", "The body is not valid JSON: " + found[0]["msg"].partition(": ")[2] + ".")
    errors = [{"pointer": _pointer(each, document), "detail": _detail(each)} for each in found[:50]]
    if too_long_is == 413 and any(each["type"] == "too_long" and len(each["loc"]) == 1 for each in found):
        return Problem(413, "too-large", "A list in the body is longer than one request may hold.", {"errors": errors})
    return Problem(422, "invalid", "The body is not what is expected here.", {"errors": errors})


def _detail(error: ErrorDetails) -> str:
    return _PLAINLY.get(error["type"], error["msg"])


def _pointer(error: ErrorDetails, document: Any) -> str:
    """The JSON Pointer to what is wrong; steps that name a type, not a place in the document, are left out."""
    steps: list[str | int] = []
    last = len(error["loc"]) - 1
    for place, step in enumerate(error["loc"]):
        if isinstance(document, Mapping) and step in document:
            document = document[str(step)]
        elif isinstance(document, list) and isinstance(step, int) and step < len(document):
            document = document[step]
        elif place != last or error["type"] != "missing":
            continue
        steps.append(step)
    return "".join("/" + str(step).replace("~", "~0").replace("/", "~1") for step in steps)
