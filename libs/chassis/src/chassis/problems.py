"""Everything that goes wrong is answered as one kind of thing: a problem (RFC 9457), each type with its page."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic_core import to_jsonable_python
from starlette.exceptions import HTTPException
from starlette.responses import Response

from events.codec import canonical
from events.kernel import Refused
from events.store.port import OutcomeUnknown, Unavailable

MEDIA_TYPE = "application/problem+json"
PAGES = "/problems/"


@dataclass
class Problem(Exception):
    """Why a request was not done, as the caller is told."""

    status: int
    slug: str
    detail: str = ""
    members: Mapping[str, Any] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)

    def response(self, instance: str) -> Response:
        body = {
            **to_jsonable_python(dict(self.members), serialize_unknown=True),
            "type": PAGES + self.slug,
            "title": title_of(self.slug),
            "status": self.status,
            "detail": self.detail or meaning_of(self.slug),
            "instance": instance,
        }
        return Response(canonical(body), self.status, self.headers, MEDIA_TYPE)


_MEANINGS: dict[str, tuple[int, str]] = {
    "malformed": (400, "The request cannot be read: broken JSON, or a header that is not of the form it must have."),
    "idempotency-key-missing": (
        400,
        "Every POST needs an Idempotency-Key: a new one for each intention, the same one for each repetition of it.",
    ),
    "unauthenticated": (401, "A valid bearer token of the configured issuer is needed."),
    "not-permitted": (403, "None of the roles in your token permits this call."),
    "unknown-path": (404, "There is nothing at this address; see /openapi.json."),
    "method-not-allowed": (405, "This address does not answer to this method; the header Allow names those it does."),
    "receive-timeout": (408, "The body of the request did not arrive in time. Nothing was done."),
    "too-large": (413, "The body, or a list in it, is larger than one request may hold. Send it in parts."),
    "unsupported-media-type": (415, "The body must be application/json."),
    "invalid": (422, "Fields are missing, unknown or not of their type; `errors` points at each (JSON Pointer)."),
    "invalid-parameter": (422, "A query parameter is unknown here, or its value is not of its type."),
    "if-match-missing": (
        428,
        "A change to an existing object needs If-Match with the ETag of the version that you have seen.",
    ),
    "internal-error": (500, "A mistake on our side; the log has it under the id in `instance`."),
    "unavailable": (503, "It cannot be done now, and nothing was done. Try again after Retry-After seconds."),
    "outcome-unknown": (
        503,
        "No answer came in time: it may have been done. Repeat it with the same Idempotency-Key to learn it.",
    ),
}

_BY_STATUS = {400: "malformed", 404: "unknown-path", 405: "method-not-allowed", 413: "too-large", 422: "invalid"}


def problem_of(error: Exception) -> Problem:
    """The problem that an exception is for the caller; what we do not know is a 500 that tells nothing."""
    match error:
        case Problem():
            return error
        case Refused():
            return Problem(error.status, error.slug, error.detail, error.members)
        case Unavailable():
            return Problem(503, "unavailable", headers={"Retry-After": "1"})
        case OutcomeUnknown():
            return Problem(503, "outcome-unknown", headers={"Retry-After": "1"})
        case HTTPException(status_code=status) if status in _BY_STATUS:
            return Problem(status, _BY_STATUS[status], headers=error.headers or {})
        case HTTPException(status_code=status) if 400 <= status < 500:
            return Problem(status, "malformed", str(error.detail), headers=error.headers or {})
        case _:
            return Problem(500, "internal-error")


def catalogue() -> dict[str, tuple[int, str]]:
    """Every type of problem: slug -> (status, meaning). Refusals of the domain explain themselves."""
    refusals = {each.slug: (each.status, " ".join((each.__doc__ or "").split())) for each in _refusals(Refused)}
    return dict(sorted({**refusals, **_MEANINGS}.items()))


def title_of(slug: str) -> str:
    return slug.replace("-", " ").capitalize()


def meaning_of(slug: str) -> str:
    return catalogue().get(slug, (0, ""))[1]


def _refusals(base: type[Refused]) -> Iterator[type[Refused]]:
    for each in base.__subclasses__():
        yield from _refusals(each)
    yield base
