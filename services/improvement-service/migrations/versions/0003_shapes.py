"""By what each kind was listed, and the function that folds rows anew in place."""

from alembic import op

from events.store.schema import upgrade_core_to_0002

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    upgrade_core_to_0002(op.get_bind())
