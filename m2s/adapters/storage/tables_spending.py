"""Which tables hold what campaigns have used up? Counters of sends, and when the paced offers were sent where.

A `store_id` or `offer_id` that is empty stands for all of them. Costs are in millionths of the campaign's currency.
"""

import sqlalchemy as sa

from m2s.adapters.storage.tables import Instant, metadata

spent = sa.Table(
    "spent",
    metadata,
    sa.Column("campaign_id", sa.Text, primary_key=True),
    sa.Column("offer_id", sa.Text, primary_key=True),
    sa.Column("store_id", sa.Text, primary_key=True),
    sa.Column("messages", sa.Integer, nullable=False),
    sa.Column("cost_micro", sa.BigInteger, nullable=False),
    sa.Column("coupons", sa.Integer, nullable=False),
    sqlite_with_rowid=False,
)

paced = sa.Table(
    "paced",
    metadata,
    sa.Column("campaign_id", sa.Text, primary_key=True),
    sa.Column("offer_id", sa.Text, primary_key=True),
    sa.Column("store_id", sa.Text, primary_key=True),
    sa.Column("at", Instant, primary_key=True),
    sa.Column("decision_id", sa.Text, primary_key=True),
    sqlite_with_rowid=False,
)
