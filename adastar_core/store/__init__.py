"""The store: everything a run did, in Postgres under natural keys.

Start with :func:`adastar_core.store.database.open_database`. ``tables.py`` declares every table; ``docs/schema.md`` describes
them.

Throughout, ``run_id`` is the run's number, and ``iteration`` the iteration's or, for a checkpoint and its evaluations, the
one that trained it, 0 being the base model. Functions that write take as ``connection`` a transaction of
:meth:`adastar_core.store.lease.Lease.transaction`, which refuses a process that has lost the run.
"""
