"""What every service promises about its HTTP interface: the committed description, and lists that use indexes."""

from pathlib import Path

import pytest

from chassis.__main__ import openapi_text
from chassis.service import load
from chassis.testing import check_list_indexes

SERVICES = ("audit", "sla", "risk", "improvement")
DOCUMENTS = Path(__file__).parent.parent / "docs" / "openapi"


@pytest.mark.parametrize("name", SERVICES)
def test_the_committed_description_is_what_is_served(name: str) -> None:
    committed = (DOCUMENTS / f"{name}.json").read_text()
    assert committed == openapi_text(name), f"python -m chassis openapi {name} > docs/openapi/{name}.json"


@pytest.mark.parametrize("name", SERVICES)
async def test_every_declared_filter_and_order_uses_an_index(name: str, database: str) -> None:
    await check_list_indexes(load(name), database)
