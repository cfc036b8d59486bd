"""What the service declares about itself holds together."""

import json
from typing import Any

import pytest

from audit_service.main import service
from chassis.routes import Act
from events.codec import from_json, state_from_json, to_json

ROUTES = [feature.routes for feature in service.features if feature.routes]
ACTS = [pytest.param(act, id=f"{routes.path}/{act.name}") for routes in ROUTES for act in routes.acts]


@pytest.mark.parametrize("act", ACTS)
def test_each_example_is_a_command_as_it_stands(act: Act) -> None:
    assert isinstance(from_json(act.command, json.dumps(act.example)), act.command)


def test_each_permission_is_given_to_some_role_and_none_is_given_in_vain() -> None:
    asked = {act.permission for routes in ROUTES for act in routes.acts} | {routes.read for routes in ROUTES}
    assert set().union(*service.permissions.values()) == asked


@pytest.mark.parametrize("routes", ROUTES, ids=lambda routes: routes.path)
def test_each_filter_is_a_field_of_the_state_and_the_state_reads_back(routes: Any) -> None:
    shown = json.loads(to_json(routes.aggregate.initial))
    assert set(routes.listing.filters) <= set(shown)
    assert state_from_json(routes.aggregate, to_json(routes.aggregate.initial)) is not None
