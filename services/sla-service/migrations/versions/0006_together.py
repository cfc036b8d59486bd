"""Commands that belong together, of which all are appended or none."""

from alembic import op

from events.store.schema import upgrade_core_to_0004

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    upgrade_core_to_0004(op.get_bind())
