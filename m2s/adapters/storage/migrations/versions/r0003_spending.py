"""What campaigns have used up: counters of sends, and when paced offers were sent where.

Revision: 0003
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision: str | None = "0002"


def upgrade() -> None:
    """Adds the tables."""
    op.create_table(
        "spent",
        sa.Column("campaign_id", sa.Text(), nullable=False),
        sa.Column("offer_id", sa.Text(), nullable=False),
        sa.Column("store_id", sa.Text(), nullable=False),
        sa.Column("messages", sa.Integer(), nullable=False),
        sa.Column("cost_micro", sa.BigInteger(), nullable=False),
        sa.Column("coupons", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("campaign_id", "offer_id", "store_id", name="pk_spent"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "paced",
        sa.Column("campaign_id", sa.Text(), nullable=False),
        sa.Column("offer_id", sa.Text(), nullable=False),
        sa.Column("store_id", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("decision_id", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("campaign_id", "offer_id", "store_id", "at", "decision_id", name="pk_paced"),
        sqlite_with_rowid=False,
    )
