"""Datasets: training observations under stable positions. They may grow; what is known must not change."""

import hashlib
import json
from collections.abc import Mapping, Sequence

from sqlalchemy import Connection, select
from sqlalchemy.dialects.postgresql import insert

from adastar_core.errors import DataError
from adastar_core.records import Choice, Observation
from adastar_core.store import tables
from adastar_core.store.bulk import insert_new, storable

_COLUMNS = (
    "dataset_id",
    "position",
    "observation_id",
    "question",
    "answer",
    "choices",
    "difficulty",
    "sha256",
)


def grow_dataset(
    connection: Connection,
    dataset_id: int,
    name: str,
    observations: Sequence[Observation],
    digests: Mapping[str, str],
) -> list[Observation]:
    """Record the observations that are new, and return the dataset's observations by position.

    Known observations keep their positions wherever they now stand in the data; new ones follow in order.

    Args:
        connection: A transaction.
        dataset_id: The dataset, whose row stays locked until the transaction ends.
        name: The problem's type, for messages.
        observations: The data as it is now, with unique ids.
        digests: What :func:`digests_of` says of them, which takes too long for a transaction.

    Raises:
        DataError: An observation has changed or has vanished since it was first seen.
    """
    table = tables.observations
    connection.execute(
        select(tables.datasets.c.dataset_id)
        .where(tables.datasets.c.dataset_id == dataset_id)
        .with_for_update()
    )
    stored = connection.execute(
        select(table.c.observation_id, table.c.sha256)
        .where(table.c.dataset_id == dataset_id)
        .order_by(table.c.position)
    ).all()
    given = {one.observation_id: one for one in observations}
    for observation_id, sha256 in stored:
        if digests.get(observation_id) != sha256:
            raise DataError(_changed(observation_id, name, vanished=observation_id not in given))
    known = {observation_id for observation_id, _ in stored}
    new = [one for one in observations if one.observation_id not in known]
    rows = (
        (dataset_id, position, *_values(one), digests[one.observation_id])
        for position, one in enumerate(new, start=len(stored))
    )
    insert_new(connection, table, _COLUMNS, rows)
    return [given[observation_id] for observation_id, _ in stored] + new


def digests_of(observations: Sequence[Observation]) -> dict[str, str]:
    """Return the digest of every observation, by its id."""
    return {one.observation_id: _sha256(one) for one in observations}


def read_observations(connection: Connection, dataset_id: int) -> list[Observation]:
    """Return a dataset's observations by position."""
    table = tables.observations
    rows = connection.execute(
        select(table.c.observation_id, table.c.question, table.c.answer, table.c.choices, table.c.difficulty)
        .where(table.c.dataset_id == dataset_id)
        .order_by(table.c.position)
    )
    return [
        Observation(row[0], row[1], row[2], tuple(Choice(label, option) for label, option in row[3]), row[4])
        for row in rows
    ]


def open_dataset(connection: Connection, fingerprint: str, name: str) -> int:
    """Return the number of the dataset with this digest of problem settings, made when it is missing."""
    table = tables.datasets
    connection.execute(insert(table).values(fingerprint=fingerprint, name=name).on_conflict_do_nothing())
    query = select(table.c.dataset_id).where(table.c.fingerprint == fingerprint)
    dataset_id: int = connection.execute(query).scalar_one()
    return dataset_id


def _values(observation: Observation) -> tuple[str, str, str, list[list[str]], str | None]:
    return (
        observation.observation_id,
        storable(observation.question),
        storable(observation.answer),
        [[storable(choice.label), storable(choice.text)] for choice in observation.choices],
        None if observation.difficulty is None else storable(observation.difficulty),
    )


def _sha256(observation: Observation) -> str:
    return hashlib.sha256(json.dumps(_values(observation)[1:]).encode()).hexdigest()


def _changed(observation_id: str, name: str, *, vanished: bool) -> str:
    what = "is no longer in" if vanished else "has changed, or is read in another way, in"
    return (
        f"Observation {observation_id!r} {what} the training data of problem {name!r} since an earlier run saw it, so "
        "their results would not be comparable. Put it back as it was; or give the changed data another file name, "
        "which makes it a dataset of its own."
    )
