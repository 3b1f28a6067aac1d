"""The store: everything a run did, in Postgres under natural keys.

Start with :func:`adastar_core.store.database.open_database`. ``tables.py`` declares every table once;
``docs/schema.md`` describes them. Functions that write take a connection from
:meth:`adastar_core.store.runs.Lease.transaction`, which refuses a process that has lost the run.
"""
