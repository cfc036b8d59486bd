"""Schemathesis at the doors of a running stack: whatever comes in, the answer is one that the description allows.

Half of the cases follow the schemas and are put to objects that exist, at the version that they have; the other half
breaks the schemas in some way.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from doors import NOBODY, SERVICES
from furnished import Furnished
from hypothesis import HealthCheck, Phase, given, seed, settings
from schemathesis import APIOperation, Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

DOCUMENTS = Path(__file__).parents[2] / "docs" / "openapi"
Operation = APIOperation[Any, Any, Any, Any]
CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
SEED = 20_260_420
EXAMPLES = {"get": 3, "post": 7}

calmly = settings(
    database=None,
    deadline=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE], ids=["as-described", "otherwise"])
@pytest.mark.parametrize("service", SERVICES)
def test_every_answer_is_one_that_the_description_allows(
    furnished: Furnished, service: str, mode: GenerationMode
) -> None:
    document = schemathesis.openapi.from_dict(json.loads((DOCUMENTS / f"{service}.json").read_text()))
    wrong: list[str] = []
    for found in document.get_all_operations():
        operation: Operation = found.ok()
        if can_be(operation, mode):
            wrong += complaints_about(service, operation, mode, furnished)
    assert not wrong, "\n\n".join(wrong)


def can_be(operation: Operation, mode: GenerationMode) -> bool:
    """Without parameters and body there is nothing to break."""
    return mode is GenerationMode.POSITIVE or bool(operation.body or list(operation.iter_parameters()))


def complaints_about(service: str, operation: Operation, mode: GenerationMode, furnished: Furnished) -> list[str]:
    attempt = attempts(service, operation, mode, furnished)
    try:
        attempt()
    except Exception as problem:  # every operation is to be heard, not only the first that fails
        return [f"{operation.label} ({mode.value}): {problem}"]
    return []


def attempts(service: str, operation: Operation, mode: GenerationMode, furnished: Furnished) -> Callable[[], None]:
    doors = furnished.doors

    @seed(SEED)
    @settings(calmly, max_examples=EXAMPLES[operation.method])
    @given(case=operation.as_strategy(generation_mode=mode))
    def attempt(case: Case) -> None:
        if mode is GenerationMode.POSITIVE:
            at_something_that_exists(case, service)
        response = case.call(
            base_url=doors.addresses[service], headers={"Authorization": f"Bearer {doors.token}"}, timeout=15
        )
        case.validate_response(response, checks=CHECKS)

    def at_something_that_exists(case: Case, service: str) -> None:
        parts = operation.path.split("/")
        id = doors.ids.get((service, parts[2]), NOBODY)
        case.path_parameters = dict.fromkeys(case.path_parameters, id)
        case.query.pop("cursor", None)  # no made-up text is one
        if "If-Match" in case.headers:
            url = f"{doors.addresses[service]}/{'/'.join(parts[1:-1])}".replace("{id}", id)
            seen = doors.http.get(url, headers={"Authorization": f"Bearer {doors.token}"})
            case.headers["If-Match"] = seen.headers["etag"]

    return attempt
