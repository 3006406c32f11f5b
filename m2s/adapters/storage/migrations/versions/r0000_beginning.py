"""The tables of what is published and of who is met, of the first release: stores, campaigns, shoppers, devices.

Revision: 0000
"""

import sqlalchemy as sa
from alembic import op

revision = "0000"
down_revision: str | None = None


def upgrade() -> None:
    """Adds the tables."""
    _catalog()
    _people()


def _catalog() -> None:
    op.create_table(
        "campaign_versions",
        sa.Column("campaign_id", sa.Text(), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("yaml", sa.Text(), nullable=False),
        sa.Column("applied_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("campaign_id", "version", name="pk_campaign_versions"),
    )
    op.create_table(
        "campaigns",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("salt", sa.Text(), nullable=False),
        sa.Column("yaml", sa.Text(), nullable=False),
        sa.Column("applied_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_campaigns"),
    )
    op.create_table(
        "meta",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("key", name="pk_meta"),
    )
    op.create_table(
        "stores",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("feature", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_stores"),
    )
    op.create_index("ix_stores_version", "stores", ["version"])


def _people() -> None:
    op.create_table(
        "consents",
        sa.Column("seq", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("shopper_id", sa.Text(), nullable=False),
        sa.Column("device_id", sa.Text()),
        sa.Column("source", sa.Text()),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("channel", sa.Text()),
        sa.Column("granted", sa.Boolean(), nullable=False),
        sa.Column("text_version", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("received_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("seq", name="pk_consents"),
    )
    op.create_index("ix_consents_shopper_id", "consents", ["shopper_id"])
    op.create_table(
        "devices",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("shopper_id", sa.Text(), nullable=False),
        sa.Column("token_hash", sa.LargeBinary(), nullable=False),
        sa.Column("platform", sa.Text()),
        sa.Column("push_token", sa.Text()),
        sa.Column("push_token_at", sa.BigInteger()),
        sa.Column("language", sa.Text()),
        sa.Column("timezone", sa.Text()),
        sa.Column("os_permissions", sa.Text()),
        sa.Column("registered_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.Column("clock_offset_ms", sa.BigInteger()),
        sa.PrimaryKeyConstraint("id", name="pk_devices"),
        sa.UniqueConstraint("token_hash", name="uq_devices_token_hash"),
    )
    op.create_index("ix_devices_shopper_id", "devices", ["shopper_id"])
    op.create_table(
        "shoppers",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("phone", sa.Text()),
        sa.Column("country", sa.Text()),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_shoppers"),
    )
    op.create_index("ix_shoppers_phone", "shoppers", ["phone"], sqlite_where=sa.text("phone IS NOT NULL"))
