"""What the retailer knows of shoppers: pivot ids, its own base, baskets, research, and merged shoppers.

Revision: 0002
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision: str | None = "0001"


def upgrade() -> None:
    """Adds the tables."""
    _identities()
    _purchases()
    _research()


def _identities() -> None:
    op.create_table(
        "pivots",
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("shopper_id", sa.Text(), nullable=False),
        sa.Column("vouched", sa.Boolean(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("kind", "value", name="pk_pivots"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_pivots_shopper_id", "pivots", ["shopper_id"])
    op.create_table(
        "merges",
        sa.Column("shopper_id", sa.Text(), nullable=False),
        sa.Column("into_id", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("shopper_id", name="pk_merges"),
    )
    op.create_index("ix_merges_into_id", "merges", ["into_id"])
    op.create_table(
        "crossings",
        sa.Column("shopper_id", sa.Text(), nullable=False),
        sa.Column("experiment", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("shopper_id", "experiment", name="pk_crossings"),
    )


def _purchases() -> None:
    op.create_table(
        "customers",
        sa.Column("shopper_id", sa.Text(), nullable=False),
        sa.Column("since", sa.BigInteger()),
        sa.Column("last_purchase_at", sa.BigInteger()),
        sa.Column("imported_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("shopper_id", name="pk_customers"),
    )
    op.create_table(
        "purchases",
        sa.Column("store_id", sa.Text(), nullable=False),
        sa.Column("purchase_id", sa.Text(), nullable=False),
        sa.Column("shopper_id", sa.Text()),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("amount", sa.Text(), nullable=False),
        sa.Column("discount", sa.Text(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("basket_id", sa.Text()),
        sa.Column("coupon_code", sa.Text()),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("received_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("store_id", "purchase_id", name="pk_purchases"),
    )
    op.create_index(
        "ix_purchases_shopper_at",
        "purchases",
        ["shopper_id", "at"],
        sqlite_where=sa.text("shopper_id IS NOT NULL"),
    )


def _research() -> None:
    op.create_table(
        "research",
        sa.Column("sender", sa.Text(), nullable=False),
        sa.Column("research_id", sa.Text(), nullable=False),
        sa.Column("shopper_id", sa.Text(), nullable=False),
        sa.Column("topic", sa.Text(), nullable=False),
        sa.Column("store_id", sa.Text()),
        sa.Column("product", sa.Text()),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("received_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("sender", "research_id", name="pk_research"),
    )
    op.create_index("ix_research_shopper_at", "research", ["shopper_id", "at"])
    op.create_index("ix_research_at", "research", ["at"])
