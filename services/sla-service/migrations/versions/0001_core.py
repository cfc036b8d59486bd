"""The core tables that every service has."""

from alembic import op

from events.store.schema import create_core

revision = "0001"
down_revision = None


def upgrade() -> None:
    create_core(op.get_bind())
