"""The index by which rows of an older shape are found."""

from chassis.migrations import build_index
from events.store.schema import SHAPES_INDEX

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    build_index(*SHAPES_INDEX)
