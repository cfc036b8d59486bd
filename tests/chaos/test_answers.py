"""An answer is compared with the record that is kept of its command; no stack is needed for that."""

from typing import Any

import pytest
from answers import _differing_record, same_answers
from ledger import Asked, Reply

RECORD = {"stream": "a-finding", "version": 1, "position": 17}


def asked(body: Any, position: str, path: str = "findings") -> Asked:
    return Asked("key", "audit", "p-weiss", path, {}, replies=[Reply(0.0, 201, body, position)])


FINDING = {"id": "a-finding", "version": 1}


def test_an_answer_that_says_what_is_on_record() -> None:
    assert [*_differing_record(asked(FINDING, "audit:17"), [RECORD])] == []


def test_an_answer_to_several_commands() -> None:
    done = asked({"results": [FINDING, {"id": "another", "version": 2}]}, "audit:19", "measurements")
    another = {"stream": "another", "version": 2, "position": 19}
    submission = {"stream": "a-submission", "version": 1, "position": 18}
    assert [*_differing_record(done, [RECORD, another, submission])] == []


@pytest.mark.parametrize(
    ("body", "position", "says"),
    [
        ({**FINDING, "version": 2}, "audit:17", "recorded as another"),
        ({**FINDING, "id": "b-finding"}, "audit:17", "recorded as another"),
        (FINDING, "audit:16", "recorded at [17]"),
        (FINDING, "sla:17", "recorded at [17]"),
        (FINDING, "", "recorded at [17]"),
    ],
)
def test_an_answer_that_says_something_else(body: Any, position: str, says: str) -> None:
    (found,) = _differing_record(asked(body, position), [RECORD])
    assert says in found


def test_an_audit_has_results_of_its_own() -> None:
    audit: dict[str, Any] = {"id": "a-finding", "version": 1, "results": []}
    assert [*_differing_record(asked(audit, "audit:17", "audits"), [RECORD])] == []
    (found,) = _differing_record(asked({**audit, "id": "b-audit"}, "audit:17", "audits"), [RECORD])
    assert "recorded as another" in found
    twice = asked(audit, "audit:17", "audits")
    twice.replies.append(Reply(1.0, 201, {**audit, "id": "b-audit"}, "audit:20"))
    assert same_answers(twice).duplicated
