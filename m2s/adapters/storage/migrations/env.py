"""How does Alembic run a migration? On the connection and in the transaction that `migrate.upgrade` opened."""

from alembic import context

from m2s.adapters.storage import (  # noqa: F401  they add their tables
    tables_callbacks,
    tables_catalog,
    tables_inputs,
    tables_people,
    tables_spending,
    tables_webhooks,
)
from m2s.adapters.storage.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,
    transactional_ddl=True,
)
context.run_migrations()
