"""An answer is compared with the record that is kept of its command; no stack is needed for that."""

from typing import Any

import pytest
from answers import _differing_record
from ledger import Asked, Reply

RECORD = {"stream": "a-finding", "version": 1, "position": 17}


def asked(body: Any, position: str) -> Asked:
    return Asked("key", "audit", "p-weiss", "findings", {}, replies=[Reply(0.0, 201, body, position)])


FINDING = {"id": "a-finding", "version": 1}


def test_an_answer_that_says_what_is_on_record() -> None:
    assert [*_differing_record(asked(FINDING, "audit:17"), [RECORD])] == []


def test_an_answer_to_several_commands() -> None:
    done = asked({"results": [FINDING, {"id": "another", "version": 2}]}, "audit:19")
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
