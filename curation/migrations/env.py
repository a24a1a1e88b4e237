"""Alembic's entry: run the steps on the connection that `curation.migrations.upgrade` hands over."""

from alembic import context

from curation.database import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
with context.begin_transaction():
    context.run_migrations()
