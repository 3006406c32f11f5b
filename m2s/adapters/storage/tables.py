"""Which tables are there? One metadata, to which the files beside this one add theirs; migrations are held to it.

Ledger rows (consents, sightings, evidence, decisions, attempts, redemptions) are appended; visits, regulars and
presence are projections that can be rebuilt. Instants are stored as UTC epoch milliseconds.
"""

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.types import TypeDecorator

from m2s.core.base.instants import from_ms, to_ms

metadata = sa.MetaData(
    naming_convention={
        "ix": "ix_%(column_0_label)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)


class Instant(TypeDecorator[datetime]):
    """An aware UTC datetime, stored as epoch milliseconds."""

    impl = sa.BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, _dialect: Any) -> int | None:
        return None if value is None else to_ms(value)

    def process_result_value(self, value: int | None, _dialect: Any) -> datetime | None:
        return None if value is None else from_ms(value)


SEQ = sa.Integer
"""64 bits in SQLite, which numbers rows by itself only in a column of exactly the type INTEGER."""


keys = sa.Table(
    "keys",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("role", sa.Text, nullable=False),
    sa.Column("store_id", sa.Text),
    sa.Column("secret_hash", sa.LargeBinary, nullable=False, unique=True),
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("revoked_at", Instant),
)

sightings = sa.Table(
    "sightings",
    metadata,
    sa.Column("seq", SEQ, primary_key=True, autoincrement=True),
    sa.Column("device_id", sa.Text, nullable=False),
    sa.Column("sighting_id", sa.Text, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("at_ms", sa.BigInteger, nullable=False),
    sa.Column("received_at_ms", sa.BigInteger, nullable=False),
    sa.Column("latitude", sa.Float),
    sa.Column("longitude", sa.Float),
    sa.Column("accuracy_m", sa.Float),
    sa.Column("flags", sa.Integer, nullable=False),
    sa.Column("speed_mps", sa.Float),
    sa.Column("detail", sa.Text),
)

evidence = sa.Table(
    "evidence",
    metadata,
    sa.Column("seq", SEQ, primary_key=True, autoincrement=True),
    sa.Column("shopper_id", sa.Text, nullable=False),
    sa.Column("store_id", sa.Text, nullable=False),
    sa.Column("zone_id", sa.Text, nullable=False),
    sa.Column("device_id", sa.Text, nullable=False),
    sa.Column("sighting_id", sa.Text, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("at_ms", sa.BigInteger, nullable=False),
    sa.Column("inside_probability", sa.Float, nullable=False),
    sa.Column("boundary_distance_m", sa.Float),
    sa.Column("accuracy_m", sa.Float),
    sa.Column("speed_mps", sa.Float),
    sa.Column("transition", sa.Text),
    sa.Column("beacon", sa.Text),
    sa.Column("place", sa.Text),
    sa.Column("measured_power_dbm", sa.Integer),
    sa.Column("samples", sa.Text),
    sa.Column("mocked", sa.Boolean, nullable=False),
    sa.Column("zone_version", sa.Integer, nullable=False),
    sa.Index("ix_evidence_shopper_store_at", "shopper_id", "store_id", "at_ms", "mocked"),
)

presence = sa.Table(
    "presence",
    metadata,
    sa.Column("shopper_id", sa.Text, primary_key=True),
    sa.Column("store_id", sa.Text, primary_key=True),
    sa.Column("zone_id", sa.Text, primary_key=True),
    sa.Column("last_at_ms", sa.BigInteger, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sqlite_with_rowid=False,
)

visits = sa.Table(
    "visits",
    metadata,
    sa.Column("id", sa.Text, nullable=False),
    sa.Column("shopper_id", sa.Text, nullable=False),
    sa.Column("store_id", sa.Text, nullable=False),
    sa.Column("start_at", Instant, nullable=False),
    sa.Column("end_at", Instant, nullable=False),
    sa.Column("dwell_s", sa.Integer, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("confidence", sa.Text, nullable=False),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("sources", sa.Text, nullable=False),
    sa.Column("replaces", sa.Text),
    sa.Column("rule_version", sa.Text, nullable=False),
    # One tree in random order finds a stay by its name and the stays of a pair; the id alone would need a second.
    sa.PrimaryKeyConstraint("shopper_id", "store_id", "id"),
    sa.Index("ix_visits_start", "start_at"),
    sa.Index(
        "ix_visits_open",
        "end_at",
        sqlite_where=sa.text("status = 'open'"),
    ),
)

regulars = sa.Table(
    "regulars",
    metadata,
    sa.Column("shopper_id", sa.Text, primary_key=True),
    sa.Column("store_id", sa.Text, primary_key=True),
    sa.Column("reason", sa.Text, primary_key=True),
    sa.Column("since", Instant, primary_key=True),
    sa.Column("until", Instant, nullable=False),
    sqlite_with_rowid=False,
)

decisions = sa.Table(
    "decisions",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("occasion_key", sa.Text, nullable=False),
    sa.Column("campaign_id", sa.Text, nullable=False),
    sa.Column("offer_id", sa.Text, nullable=False),
    sa.Column("offer_version", sa.Text, nullable=False),
    sa.Column("shopper_id", sa.Text, nullable=False),
    sa.Column("device_id", sa.Text),
    sa.Column("store_id", sa.Text, nullable=False),
    sa.Column("trigger", sa.Text, nullable=False),
    sa.Column("outcome", sa.Text, nullable=False),
    sa.Column("reason", sa.Text),
    sa.Column("channel", sa.Text),
    sa.Column("trace", sa.Text, nullable=False),
    sa.Column("at", Instant, nullable=False),
    sa.Column("decided_at", Instant, nullable=False),
    sa.Column("valid_until", Instant, nullable=False),
    sa.Column("tags", sa.Text),
    sa.UniqueConstraint("campaign_id", "offer_id", "occasion_key", name="uq_decisions_occasion"),
    sa.Index("ix_decisions_shopper_decided", "shopper_id", "decided_at"),
    sa.Index("ix_decisions_decided", "decided_at"),
)

assignments = sa.Table(
    "assignments",
    metadata,
    sa.Column("shopper_id", sa.Text, primary_key=True),
    sa.Column("experiment", sa.Text, primary_key=True),
    sa.Column("arm", sa.Text, nullable=False),
    sa.Column("at", Instant, nullable=False),
)

occurrences = sa.Table(
    "occurrences",
    metadata,
    sa.Column("campaign_id", sa.Text, primary_key=True),
    sa.Column("offer_id", sa.Text, primary_key=True),
    sa.Column("store_id", sa.Text, primary_key=True),
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("due", Instant, nullable=False),
    sa.Column("planned_at", Instant, nullable=False),
)

WAITING = "state IN ('planned', 'claimed', 'sending', 'unknown')"
"""Of messages not yet settled; a query must hold these very words for their partial index to serve."""

PLANNED = "state = 'planned'"
"""The same, of messages that wait to be sent."""

messages = sa.Table(
    "messages",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("decision_id", sa.Text, nullable=False, unique=True),
    sa.Column("shopper_id", sa.Text, nullable=False, index=True),
    sa.Column("device_id", sa.Text),
    sa.Column("campaign_id", sa.Text, nullable=False),
    sa.Column("offer_id", sa.Text, nullable=False),
    sa.Column("store_id", sa.Text, nullable=False),
    sa.Column("channel", sa.Text, nullable=False),
    sa.Column("title", sa.Text),
    sa.Column("body", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("reason", sa.Text),
    sa.Column("not_before", Instant, nullable=False),
    sa.Column("valid_until", Instant, nullable=False),
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("updated_at", Instant, nullable=False),
    sa.Column("tries", sa.Integer, nullable=False),
    sa.Column("fence", sa.Integer, nullable=False),
    sa.Column("lost", sa.Integer, nullable=False, server_default="0"),
    sa.Column("doubted", sa.Boolean, nullable=False, server_default="0"),
    sa.Column("fallbacks", sa.Text),
    sa.Column("provider", sa.Text, nullable=False, server_default=""),
    sa.Column("leased_until_s", sa.Float),
    sa.Index(
        "ix_messages_waiting",
        "not_before",
        sqlite_where=sa.text(WAITING),
    ),
    sa.Index(
        "ix_messages_planned",
        "channel",
        "provider",
        "valid_until",
        "not_before",
        sqlite_where=sa.text(PLANNED),
    ),
    sa.Index("ix_messages_created", "created_at"),
)

SENT_AS = "channel = 'sms' AND provider_id IS NOT NULL"
"""The same, of attempts that a receipt may come for."""

attempts = sa.Table(
    "attempts",
    metadata,
    sa.Column("seq", SEQ, primary_key=True, autoincrement=True),
    sa.Column("message_id", sa.Text, nullable=False, index=True),
    sa.Column("channel", sa.Text, nullable=False),
    sa.Column("outcome", sa.Text, nullable=False),
    sa.Column("provider_id", sa.Text),
    sa.Column("detail", sa.Text),
    sa.Column("at", Instant, nullable=False),
    sa.Column("parts", sa.Integer),
    sa.Index("ix_attempts_provider_id", "provider_id", sqlite_where=sa.text(SENT_AS)),
)

coupons = sa.Table(
    "coupons",
    metadata,
    sa.Column("code", sa.Text, primary_key=True),
    sa.Column("decision_id", sa.Text, nullable=False, unique=True),
    sa.Column("shopper_id", sa.Text, nullable=False, index=True),
    sa.Column("campaign_id", sa.Text, nullable=False),
    sa.Column("offer_id", sa.Text, nullable=False),
    sa.Column("store_id", sa.Text, nullable=False),
    sa.Column("value", sa.Text, nullable=False),
    sa.Column("min_basket", sa.Text),
    sa.Column("currency", sa.Text, nullable=False),
    sa.Column("issued_at", Instant, nullable=False),
    sa.Column("expires_at", Instant, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("redemption_id", sa.Text),
)

redemptions = sa.Table(
    "redemptions",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("code", sa.Text, nullable=False, index=True),
    sa.Column("shopper_id", sa.Text, nullable=False, index=True),
    sa.Column("campaign_id", sa.Text, nullable=False),
    sa.Column("offer_id", sa.Text, nullable=False),
    sa.Column("store_id", sa.Text, nullable=False),
    sa.Column("key_id", sa.Text, nullable=False),
    sa.Column("basket_id", sa.Text),
    sa.Column("amount", sa.Text),
    sa.Column("currency", sa.Text),
    sa.Column("at", Instant, nullable=False),
    sa.Column("voided_at", Instant),
    sa.Index("ix_redemptions_at", "at"),
)

idempotency = sa.Table(
    "idempotency",
    metadata,
    sa.Column("key_id", sa.Text, primary_key=True),
    sa.Column("idempotency_key", sa.Text, primary_key=True),
    sa.Column("body_hash", sa.LargeBinary, nullable=False),
    sa.Column("status", sa.Integer, nullable=False),
    sa.Column("answer", sa.Text, nullable=False),
    sa.Column("at", Instant, nullable=False),
)

ticks = sa.Table(
    "ticks",
    metadata,
    sa.Column("job", sa.Text, primary_key=True),
    sa.Column("due", Instant, primary_key=True),
    sa.Column("claimed_at", Instant, nullable=False),
)

dead_letters = sa.Table(
    "dead_letters",
    metadata,
    sa.Column("seq", SEQ, primary_key=True, autoincrement=True),
    sa.Column("id", sa.Text, nullable=False, unique=True),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("device_id", sa.Text, nullable=False),
    sa.Column("received_at_ms", sa.BigInteger, nullable=False),
    sa.Column("sent_at_ms", sa.BigInteger),
    sa.Column("body", sa.Text, nullable=False),
    sa.Column("cause", sa.Text, nullable=False),
    sa.Column("tries", sa.Integer, nullable=False),
    sa.Column("at", Instant, nullable=False),
)
