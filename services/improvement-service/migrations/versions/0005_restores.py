"""What is remembered when an older database is restored."""

from alembic import op

from events.store.schema import upgrade_core_to_0003

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    upgrade_core_to_0003(op.get_bind())
