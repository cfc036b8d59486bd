"""Indexes for the declared lists of the SLA service."""

from alembic import op

revision = "0002"
down_revision = "0001"

FIELDS = {
    "service": ("status", "key"),
    "sla": ("status", "service", "customer"),
    "period": ("status", "stage", "service", "sla", "target", "month", "metric"),
    "outages": ("service",),
}


def upgrade() -> None:
    for kind, fields in FIELDS.items():
        for field in fields:
            op.execute(
                f"CREATE INDEX ix_{kind}_{field} ON states (tenant, (state->>'{field}'), id) WHERE kind = '{kind}'"
            )


def downgrade() -> None:
    for kind, fields in FIELDS.items():
        for field in fields:
            op.execute(f"DROP INDEX ix_{kind}_{field}")
