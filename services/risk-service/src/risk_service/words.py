"""The words that all of the risk service shares: steps of scales, levels, and why a risk is looked at again."""

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from events.words import Line

TOP = 5
"""Both scales have five steps."""
HIGHEST = TOP * TOP

Step = Annotated[int, Field(ge=1, le=TOP)]
"""A step of the likelihood or of the impact scale."""
Level = Annotated[int, Field(ge=1, le=HIGHEST)]
"""Likelihood times impact."""
Scale = Annotated[tuple[Line, ...], Field(min_length=TOP, max_length=TOP)]
"""The labels of the five steps, lowest first."""
ReviewInterval = Annotated[int, Field(ge=1, le=3660)]
BreachesPerStep = Annotated[int, Field(ge=1, le=100)]


class Trigger(StrEnum):
    """Why a risk is assessed or reviewed (K-06)."""

    FIRST = "first-assessment"
    DECISION = "decision"
    REVIEW_DATE = "review-date"
    BREACH = "sla-breach"
    MAJOR_FINDING = "major-finding"
    ACTION_INEFFECTIVE = "action-ineffective"
    ACTION_CLOSED = "action-closed"
    TREATMENT = "treatment-evaluated"
    REOPENED = "risk-reopened"
