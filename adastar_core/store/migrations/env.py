"""How Alembic runs the migrations: on the connection it is given, or on ``ADASTAR_DATABASE_URL`` for developers."""

import os

from alembic import context
from sqlalchemy import Connection, create_engine

from adastar_core.store.migrate import VERSION_TABLE, is_ours
from adastar_core.store.tables import metadata
from adastar_core.store.urls import parse_url


def run(connection: Connection) -> None:
    """Run the migrations in one transaction on ``connection``."""
    context.configure(
        connection=connection,
        target_metadata=metadata,
        version_table=VERSION_TABLE,
        include_name=is_ours,
        compare_server_default=True,
    )
    with context.begin_transaction():
        context.run_migrations()


given = context.config.attributes.get("connection")
if given is not None:
    run(given)
else:
    with create_engine(parse_url(os.environ["ADASTAR_DATABASE_URL"])).connect() as own:
        run(own)
