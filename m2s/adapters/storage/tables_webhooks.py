"""Which tables hold what the retailer's own systems are told? Endpoints, notices for them, and every try.

Secrets are kept as they are: who signs needs them, and the file can be read by its owner alone.
"""

import sqlalchemy as sa

from m2s.adapters.storage.tables import Instant, metadata

webhooks = sa.Table(
    "webhooks",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("url", sa.Text, nullable=False),
    sa.Column("events", sa.Text, nullable=False),
    sa.Column("description", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("reason", sa.Text),
    sa.Column("secret", sa.Text, nullable=False),
    sa.Column("old_secret", sa.Text),
    sa.Column("old_secret_until", Instant),
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("failing_since", Instant),
)

webhook_notices = sa.Table(
    "webhook_notices",
    metadata,
    sa.Column("webhook_id", sa.Text, primary_key=True),
    sa.Column("event_id", sa.Text, primary_key=True),
    sa.Column("type", sa.Text, nullable=False),
    sa.Column("body", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("tries", sa.Integer, nullable=False),
    sa.Column("next_at", Instant, nullable=False),
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("status", sa.Integer),
    sa.Column("detail", sa.Text),
    sa.Column("tried_at", Instant),
)
sa.Index(
    "ix_webhook_notices_due",
    webhook_notices.c.webhook_id,
    webhook_notices.c.next_at,
    sqlite_where=webhook_notices.c.state == "due",
)

webhook_tries = sa.Table(
    "webhook_tries",
    metadata,
    sa.Column("seq", sa.Integer, primary_key=True),
    sa.Column("webhook_id", sa.Text, nullable=False),
    sa.Column("event_id", sa.Text, nullable=False),
    sa.Column("at", Instant, nullable=False),
    sa.Column("status", sa.Integer),
    sa.Column("detail", sa.Text),
    sa.Column("took_ms", sa.Integer, nullable=False),
)
sa.Index("ix_webhook_tries_notice", webhook_tries.c.webhook_id, webhook_tries.c.event_id)
