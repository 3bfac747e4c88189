"""The words of a log that the index of the search has yet to see, beside the note of it."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.add_column("search_pending", sa.Column("words", sa.Text(), nullable=True))


def downgrade() -> None:
    op.drop_column("search_pending", "words")
