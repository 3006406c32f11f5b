"""The tables of what happens, of the first release: sightings, visits, decisions, messages, coupons; and of access.

Revision: 0001
"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision: str | None = "0000"

_SEQ = sa.Integer()
_WAITING = sa.text("state IN ('planned', 'claimed', 'sending', 'unknown')")
_PLANNED = sa.text("state = 'planned'")
_OPEN = sa.text("status = 'open'")


def upgrade() -> None:
    """Adds the tables."""
    _access()
    _evidence()
    _presence()
    _sightings()
    _visits()
    _regulars()
    _decisions()
    _attempts()
    _coupons()
    _messages()
    _redemptions()
    _dead_letters()


def _access() -> None:
    op.create_table(
        "idempotency",
        sa.Column("key_id", sa.Text(), nullable=False),
        sa.Column("idempotency_key", sa.Text(), nullable=False),
        sa.Column("body_hash", sa.LargeBinary(), nullable=False),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.Column("answer", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("key_id", "idempotency_key", name="pk_idempotency"),
    )
    op.create_table(
        "keys",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("store_id", sa.Text()),
        sa.Column("secret_hash", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("revoked_at", sa.BigInteger()),
        sa.PrimaryKeyConstraint("id", name="pk_keys"),
        sa.UniqueConstraint("secret_hash", name="uq_keys_secret_hash"),
    )
    op.create_table(
        "ticks",
        sa.Column("job", sa.Text(), nullable=False),
        sa.Column("due", sa.BigInteger(), nullable=False),
        sa.Column("claimed_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("job", "due", name="pk_ticks"),
    )


def _evidence() -> None:
    op.create_table(
        "evidence",
        sa.Column("seq", _SEQ, autoincrement=True, nullable=False),
        sa.Column("shopper_id", sa.Text(), nullable=False),
        sa.Column("store_id", sa.Text(), nullable=False),
        sa.Column("zone_id", sa.Text(), nullable=False),
        sa.Column("device_id", sa.Text(), nullable=False),
        sa.Column("sighting_id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("inside_probability", sa.Float(), nullable=False),
        sa.Column("boundary_distance_m", sa.Float()),
        sa.Column("accuracy_m", sa.Float()),
        sa.Column("speed_mps", sa.Float()),
        sa.Column("transition", sa.Text()),
        sa.Column("beacon", sa.Text()),
        sa.Column("place", sa.Text()),
        sa.Column("measured_power_dbm", sa.Integer()),
        sa.Column("samples", sa.Text()),
        sa.Column("mocked", sa.Boolean(), nullable=False),
        sa.Column("zone_version", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("seq", name="pk_evidence"),
    )
    op.create_index("ix_evidence_shopper_store_at", "evidence", ["shopper_id", "store_id", "at_ms", "mocked"])


def _presence() -> None:
    op.create_table(
        "presence",
        sa.Column("shopper_id", sa.Text(), nullable=False),
        sa.Column("store_id", sa.Text(), nullable=False),
        sa.Column("zone_id", sa.Text(), nullable=False),
        sa.Column("last_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("shopper_id", "store_id", "zone_id", name="pk_presence"),
        sqlite_with_rowid=False,
    )


def _regulars() -> None:
    op.create_table(
        "regulars",
        sa.Column("shopper_id", sa.Text(), nullable=False),
        sa.Column("store_id", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("shopper_id", "store_id", "reason", "since", name="pk_regulars"),
        sqlite_with_rowid=False,
    )


def _sightings() -> None:
    op.create_table(
        "sightings",
        sa.Column("seq", _SEQ, autoincrement=True, nullable=False),
        sa.Column("device_id", sa.Text(), nullable=False),
        sa.Column("sighting_id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("received_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("latitude", sa.Float()),
        sa.Column("longitude", sa.Float()),
        sa.Column("accuracy_m", sa.Float()),
        sa.Column("flags", sa.Integer(), nullable=False),
        sa.Column("speed_mps", sa.Float()),
        sa.Column("detail", sa.Text()),
        sa.PrimaryKeyConstraint("seq", name="pk_sightings"),
    )


def _visits() -> None:
    op.create_table(
        "visits",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("shopper_id", sa.Text(), nullable=False),
        sa.Column("store_id", sa.Text(), nullable=False),
        sa.Column("start_at", sa.BigInteger(), nullable=False),
        sa.Column("end_at", sa.BigInteger(), nullable=False),
        sa.Column("dwell_s", sa.Integer(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("confidence", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("sources", sa.Text(), nullable=False),
        sa.Column("replaces", sa.Text()),
        sa.Column("rule_version", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("shopper_id", "store_id", "id", name="pk_visits"),
    )
    op.create_index("ix_visits_open", "visits", ["end_at"], sqlite_where=_OPEN)
    op.create_index("ix_visits_start", "visits", ["start_at"])


def _decisions() -> None:
    op.create_table(
        "assignments",
        sa.Column("shopper_id", sa.Text(), nullable=False),
        sa.Column("experiment", sa.Text(), nullable=False),
        sa.Column("arm", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("shopper_id", "experiment", name="pk_assignments"),
    )
    op.create_table(
        "decisions",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("occasion_key", sa.Text(), nullable=False),
        sa.Column("campaign_id", sa.Text(), nullable=False),
        sa.Column("offer_id", sa.Text(), nullable=False),
        sa.Column("offer_version", sa.Text(), nullable=False),
        sa.Column("shopper_id", sa.Text(), nullable=False),
        sa.Column("device_id", sa.Text()),
        sa.Column("store_id", sa.Text(), nullable=False),
        sa.Column("trigger", sa.Text(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text()),
        sa.Column("channel", sa.Text()),
        sa.Column("trace", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("decided_at", sa.BigInteger(), nullable=False),
        sa.Column("valid_until", sa.BigInteger(), nullable=False),
        sa.Column("tags", sa.Text()),
        sa.PrimaryKeyConstraint("id", name="pk_decisions"),
        sa.UniqueConstraint("campaign_id", "offer_id", "occasion_key", name="uq_decisions_occasion"),
    )
    op.create_index("ix_decisions_decided", "decisions", ["decided_at"])
    op.create_index("ix_decisions_shopper_decided", "decisions", ["shopper_id", "decided_at"])
    op.create_table(
        "occurrences",
        sa.Column("campaign_id", sa.Text(), nullable=False),
        sa.Column("offer_id", sa.Text(), nullable=False),
        sa.Column("store_id", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("due", sa.BigInteger(), nullable=False),
        sa.Column("planned_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("campaign_id", "offer_id", "store_id", "key", name="pk_occurrences"),
    )


def _attempts() -> None:
    op.create_table(
        "attempts",
        sa.Column("seq", _SEQ, autoincrement=True, nullable=False),
        sa.Column("message_id", sa.Text(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("provider_id", sa.Text()),
        sa.Column("detail", sa.Text()),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("seq", name="pk_attempts"),
    )
    op.create_index("ix_attempts_message_id", "attempts", ["message_id"])


def _coupons() -> None:
    op.create_table(
        "coupons",
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("decision_id", sa.Text(), nullable=False),
        sa.Column("shopper_id", sa.Text(), nullable=False),
        sa.Column("campaign_id", sa.Text(), nullable=False),
        sa.Column("offer_id", sa.Text(), nullable=False),
        sa.Column("store_id", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("min_basket", sa.Text()),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("issued_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("redemption_id", sa.Text()),
        sa.PrimaryKeyConstraint("code", name="pk_coupons"),
        sa.UniqueConstraint("decision_id", name="uq_coupons_decision_id"),
    )
    op.create_index("ix_coupons_shopper_id", "coupons", ["shopper_id"])


def _messages() -> None:
    op.create_table(
        "messages",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("decision_id", sa.Text(), nullable=False),
        sa.Column("shopper_id", sa.Text(), nullable=False),
        sa.Column("device_id", sa.Text()),
        sa.Column("campaign_id", sa.Text(), nullable=False),
        sa.Column("offer_id", sa.Text(), nullable=False),
        sa.Column("store_id", sa.Text(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("title", sa.Text()),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text()),
        sa.Column("not_before", sa.BigInteger(), nullable=False),
        sa.Column("valid_until", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("fence", sa.Integer(), nullable=False),
        sa.Column("lost", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("doubted", sa.Boolean(), nullable=False, server_default="0"),
        sa.Column("fallbacks", sa.Text()),
        sa.Column("provider", sa.Text(), nullable=False, server_default=""),
        sa.Column("leased_until_s", sa.Float()),
        sa.PrimaryKeyConstraint("id", name="pk_messages"),
        sa.UniqueConstraint("decision_id", name="uq_messages_decision_id"),
    )
    op.create_index("ix_messages_created", "messages", ["created_at"])
    op.create_index(
        "ix_messages_planned",
        "messages",
        ["channel", "provider", "valid_until", "not_before"],
        sqlite_where=_PLANNED,
    )
    op.create_index("ix_messages_shopper_id", "messages", ["shopper_id"])
    op.create_index("ix_messages_waiting", "messages", ["not_before"], sqlite_where=_WAITING)


def _redemptions() -> None:
    op.create_table(
        "redemptions",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("shopper_id", sa.Text(), nullable=False),
        sa.Column("campaign_id", sa.Text(), nullable=False),
        sa.Column("offer_id", sa.Text(), nullable=False),
        sa.Column("store_id", sa.Text(), nullable=False),
        sa.Column("key_id", sa.Text(), nullable=False),
        sa.Column("basket_id", sa.Text()),
        sa.Column("amount", sa.Text()),
        sa.Column("currency", sa.Text()),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("voided_at", sa.BigInteger()),
        sa.PrimaryKeyConstraint("id", name="pk_redemptions"),
    )
    op.create_index("ix_redemptions_at", "redemptions", ["at"])
    op.create_index("ix_redemptions_code", "redemptions", ["code"])
    op.create_index("ix_redemptions_shopper_id", "redemptions", ["shopper_id"])


def _dead_letters() -> None:
    op.create_table(
        "dead_letters",
        sa.Column("seq", _SEQ, autoincrement=True, nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("device_id", sa.Text(), nullable=False),
        sa.Column("received_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("sent_at_ms", sa.BigInteger()),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("cause", sa.Text(), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("seq", name="pk_dead_letters"),
        sa.UniqueConstraint("id", name="uq_dead_letters_id"),
    )
