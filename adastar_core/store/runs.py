"""Runs: created or continued by name, refused when what they are has changed, dropped with all their rows."""

import hashlib
import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Literal

from sqlalchemy import Connection, Engine, delete, func, select, text, update
from sqlalchemy.dialects.postgresql import insert

from adastar_core.config import LIMITS, RunConfig
from adastar_core.errors import RunConflictError
from adastar_core.machine.waiting import Notify, warn
from adastar_core.names import ANOTHER, is_storable, require_name
from adastar_core.records import Data, Ending, EndStatus, Observation, Split
from adastar_core.store import locks, tables
from adastar_core.store.items import moved_into_training, pin_items
from adastar_core.store.numerics import read_numerics
from adastar_core.store.observations import content_sha256, grow_dataset, open_dataset
from adastar_core.store.partitions import create_partitions, drop_partitions

_ABSENT = "absent"
_FORMATS = {"generator.dtype": "generation_dtype", "trainer.dtype": "training_dtype"}
_READS_DATA = 2
"""Raise it when the same file is read as other observations or splits; earlier runs keep their datasets."""


@dataclass(frozen=True, slots=True)
class Run:
    """A run as stored (columns: ``docs/schema.md``)."""

    run_id: int
    uid: str
    name: str
    dataset_id: int
    config_sha256: str
    iterations: int
    patience: int | None
    code_version: str
    base_model: str
    status: str
    owner: str | None
    file_store: str | None
    created_at: datetime
    finished_at: datetime | None

    @property
    def day(self) -> date:
        """The day on which it was created, in UTC."""
        return self.created_at.astimezone(UTC).date()


_OF_RUN = "FROM runs WHERE run_id = :run_id"
_COLUMNS = [tables.runs.c[name] for name in Run.__slots__]


def start_or_continue(
    engine: Engine, name: str, config: RunConfig, data: Data, code_version: str, notify: Notify = warn
) -> tuple[Run, dict[Split, Sequence[Observation]]]:
    """Create the run, or find it; return it with its observations by split and position.

    If the run is refused, nothing is written. Iterations and patience are recorded by
    :func:`adastar_core.store.lease.own_run`.

    Args:
        notify: Called with whom we wait for, while another process stores the same data.

    Raises:
        ConfigError: The name cannot name a new run.
        RunConflictError: The run exists with other values (each is named), or another process owns it.
        DataError: An observation that the run trains or measures on has changed or vanished.
    """
    if find_run(engine, name) is None:
        require_name(name)
    settings = {key: value for key, value in config.identity().items() if key.startswith("problem.")}
    fingerprint = hashlib.sha256(json.dumps([_READS_DATA, settings], sort_keys=True).encode()).hexdigest()
    for observation in data.everything:
        content_sha256(observation)  # cached here, since digests take too long for a transaction
    loading = locks.Lock.of_content(locks.DATASET, fingerprint, "another process to store the training data")
    session = locks.application_name(name)
    with locks.acquire_in_transaction(engine, loading, session, notify) as connection:
        if found := _find(connection, name):
            _require_same(connection, found, config)
            if owner := locks.find_owner(connection, found.run_id):
                raise locks.owned_by(owner, name)
            found = _record_growth(connection, found, config)
        kind = config.problem.type
        dataset_id = found.dataset_id if found else open_dataset(connection, fingerprint, kind)
        run = found or _create(connection, name, config, dataset_id, code_version)
        items = pin_items(connection, run.run_id, dataset_id, name, data)
        left_out = moved_into_training(connection, dataset_id, data)
        train = grow_dataset(connection, dataset_id, kind, data, left_out)
        notes = update(tables.runs).where(tables.runs.c.run_id == run.run_id)
        connection.execute(notes.values(data_notes=list(data.notes)))
    return run, {Split.TRAIN: train, **items}


def find_run(engine: Engine, name: str) -> Run | None:
    """Return the run of this name; ``None`` if there is none."""
    with engine.connect() as connection:
        return _find(connection, name)


def list_runs(engine: Engine) -> list[Run]:
    """Return all runs, oldest first."""
    with engine.connect() as connection:
        rows = connection.execute(select(*_COLUMNS).order_by(tables.runs.c.run_id))
        return [Run(**row._mapping) for row in rows]


def read_run_config(connection: Connection, run_id: int) -> dict[str, object]:
    """Return the configuration fields that decide what the run is, with dotted keys."""
    query = text(f"SELECT config {_OF_RUN}")
    config: dict[str, object] = connection.execute(query, {"run_id": run_id}).scalar_one()
    return config


def kept_formats(connection: Connection, run: Run) -> dict[str, str]:
    """Return the number formats that a run has kept since it started, by the configuration's key.

    One that was stored as ``auto`` is that of the first process recorded since, if there is one.
    """
    config = read_run_config(connection, run.run_id)
    first = next(iter(read_numerics(connection, run.run_id).values()), None)
    kept = {key: str(config[key]) for key in _FORMATS if config[key] != "auto"}
    return kept if first is None else {key: getattr(first, name) for key, name in _FORMATS.items()} | kept


def read_preset(connection: Connection, run_id: int) -> str | None:
    """Return the preset or file that the run's configuration came from; ``None`` for one from neither."""
    preset: str | None = connection.execute(text(f"SELECT preset {_OF_RUN}"), {"run_id": run_id}).scalar_one()
    return preset


def read_data_notes(connection: Connection, run_id: int) -> tuple[str, ...]:
    """Return the notes on the run's data from when it was last opened."""
    return tuple(connection.execute(text(f"SELECT data_notes {_OF_RUN}"), {"run_id": run_id}).scalar_one())


def finish_run(
    connection: Connection, run_id: int, status: Literal["finished"] | EndStatus, failure: str | None = None
) -> None:
    """Record how the run ended for now, and why if it is not finished; it can be continued."""
    ended = update(tables.runs).where(tables.runs.c.run_id == run_id)
    connection.execute(ended.values(status=status, failure=failure, finished_at=func.now()))


def read_ending(connection: Connection, run_id: int) -> Ending | None:
    """Return how the run's last process ended before the run did; ``None`` if it finished it, or one works on the run."""
    row = connection.execute(text(f"SELECT status, failure {_OF_RUN}"), {"run_id": run_id}).one()
    return None if row.failure is None else Ending(row.status, row.failure)


def drop_run(engine: Engine, name: str) -> bool:
    """Delete a run with all its rows; return whether there was one. Its dataset and its files stay.

    Raises:
        RunConflictError: A process owns it.
    """
    with engine.begin() as connection:
        run = _find(connection, name)
        if run is None:
            return False
        if not locks.try_lock_in_transaction(connection, locks.Lock.of_run(run.run_id, name)):
            raise locks.owned_by(locks.find_owner(connection, run.run_id), name)
        drop_partitions(connection, run.run_id)
        for table in reversed(tables.metadata.sorted_tables):
            if "run_id" in table.c and table not in tables.PARTITIONED:
                connection.execute(delete(table).where(table.c.run_id == run.run_id))
    return True


def _find(connection: Connection, name: str) -> Run | None:
    if not is_storable(name):
        return None
    row = connection.execute(select(*_COLUMNS).where(tables.runs.c.name == name)).one_or_none()
    return None if row is None else Run(**row._mapping)


def _create(connection: Connection, name: str, config: RunConfig, dataset_id: int, code_version: str) -> Run:
    """Insert the run and make its partitions, unless another process did so just now."""
    values = {
        "uid": str(uuid.uuid4()),
        "name": name,
        "dataset_id": dataset_id,
        "config": _plain(config.identity()),
        "config_sha256": config.sha256(),
        "iterations": config.iterations,
        "patience": config.patience,
        "code_version": code_version,
        "base_model": config.model,
        "status": "created",
        "lease_epoch": 0,
    }
    statement = insert(tables.runs).values(values).on_conflict_do_nothing().returning(*_COLUMNS)
    row = connection.execute(statement).one_or_none()
    if row is not None:
        create_partitions(connection, row.run_id)
        return Run(**row._mapping)
    other = _find(connection, name)
    assert other is not None, "a run whose name is taken exists"
    _require_same(connection, other, config)
    return other


def _require_same(connection: Connection, run: Run, config: RunConfig) -> None:
    if found := differences(connection, run, config):
        raise RunConflictError(
            f"Run {run.name!r} was started with other values: {'; '.join(found)}. Use its values to continue it, or {ANOTHER}."
        )


def differences(connection: Connection, run: Run, config: RunConfig) -> list[str]:
    """Return each field in which ``config`` does not continue the run: ``trainer.batch_size was 8, is now 16``.

    Limits may have grown. A number format stored as ``auto`` means the one recorded first since, else any.
    """
    if run.config_sha256 == config.sha256():
        return []
    old, new = read_run_config(connection, run.run_id), _plain(config.identity())
    kept = kept_formats(connection, run)
    accepted = old | {key: kept.get(key, new[key]) for key in _FORMATS} | _grown(old, new)
    found = []
    for key in sorted(old.keys() | new.keys()):
        if accepted.get(key, _ABSENT) == new.get(key, _ABSENT):
            continue
        was, now = (
            json.dumps(values[key], ensure_ascii=False) if key in values else _ABSENT
            for values in (accepted, new)
        )
        advice = ", and may only grow" if key in LIMITS else ""
        found.append(f"{key} was {was}, is now {now}{advice}")
    return found


def _grown(old: Mapping[str, object], new: Mapping[str, object]) -> dict[str, object]:
    """Return the limits that have been raised."""
    limits = ((key, old.get(key), new[key]) for key in LIMITS)
    return {
        key: now for key, was, now in limits if isinstance(was, int) and isinstance(now, int) and now > was
    }


def _record_growth(connection: Connection, run: Run, config: RunConfig) -> Run:
    """Record limits that have been raised; return the run with them."""
    old = read_run_config(connection, run.run_id)
    fields = old | _grown(old, _plain(config.identity()))
    if fields == old:
        return run
    digest = hashlib.sha256(json.dumps(fields, sort_keys=True).encode()).hexdigest()
    changed = update(tables.runs).where(tables.runs.c.run_id == run.run_id)
    row = connection.execute(changed.values(config=fields, config_sha256=digest).returning(*_COLUMNS)).one()
    return Run(**row._mapping)


def _plain(identity: dict[str, object]) -> dict[str, object]:
    """Return the fields as they come back from JSON, so that stored and given ones compare equal."""
    plain: dict[str, object] = json.loads(json.dumps(identity))
    return plain
