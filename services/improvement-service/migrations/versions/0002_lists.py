"""One index for each filter and sort key that the lists of this service declare."""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

INDEXES = {
    "ix_action_status": ("corrective-action", "status"),
    "ix_action_priority": ("corrective-action", "priority"),
    "ix_action_owner": ("corrective-action", "owner"),
    "ix_action_owner_role": ("corrective-action", "owner_role"),
    "ix_action_service": ("corrective-action", "service"),
    "ix_action_clause": ("corrective-action", "clause"),
    "ix_action_number": ("corrective-action", "number"),
    "ix_action_due": ("corrective-action", "due"),
    "ix_measure_measure": ("measure", "measure"),
    "ix_measure_subject": ("measure", "subject"),
    "ix_known_duty_person": ("known-duty", "person"),
    "ix_role_roster_role": ("role-roster", "role"),
}


def upgrade() -> None:
    for name, (kind, field) in INDEXES.items():
        op.execute(f"CREATE INDEX {name} ON states (tenant, (state->>'{field}'), id) WHERE kind = '{kind}'")


def downgrade() -> None:
    for name in INDEXES:
        op.execute(f"DROP INDEX {name}")
