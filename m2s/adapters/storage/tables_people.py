"""Which tables hold who is met? Shoppers, their devices, and what they consent to; consents are ledger rows."""

import sqlalchemy as sa

from m2s.adapters.storage.tables import SEQ, Instant, metadata

shoppers = sa.Table(
    "shoppers",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("phone", sa.Text),
    sa.Column("country", sa.Text),
    sa.Column("created_at", Instant, nullable=False),
    sa.Index("ix_shoppers_phone", "phone", sqlite_where=sa.text("phone IS NOT NULL")),
)

devices = sa.Table(
    "devices",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("shopper_id", sa.Text, nullable=False, index=True),
    sa.Column("token_hash", sa.LargeBinary, nullable=False, unique=True),
    sa.Column("platform", sa.Text),
    sa.Column("push_token", sa.Text),
    sa.Column("push_token_at", Instant),
    sa.Column("language", sa.Text),
    sa.Column("timezone", sa.Text),
    sa.Column("os_permissions", sa.Text),
    sa.Column("registered_at", Instant, nullable=False),
    sa.Column("updated_at", Instant, nullable=False),
    sa.Column("clock_offset_ms", sa.BigInteger),
)

consents = sa.Table(
    "consents",
    metadata,
    sa.Column("seq", SEQ, primary_key=True, autoincrement=True),
    sa.Column("shopper_id", sa.Text, nullable=False, index=True),
    sa.Column("device_id", sa.Text),
    sa.Column("source", sa.Text),
    sa.Column("purpose", sa.Text, nullable=False),
    sa.Column("channel", sa.Text),
    sa.Column("granted", sa.Boolean, nullable=False),
    sa.Column("text_version", sa.Text, nullable=False),
    sa.Column("at", Instant, nullable=False),
    sa.Column("received_at", Instant, nullable=False),
)
