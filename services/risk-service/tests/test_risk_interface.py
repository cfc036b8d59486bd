"""What the service declares fits: examples are commands, permissions are granted, what is heard is answered."""

import json

import pytest

from chassis.routes import Act
from contracts.improvement import CorrectiveActionReopened
from contracts.risk import RiskRegistered, RiskTriggered
from contracts.sla import BreachConfirmed
from events.codec import from_json
from risk_service.main import service

ACTS = [act for feature in service.features if feature.routes for act in feature.routes.acts]


@pytest.mark.parametrize("act", ACTS, ids=lambda act: act.command.__name__)
def test_each_example_is_a_command_that_could_be_sent(act: Act) -> None:
    assert from_json(act.command, json.dumps(act.example))


def test_each_permission_is_granted_to_some_role_and_each_granted_one_is_asked_for() -> None:
    routes = [feature.routes for feature in service.features if feature.routes]
    asked = {each.read for each in routes} | {act.permission for act in ACTS}
    assert asked == frozenset().union(*service.permissions.values())


def test_only_who_may_accept_by_role_gets_to_the_question_of_authority() -> None:
    may = {role for role, granted in service.permissions.items() if "risk.accept" in granted}
    assert may == {"risk-owner", "risk-manager", "cio", "top-management"}


def test_the_service_hears_its_own_announcements() -> None:
    heard = {each for feature in service.features for each in feature.hears}
    assert {RiskRegistered, RiskTriggered, BreachConfirmed, CorrectiveActionReopened} <= heard
