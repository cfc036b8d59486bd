"""Indexes for the declared lists of the audit service."""

from alembic import op

revision = "0002"
down_revision = "0001"

FILTERS = {
    "role-holder": ("person",),
    "audit": ("status",),
    "finding": ("status", "grade", "audit", "service", "clause"),
    "follow-up-item": ("status", "service"),
}


def upgrade() -> None:
    for kind, fields in FILTERS.items():
        for field in fields:
            name = f"ix_{kind}_{field}".replace("-", "_")
            op.execute(f"CREATE INDEX {name} ON states (tenant, (state->>'{field}'), id) WHERE kind = '{kind}'")


def downgrade() -> None:
    for kind, fields in FILTERS.items():
        for field in fields:
            op.execute(f"DROP INDEX ix_{kind}_{field}".replace("-", "_"))
