"""The criteria come first (K-01): by which scales a risk is judged, what is too much, and who may accept how much.

They are one object per organisation, published as whole versions; an assessment keeps the version that it used.
"""

from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import date, timedelta
from enum import StrEnum
from itertools import pairwise

from events.kernel import Given, Unacceptable, event, value
from events.words import Count, Instant, Line, Person, Role, Text, Zone
from risk_service.words import HIGHEST, BreachesPerStep, Level, ReviewInterval, Scale


@value
class Band:
    """The levels up to `up_to` (and above the band before): who may accept them, how often they are reviewed."""

    name: Line
    up_to: Level
    approver: Role
    review_every_days: ReviewInterval


@value
class Criteria:
    """What a risk is judged by; these defaults are in force until an organisation publishes its own."""

    likelihood: Scale = ("rare", "unlikely", "possible", "likely", "almost certain")
    impact: Scale = ("negligible", "minor", "moderate", "major", "severe")
    limit: Level = 9
    """A threat above this level is treated or accepted; at or below, it is watched."""
    bands: tuple[Band, ...] = (
        Band(name="low", up_to=6, approver="risk-manager", review_every_days=365),
        Band(name="medium", up_to=12, approver="cio", review_every_days=180),
        Band(name="high", up_to=HIGHEST, approver="top-management", review_every_days=90),
    )
    breaches_per_step: BreachesPerStep = 1
    """So many breaches of a risk's services raise its likelihood by one step."""
    zone: Zone = "Europe/Berlin"

    def band_of(self, level: int) -> Band:
        """The band in which a level lies."""
        return next(band for band in self.bands if level <= band.up_to)

    def next_review(self, level: int, reviewed_on: date) -> date:
        """When somebody must look again at a risk of this level."""
        return reviewed_on + timedelta(days=self.band_of(level).review_every_days)

    def authority_of(self, roles: Collection[str]) -> Band | None:
        """The highest band that holders of these roles may accept; who may accept much may accept less."""
        return next((band for band in reversed(self.bands) if band.approver in roles), None)


# --- commands --------------------------------------------------------------------------------------------------------


@value
class Publish:
    """Put new criteria in force, as a whole."""

    criteria: Criteria
    reason: Text


# --- events ----------------------------------------------------------------------------------------------------------


@event("criteria-published")
class Published:
    version: Count
    criteria: Criteria
    reason: Text
    by: Person
    at: Instant


# --- state -----------------------------------------------------------------------------------------------------------


class Status(StrEnum):
    DEFAULT = "default"
    PUBLISHED = "published"


@value
class InForce:
    """The criteria in force and all versions published; version 0 is the default."""

    status: Status = Status.DEFAULT
    version: int = 0
    criteria: Criteria = Criteria()
    versions: tuple[Published, ...] = ()


def evolve(in_force: InForce, published: Published) -> InForce:
    return replace(
        in_force,
        status=Status.PUBLISHED,
        version=published.version,
        criteria=published.criteria,
        versions=(*in_force.versions, published),
    )


# --- decisions -------------------------------------------------------------------------------------------------------


def decide(in_force: InForce, command: Publish, given: Given) -> Sequence[Published]:
    _refuse_disordered_bands(command.criteria.bands)
    published = Published(
        version=in_force.version + 1,
        criteria=command.criteria,
        reason=command.reason,
        by=given.by.person,
        at=given.at,
    )
    return [published]


def _refuse_disordered_bands(bands: Sequence[Band]) -> None:
    if not bands or bands[-1].up_to != HIGHEST:
        raise Unacceptable(f"the last band must reach up to {HIGHEST}, the highest level", rule="K-01")
    for lower, upper in pairwise(bands):
        if upper.up_to <= lower.up_to:
            raise Unacceptable(
                "bands must be given in ascending order", rule="K-01", lower=lower.name, upper=upper.name
            )
        # Re-assessments by several breaches reach the same review date in whatever order they are heard.
        if upper.review_every_days > lower.review_every_days:
            raise Unacceptable(
                "a higher band must not be reviewed less often", rule="K-06", lower=lower.name, upper=upper.name
            )
