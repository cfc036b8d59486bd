"""The indexes by which lights are listed."""

from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    for name in ("status", "room", "installed_on"):
        op.execute(f"CREATE INDEX ix_light_{name} ON states (tenant, (state->>'{name}'), id) WHERE kind = 'light'")
