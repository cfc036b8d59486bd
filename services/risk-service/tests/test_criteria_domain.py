"""Criteria come first and are versioned (K-01)."""

from dataclasses import replace
from datetime import date

from events.testing import scenarios
from risk_service.criteria.aggregate import criteria
from risk_service.criteria.domain import Band, Criteria, Publish

given = scenarios(criteria, by="p-lindqvist", at="2026-01-05T09:00:00+01:00")
LIMIT_12 = Criteria(limit=12)


def test_default_criteria_are_in_force_before_anything_is_published() -> None:
    in_force = criteria.initial
    assert (in_force.version, in_force.criteria.limit) == (0, 9)
    assert [(band.up_to, band.approver) for band in in_force.criteria.bands] == [
        (6, "risk-manager"),
        (12, "cio"),
        (25, "top-management"),
    ]


def test_a_new_version_leaves_the_old_ones_readable() -> None:
    first = given().when(Publish(criteria=LIMIT_12, reason="appetite of 2026"))
    second = given(*first.events).when(Publish(criteria=Criteria(limit=8), reason="after the outage of May"))
    assert second.state.version == 2
    assert second.state.criteria.limit == 8
    assert [(each.version, each.criteria.limit) for each in second.state.versions] == [(1, 12), (2, 8)]


def test_a_level_on_the_border_belongs_to_the_lower_band() -> None:
    bands = {level: Criteria().band_of(level).name for level in (1, 6, 8, 12, 15, 25)}
    assert bands == {1: "low", 6: "low", 8: "medium", 12: "medium", 15: "high", 25: "high"}


def test_the_higher_the_level_the_sooner_the_review() -> None:
    looked = date(2026, 6, 1)
    assert [Criteria().next_review(level, looked) for level in (6, 12, 16)] == [
        date(2027, 6, 1),  # 365 days
        date(2026, 11, 28),  # 180 days
        date(2026, 8, 30),  # 90 days
    ]


def test_who_may_accept_much_may_accept_less() -> None:
    for roles, up_to in ((["cio"], 12), (["risk-manager", "top-management"], 25), (["risk-manager"], 6)):
        band = Criteria().authority_of(roles)
        assert band is not None
        assert band.up_to == up_to
    assert Criteria().authority_of(["service-owner"]) is None


def test_bands_that_leave_a_gap_a_disorder_or_a_rarer_review_are_refused() -> None:
    low = Band(name="low", up_to=6, approver="risk-manager", review_every_days=365)
    high = Band(name="high", up_to=25, approver="cio", review_every_days=90)

    def publish(*bands: Band) -> Publish:
        return Publish(criteria=Criteria(bands=bands), reason="new bands")

    given().when(publish()).then_refused("must reach up to 25", rule="K-01", status=422)
    given().when(publish(low)).then_refused("must reach up to 25", rule="K-01", status=422)
    given().when(publish(high, low, high)).then_refused("ascending", rule="K-01", status=422)
    rarer = replace(high, review_every_days=366)
    given().when(publish(low, rarer)).then_refused("reviewed less often", rule="K-06", status=422)
