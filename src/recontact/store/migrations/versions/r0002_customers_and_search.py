"""Customers and their revisions, the search of logs, and the dialect of a site."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


# What the planner is to think of a shop that has grown, whatever this one is: how many rows, and
# how many for each value of the first column of the index, the first two, … Without, SQLite takes
# a site for a few rows, and reads all of it to find one customer's logs (120 ms of a million).
STATISTICS = {
    "customer_log": {
        "customer_log": "1000000 1000000 1",
        "customer_log_by_site_allocated_to_folded_log_id": "1000000 1000000 20000 1",
        "customer_log_by_site_status_log_id": "1000000 1000000 300000 1",
        "customer_log_by_site_follow_up_type_folded_log_id": "1000000 1000000 100000 1",
        "customer_log_by_site_username_folded_log_id": "1000000 1000000 50 1",
        "customer_log_by_site_customer_name_folded_log_id": "1000000 1000000 50 1",
        "customer_log_by_site_date_added": "1000000 1000000 100",
        "customer_log_by_site_date_updated": "1000000 1000000 100",
        "customer_log_by_site_last_contacted": "1000000 1000000 100",
        "customer_log_by_site_status_follow_up_day": "1000000 1000000 300000 300",
        "customer_log_by_site_status_follow_up_at": "300000 300000 100000 100",
    },
    "customer": {
        "customer": "100000 100000 1",
        "customer_by_site_customer_id": "100000 100000 1",
        "customer_by_site_email_address_folded_customer_id": "100000 100000 2 1",
        "customer_by_site_date_added": "100000 100000 100",
        "customer_by_site_date_updated": "100000 100000 100",
    },
    "search_pending": {"search_pending": "500 500 1"},
}


def upgrade() -> None:
    op.add_column(
        "site",
        sa.Column("dialect", sa.String(length=12), server_default="documented", nullable=False),
    )
    op.add_column(
        "site",
        sa.Column("next_customer_id", sa.BigInteger(), server_default=sa.text("1"), nullable=False),
    )
    op.create_table(
        "customer",
        sa.Column("site", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("username_folded", sa.Text(), nullable=False),
        sa.Column("customer_id", sa.BigInteger(), nullable=False),
        sa.Column("username", sa.Text(), nullable=False),
        sa.Column("details", sa.Text(), nullable=False),
        sa.Column("type", sa.Text(), nullable=True),
        sa.Column("active", sa.SmallInteger(), nullable=False),
        sa.Column("on_credit_hold", sa.SmallInteger(), nullable=False),
        sa.Column("newsletter_subscriber", sa.SmallInteger(), nullable=False),
        sa.Column("email_address_folded", sa.Text(), nullable=True),
        sa.Column("bill_company_folded", sa.Text(), nullable=True),
        sa.Column("bill_state_folded", sa.Text(), nullable=True),
        sa.Column("user_group_folded", sa.Text(), nullable=True),
        sa.Column("date_added", sa.BigInteger(), nullable=False),
        sa.Column("date_updated", sa.BigInteger(), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("site", "username_folded"),
        sqlite_with_rowid=False,
    )
    op.create_index(
        "customer_by_site_customer_id", "customer", ["site", "customer_id"], unique=True
    )
    op.create_index(
        "customer_by_site_email_address_folded_customer_id",
        "customer",
        ["site", "email_address_folded", "customer_id"],
    )
    op.create_index("customer_by_site_date_added", "customer", ["site", "date_added"])
    op.create_index("customer_by_site_date_updated", "customer", ["site", "date_updated"])
    op.create_table(
        "customer_revision",
        sa.Column("site", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("customer_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("key_id", sa.Integer(), nullable=True),
        sa.Column("request", sa.LargeBinary(length=16), nullable=False),
        sa.Column("changes", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("site", "customer_id", "number"),
        sqlite_with_rowid=False,
    )
    op.create_index(
        "customer_log_by_site_username_folded_log_id",
        "customer_log",
        ["site", "username_folded", "log_id"],
    )
    op.create_index(
        "customer_log_by_site_customer_name_folded_log_id",
        "customer_log",
        ["site", "customer_name_folded", "log_id"],
    )
    op.create_index(
        "customer_log_by_site_follow_up_type_folded_log_id",
        "customer_log",
        ["site", "follow_up_type_folded", "log_id"],
    )
    for column, where in (("follow_up_day", None), ("follow_up_at", "follow_up_at IS NOT NULL")):
        op.drop_index(f"customer_log_by_site_{column}", table_name="customer_log")
        op.create_index(
            f"customer_log_by_site_status_{column}",
            "customer_log",
            ["site", "status", column],
            sqlite_where=where and sa.text(where),
            postgresql_where=where and sa.text(where),
        )
    for column in ("date_added", "last_contacted"):
        op.create_index(f"customer_log_by_site_{column}", "customer_log", ["site", column])
    op.create_table(
        "search_pending",
        sa.Column("site", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("log_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("was", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("site", "log_id"),
        sqlite_with_rowid=False,
    )
    # The index has seen no log yet; a search looks through those noted.
    op.execute("INSERT INTO search_pending (site, log_id) SELECT site, log_id FROM customer_log")
    op.create_table(
        "search_index",
        sa.Column("made_by", sa.String(length=60), nullable=False),
        sa.PrimaryKeyConstraint("made_by"),
    )
    if op.get_context().dialect.name == "sqlite":
        op.execute(
            "CREATE VIRTUAL TABLE log_search USING fts5"
            "(words, content='', detail=none, columnsize=0, tokenize='ascii', prefix='1 2 3')"
        )
        op.execute("ANALYZE search_index")  # makes the table of the statistics
        op.execute("DELETE FROM sqlite_stat1")
        for table, indexes in STATISTICS.items():
            for index, rows in indexes.items():
                op.execute(f"INSERT INTO sqlite_stat1 VALUES ('{table}', '{index}', '{rows}')")  # noqa: S608  # ours


def downgrade() -> None:
    if op.get_context().dialect.name == "sqlite":
        op.execute("DROP TABLE log_search")
    op.drop_table("search_index")
    op.drop_table("search_pending")
    for column in ("date_added", "last_contacted"):
        op.drop_index(f"customer_log_by_site_{column}", table_name="customer_log")
    for column in ("follow_up_day", "follow_up_at"):
        op.drop_index(f"customer_log_by_site_status_{column}", table_name="customer_log")
        op.create_index(f"customer_log_by_site_{column}", "customer_log", ["site", column])
    op.drop_index("customer_log_by_site_follow_up_type_folded_log_id", table_name="customer_log")
    op.drop_index("customer_log_by_site_customer_name_folded_log_id", table_name="customer_log")
    op.drop_index("customer_log_by_site_username_folded_log_id", table_name="customer_log")
    op.drop_table("customer_revision")
    op.drop_table("customer")
    op.drop_column("site", "next_customer_id")
    op.drop_column("site", "dialect")
