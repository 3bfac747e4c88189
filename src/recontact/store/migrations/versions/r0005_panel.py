"""The control panel: staff, sessions, set-up links, saved views, and a site's follow-up types."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

# The queue's: what they replace is followed by what else the queue filters and sorts by.
DAYS = "customer_log_by_site_status_follow_up_day"
INSTANTS = "customer_log_by_site_status_follow_up_at"
UPDATED = "customer_log_by_site_date_updated"
OPEN = "customer_log_open_by_site_username_folded"
FILTERED = ["allocated_to_folded", "follow_up_type_folded"]
IS_INSTANT = sa.text("follow_up_at IS NOT NULL")
HAS_NEXT_STEP = sa.text(
    "status <> 'Completed' AND (follow_up_day IS NOT NULL OR follow_up_at IS NOT NULL)"
)
STATISTICS = {
    DAYS: "1000000 1000000 300000 300 100 1",
    UPDATED: "1000000 1000000 100 1",
    OPEN: "100000 100000 5",
}
STATISTICS_BEFORE = {
    DAYS: "1000000 1000000 300000 300",
    INSTANTS: "300000 300000 100000 100",
    UPDATED: "1000000 1000000 100",
}


def index(name: str, columns: list[str], where: sa.TextClause | None = None) -> None:
    op.create_index(name, "customer_log", columns, sqlite_where=where, postgresql_where=where)


def write_statistics(statistics: dict[str, str]) -> None:
    if op.get_context().dialect.name == "sqlite":
        for name, rows in statistics.items():
            op.execute(f"INSERT INTO sqlite_stat1 VALUES ('customer_log', '{name}', '{rows}')")  # noqa: S608  # ours


def upgrade() -> None:
    for name in (DAYS, INSTANTS, UPDATED):
        op.drop_index(name, "customer_log")  # and its statistics
    days = ["site", "status", "follow_up_day", "follow_up_at", "log_id"]
    index(DAYS, [*days, *FILTERED, "customer_name_folded"])
    index(UPDATED, ["site", "date_updated", "log_id", "status", *FILTERED])
    index(OPEN, ["site", "username_folded"], HAS_NEXT_STEP)
    write_statistics(STATISTICS)
    types = sa.Column(
        "follow_up_types", sa.Text(), nullable=False, server_default="Phone\nEmail\nSMS\nVisit"
    )
    op.add_column("site", types)
    op.create_table(
        "staff",
        sa.Column("staff_id", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("site", sa.Integer(), sa.ForeignKey("site.site"), nullable=False),
        sa.Column("username", sa.Text(), nullable=False),
        sa.Column("username_folded", sa.Text(), nullable=False),
        sa.Column("role", sa.String(10), nullable=False),
        sa.Column("password", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("revoked_at", sa.BigInteger(), nullable=True),
        sa.Column("last_login_at", sa.BigInteger(), nullable=True),
        sa.UniqueConstraint("site", "username_folded", name="staff_site"),
    )
    op.create_table(
        "session",
        sa.Column("digest", sa.LargeBinary(32), primary_key=True),
        sa.Column("staff_id", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("seen_at", sa.BigInteger(), nullable=False),
        sa.Column("address", sa.String(64), nullable=False),
        sa.Column("agent", sa.Text(), nullable=False),
        sa.Column("kept_path", sa.Text(), nullable=True),
        sa.Column("kept", sa.Text(), nullable=True),
        sqlite_with_rowid=False,
    )
    op.create_index("session_by_staff_id", "session", ["staff_id"])
    op.create_table(
        "setup",
        sa.Column("site", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("digest", sa.LargeBinary(32), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.UniqueConstraint("digest", name="setup_digest"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "saved_view",
        sa.Column("site", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("staff_id", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("name", sa.Text(), primary_key=True),
        sa.Column("address", sa.Text(), nullable=False),
        sqlite_with_rowid=False,
    )


def downgrade() -> None:
    for table in ("saved_view", "setup", "session", "staff"):
        op.drop_table(table)
    op.drop_column("site", "follow_up_types")
    for name in (OPEN, UPDATED, DAYS):
        op.drop_index(name, "customer_log")
    index(DAYS, ["site", "status", "follow_up_day"])
    index(INSTANTS, ["site", "status", "follow_up_at"], IS_INSTANT)
    index(UPDATED, ["site", "date_updated"])
    write_statistics(STATISTICS_BEFORE)
