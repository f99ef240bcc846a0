"""Alembic's entry: migrates over the connection and in the schema that `maintenance` hands in."""

from alembic import context

from adapters.postgres.names import VERSION_TABLE

context.configure(
    connection=context.config.attributes["connection"],
    version_table=VERSION_TABLE,
    version_table_schema=context.config.attributes["schema"],
)
context.run_migrations()
