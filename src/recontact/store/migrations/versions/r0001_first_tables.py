"""The first tables: sites, keys, logs, revisions, journal and bodies."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "customer_log",
        sa.Column("site", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("log_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("allocated_to", sa.Text(), nullable=True),
        sa.Column("allocated_to_folded", sa.Text(), nullable=True),
        sa.Column("follow_up_type", sa.Text(), nullable=True),
        sa.Column("follow_up_type_folded", sa.Text(), nullable=True),
        sa.Column("username", sa.Text(), nullable=True),
        sa.Column("username_folded", sa.Text(), nullable=True),
        sa.Column("customer_name", sa.Text(), nullable=True),
        sa.Column("customer_name_folded", sa.Text(), nullable=True),
        sa.Column("last_contacted", sa.BigInteger(), nullable=True),
        sa.Column("follow_up_day", sa.String(length=10), nullable=True),
        sa.Column("follow_up_at", sa.BigInteger(), nullable=True),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("notes", sa.Text(), nullable=True),
        sa.Column("date_added", sa.BigInteger(), nullable=False),
        sa.Column("date_updated", sa.BigInteger(), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("site", "log_id"),
        sqlite_with_rowid=False,
    )
    op.create_index(
        "customer_log_by_site_allocated_to_folded_log_id",
        "customer_log",
        ["site", "allocated_to_folded", "log_id"],
    )
    op.create_index("customer_log_by_site_date_updated", "customer_log", ["site", "date_updated"])
    op.create_index("customer_log_by_site_follow_up_at", "customer_log", ["site", "follow_up_at"])
    op.create_index("customer_log_by_site_follow_up_day", "customer_log", ["site", "follow_up_day"])
    op.create_index(
        "customer_log_by_site_status_log_id", "customer_log", ["site", "status", "log_id"]
    )
    op.create_table(
        "journal",
        sa.Column("site", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("request", sa.LargeBinary(length=16), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("key_id", sa.Integer(), nullable=False),
        sa.Column("action", sa.String(length=40), nullable=False),
        sa.Column("format", sa.String(length=10), nullable=False),
        sa.Column("address", sa.String(length=64), nullable=False),
        sa.Column("http_status", sa.SmallInteger(), nullable=False),
        sa.Column("ack", sa.String(length=10), nullable=False),
        sa.Column("items", sa.Integer(), nullable=False),
        sa.Column("errors", sa.Integer(), nullable=False),
        sa.Column("warnings", sa.Integer(), nullable=False),
        sa.Column("changed", sa.Integer(), nullable=False),
        sa.Column("duration_us", sa.BigInteger(), nullable=False),
        sa.Column("passed_over", sa.Text(), nullable=True),
        sa.Column("request_length", sa.BigInteger(), nullable=False),
        sa.Column("request_hash", sa.LargeBinary(length=32), nullable=True),
        sa.PrimaryKeyConstraint("site", "request"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "journal_body",
        sa.Column("site", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("request", sa.LargeBinary(length=16), nullable=False),
        sa.Column("packed", sa.SmallInteger(), nullable=False),
        sa.Column("request_body", sa.LargeBinary(), nullable=True),
        sa.Column("answer_body", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("site", "request"),
    )
    op.create_table(
        "revision",
        sa.Column("site", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("log_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("key_id", sa.Integer(), nullable=True),
        sa.Column("request", sa.LargeBinary(length=16), nullable=False),
        sa.Column("changes", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("site", "log_id", "number"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "site",
        sa.Column("site", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("zone", sa.String(length=64), nullable=False),
        sa.Column("cors_origins", sa.Text(), server_default="", nullable=False),
        sa.Column("next_log_id", sa.BigInteger(), server_default=sa.text("1"), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("site"),
    )
    op.create_table(
        "key",
        sa.Column("key_id", sa.Integer(), nullable=False),
        sa.Column("site", sa.Integer(), nullable=False),
        sa.Column("digest", sa.LargeBinary(length=32), nullable=False),
        sa.Column("hint", sa.String(length=16), nullable=False),
        sa.Column("username", sa.Text(), nullable=True),
        sa.Column("may", sa.String(length=20), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=True),
        sa.Column("revoked_at", sa.BigInteger(), nullable=True),
        sa.Column("last_used_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["site"],
            ["site.site"],
        ),
        sa.PrimaryKeyConstraint("key_id"),
        sa.UniqueConstraint("digest", name="key_digest"),
    )


def downgrade() -> None:
    op.drop_table("key")
    op.drop_table("site")
    op.drop_table("revision")
    op.drop_table("journal_body")
    op.drop_table("journal")
    op.drop_index("customer_log_by_site_status_log_id", table_name="customer_log")
    op.drop_index("customer_log_by_site_follow_up_day", table_name="customer_log")
    op.drop_index("customer_log_by_site_follow_up_at", table_name="customer_log")
    op.drop_index("customer_log_by_site_date_updated", table_name="customer_log")
    op.drop_index("customer_log_by_site_allocated_to_folded_log_id", table_name="customer_log")
    op.drop_table("customer_log")
