"""Indexes for the declared lists of the risk service, and for the duties that it knows."""

from alembic import op

revision = "0002"
down_revision = "0001"

LISTED = {
    "risk": ("status", "owner", "level", "service", "reference", "review_due", "rank", "next_review"),
    "service-risks": ("service",),
    "known-duty": ("person",),
    "role-roster": ("role",),
}


def upgrade() -> None:
    for kind, fields in LISTED.items():
        for field in fields:
            name = f"ix_{kind}_{field}".replace("-", "_")
            op.execute(f"CREATE INDEX {name} ON states (tenant, (state->>'{field}'), id) WHERE kind = '{kind}'")


def downgrade() -> None:
    for kind, fields in LISTED.items():
        for field in fields:
            op.execute(f"DROP INDEX ix_{kind}_{field}".replace("-", "_"))
