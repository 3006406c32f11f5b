"""What SMS providers tell us: receipts by part, replies that were heard, and numbers that want no more messages.

Revision: 0005
"""

import secrets

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision: str | None = "0004"


def upgrade() -> None:
    """Adds the tables, how many parts an attempt has, and the key of digests where there is none yet."""
    op.create_table(
        "receipts",
        sa.Column("provider_id", sa.Text(), nullable=False),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("part", sa.Integer(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("parts", sa.Integer(), nullable=False),
        sa.Column("state", sa.Text(), nullable=True),
        sa.Column("received_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("provider_id", "provider", "part", "status", name="pk_receipts"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_receipts_received_at", "receipts", ["received_at"])
    op.create_table(
        "replies",
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("reply_id", sa.Text(), nullable=False),
        sa.Column("received_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("provider", "reply_id", name="pk_replies"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_replies_received_at", "replies", ["received_at"])
    op.create_table(
        "oppositions",
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("channel", "digest", name="pk_oppositions"),
        sqlite_with_rowid=False,
    )
    op.add_column("attempts", sa.Column("parts", sa.Integer(), nullable=True))
    op.create_index(
        "ix_attempts_provider_id",
        "attempts",
        ["provider_id"],
        sqlite_where=sa.text("channel = 'sms' AND provider_id IS NOT NULL"),
    )
    meta = sa.table("meta", sa.column("key", sa.Text), sa.column("value", sa.Text))
    if op.get_bind().scalar(sa.select(meta.c.value).where(meta.c.key == "pivot_key")) is None:
        op.bulk_insert(meta, [{"key": "pivot_key", "value": secrets.token_hex(32)}])
