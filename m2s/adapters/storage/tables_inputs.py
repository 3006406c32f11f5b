"""Which tables hold what the retailer knows of shoppers? Pivot ids, the base, baskets, research, and merged shoppers.

Amounts are decimal text in `currency`. Nothing here holds a phone number or an e-mail address, only keyed digests.
"""

import sqlalchemy as sa

from m2s.adapters.storage.tables import Instant, metadata

pivots = sa.Table(
    "pivots",
    metadata,
    sa.Column("kind", sa.Text, primary_key=True),
    sa.Column("value", sa.Text, primary_key=True),
    sa.Column("shopper_id", sa.Text, nullable=False, index=True),
    sa.Column("vouched", sa.Boolean, nullable=False),
    sa.Column("source", sa.Text, nullable=False),
    sa.Column("at", Instant, nullable=False),
    sqlite_with_rowid=False,
)

merges = sa.Table(
    "merges",
    metadata,
    sa.Column("shopper_id", sa.Text, primary_key=True),
    sa.Column("into_id", sa.Text, nullable=False, index=True),
    sa.Column("source", sa.Text, nullable=False),
    sa.Column("at", Instant, nullable=False),
)

crossings = sa.Table(
    "crossings",
    metadata,
    sa.Column("shopper_id", sa.Text, primary_key=True),
    sa.Column("experiment", sa.Text, primary_key=True),
    sa.Column("at", Instant, nullable=False),
)

customers = sa.Table(
    "customers",
    metadata,
    sa.Column("shopper_id", sa.Text, primary_key=True),
    sa.Column("since", Instant),
    sa.Column("last_purchase_at", Instant),
    sa.Column("imported_at", Instant, nullable=False),
)

purchases = sa.Table(
    "purchases",
    metadata,
    sa.Column("store_id", sa.Text, primary_key=True),
    sa.Column("purchase_id", sa.Text, primary_key=True),
    sa.Column("shopper_id", sa.Text),
    sa.Column("at", Instant, nullable=False),
    sa.Column("amount", sa.Text, nullable=False),
    sa.Column("discount", sa.Text, nullable=False),
    sa.Column("currency", sa.Text, nullable=False),
    sa.Column("basket_id", sa.Text),
    sa.Column("coupon_code", sa.Text),
    sa.Column("source", sa.Text, nullable=False),
    sa.Column("received_at", Instant, nullable=False),
    sa.Index("ix_purchases_shopper_at", "shopper_id", "at", sqlite_where=sa.text("shopper_id IS NOT NULL")),
)

research = sa.Table(
    "research",
    metadata,
    sa.Column("sender", sa.Text, primary_key=True),
    sa.Column("research_id", sa.Text, primary_key=True),
    sa.Column("shopper_id", sa.Text, nullable=False),
    sa.Column("topic", sa.Text, nullable=False),
    sa.Column("store_id", sa.Text),
    sa.Column("product", sa.Text),
    sa.Column("at", Instant, nullable=False),
    sa.Column("received_at", Instant, nullable=False),
    sa.Index("ix_research_shopper_at", "shopper_id", "at"),
    sa.Index("ix_research_at", "at"),
)
