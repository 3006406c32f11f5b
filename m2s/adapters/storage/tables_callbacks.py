"""Which tables hold what SMS providers tell us? Receipts, replies that were heard, and numbers that want no more.

None of them holds a phone number or a reply's text: a number is kept as the keyed digest that pivot ids have.
"""

import sqlalchemy as sa

from m2s.adapters.storage.tables import Instant, metadata

receipts = sa.Table(
    "receipts",
    metadata,
    sa.Column("provider_id", sa.Text, primary_key=True),
    sa.Column("provider", sa.Text, primary_key=True),
    sa.Column("part", sa.Integer, primary_key=True),
    sa.Column("status", sa.Text, primary_key=True),
    sa.Column("parts", sa.Integer, nullable=False),
    sa.Column("state", sa.Text),
    sa.Column("received_at", Instant, nullable=False, index=True),
    sqlite_with_rowid=False,
)

replies = sa.Table(
    "replies",
    metadata,
    sa.Column("provider", sa.Text, primary_key=True),
    sa.Column("reply_id", sa.Text, primary_key=True),
    sa.Column("received_at", Instant, nullable=False, index=True),
    sqlite_with_rowid=False,
)

oppositions = sa.Table(
    "oppositions",
    metadata,
    sa.Column("channel", sa.Text, primary_key=True),
    sa.Column("digest", sa.Text, primary_key=True),
    sa.Column("at", Instant, nullable=False),
    sqlite_with_rowid=False,
)
