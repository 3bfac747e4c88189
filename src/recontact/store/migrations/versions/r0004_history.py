"""Who made a change without a key, which request made which change, and keys of idempotency."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

REVISIONS = ("revision", "customer_revision")


def upgrade() -> None:
    for table in REVISIONS:
        op.add_column(table, sa.Column("who", sa.Text(), nullable=True))
        op.create_index(f"{table}_by_site_request_key_id", table, ["site", "request", "key_id"])
    op.add_column("journal", sa.Column("mode", sa.String(40), nullable=True))
    op.add_column("journal", sa.Column("who", sa.Text(), nullable=True))
    op.create_table(
        "idempotency",
        sa.Column("site", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("key_id", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("idempotency_key", sa.Text(), primary_key=True),
        sa.Column("fingerprint", sa.LargeBinary(32), nullable=False),
        sa.Column("request", sa.LargeBinary(16), nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_index("idempotency_by_site_request", "idempotency", ["site", "request"])


def downgrade() -> None:
    op.drop_table("idempotency")
    op.drop_column("journal", "who")
    op.drop_column("journal", "mode")
    for table in REVISIONS:
        op.drop_index(f"{table}_by_site_request_key_id", table)
        op.drop_column(table, "who")
