"""What every service promises about its HTTP interface: the committed description, and lists that use indexes."""

import re
from pathlib import Path

import pytest

from chassis import asyncapi
from chassis.__main__ import openapi_text
from chassis.service import VERSION, load
from chassis.testing import check_list_indexes

SERVICES = ("audit", "sla", "risk", "improvement")
ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"


@pytest.mark.parametrize("name", SERVICES)
def test_the_committed_description_is_what_is_served(name: str) -> None:
    committed = (DOCS / "openapi" / f"{name}.json").read_text()
    assert committed == openapi_text(name), f"python -m chassis openapi {name} > docs/openapi/{name}.json"


@pytest.mark.parametrize("name", SERVICES)
def test_the_committed_announcements_are_the_contracts(name: str) -> None:
    committed = (DOCS / "asyncapi" / f"{name}.json").read_text()
    cure = f"python -m chassis asyncapi {name} > docs/asyncapi/{name}.json"
    assert committed == asyncapi.document_text(name, VERSION), cure


def test_the_page_of_events_is_what_the_contracts_say() -> None:
    cure = f"python -c 'from chassis import asyncapi; print(asyncapi.page({SERVICES}), end=\"\")' > docs/events.md"
    assert (DOCS / "events.md").read_text() == asyncapi.page(SERVICES), cure


def test_every_rule_that_a_refusal_names_is_explained() -> None:
    explained = set(re.findall(r"^\| ([A-Z]-\d\d) ", (DOCS / "rules.md").read_text(), re.MULTILINE))
    sources = [file.read_text() for folder in ("services", "libs") for file in ROOT.glob(f"{folder}/*/src/**/*.py")]
    named = {rule for text in sources for rule in re.findall(r'"([A-Z]-\d\d)"', text)}
    assert named
    assert named - explained == set()


@pytest.mark.parametrize("name", SERVICES)
async def test_every_declared_filter_and_order_uses_an_index(name: str, database: str) -> None:
    await check_list_indexes(load(name), database)
