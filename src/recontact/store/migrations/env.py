"""Run by Alembic for each command: the connection comes from whoever called it."""

from alembic import context

from recontact.store.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
