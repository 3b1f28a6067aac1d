"""Datasets: training observations at stable positions. A dataset may grow; what it holds must not change."""

import hashlib
import json
from collections.abc import Iterable, Set
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection, Row, select
from sqlalchemy.dialects.postgresql import insert

from adastar_core.errors import DataError
from adastar_core.records import Choice, Data, Observation, Split, shown_row
from adastar_core.store import tables
from adastar_core.store.bulk import insert_new, storable

ITEM = ("observation_id", "question", "answer", "choices", "difficulty", "context", "sha256")
"""Columns of one item of the data."""


def grow_dataset(
    connection: Connection, dataset_id: int, name: str, data: Data, left_out: Set[tuple[str, str]]
) -> list[Observation]:
    """Record the training observations that are new, and return the dataset's observations by position.

    Known observations keep their positions, wherever they are in the data now; new ones follow in order,
    without those ``left_out`` by id and digest. Messages show the problem's type, ``name``.

    Raises:
        DataError: An observation has changed or has vanished since it was first seen.
    """
    table = tables.observations
    stored = connection.execute(
        select(table.c.observation_id, table.c.sha256)
        .where(table.c.dataset_id == dataset_id)
        .order_by(table.c.position)
    ).all()
    present = by_content(data)
    for observation_id, sha256 in stored:
        if (observation_id, sha256) not in present:
            vanished = all(known != observation_id for known, _ in present)
            query = select(table.c.question).where(
                table.c.dataset_id == dataset_id, table.c.observation_id == observation_id
            )
            row = shown_row(observation_id, str(connection.execute(query).scalar_one()))
            what = "is no longer in" if vanished else "has changed, or is read in another way, in"
            raise DataError(
                f"Observation {row} {what} the training data of problem {name!r} since an earlier run saw it, so "
                "their results would not be comparable. Put it back as it was; or give the changed data another file "
                "name, which makes it a dataset of its own."
            )
    new = new_observations(data, [observation_id for observation_id, _ in stored], left_out)
    rows = ((dataset_id, position, *item_row(item)) for position, item in enumerate(new, start=len(stored)))
    insert_new(connection, table, ("dataset_id", "position", *ITEM), rows)
    return [present[observation_id, sha256] for observation_id, sha256 in stored] + new


def new_observations(data: Data, known: Iterable[str], left_out: Set[tuple[str, str]]) -> list[Observation]:
    """Return the training observations whose ids are not known, without those that must not be trained on.

    Known ones stay when a limit would choose others now, and take the others' places.
    """
    ids, train = set(known), data.splits[Split.TRAIN]
    new = [
        observation
        for observation in train
        if observation.observation_id not in ids and identity(observation) not in left_out
    ]
    return new[: max(len(train) - len(ids), 0)]


def read_known(connection: Connection, dataset_id: int) -> set[tuple[str, str]]:
    """Return id and digest of a dataset's observations."""
    table = tables.observations
    query = select(table.c.observation_id, table.c.sha256).where(table.c.dataset_id == dataset_id)
    return {(row[0], row[1]) for row in connection.execute(query)}


def read_observations(connection: Connection, dataset_id: int) -> list[Observation]:
    """Return a data set's observations by position."""
    table = tables.observations
    query = select(table).where(table.c.dataset_id == dataset_id).order_by(table.c.position)
    return [stored_observation(row) for row in connection.execute(query)]


def open_dataset(connection: Connection, fingerprint: str, name: str) -> int:
    """Return the number of the dataset with this digest of problem settings, made when it is missing."""
    table = tables.datasets
    connection.execute(insert(table).values(fingerprint=fingerprint, name=name).on_conflict_do_nothing())
    query = select(table.c.dataset_id).where(table.c.fingerprint == fingerprint)
    dataset_id: int = connection.execute(query).scalar_one()
    return dataset_id


def _content(observation: Observation) -> tuple[object, ...]:
    return (
        storable(observation.question),
        storable(observation.answer),
        [[storable(choice.label), storable(choice.text)] for choice in observation.choices],
        None if observation.difficulty is None else storable(observation.difficulty),
        [[storable(name), storable(text)] for name, text in observation.context],
    )


def item_row(observation: Observation) -> tuple[object, ...]:
    """Return an observation in the columns :data:`ITEM`."""
    return (observation.observation_id, *_content(observation), content_sha256(observation))


def identity(observation: Observation) -> tuple[str, str]:
    """Return id and digest, by which an observation is found again in data that may have changed."""
    return observation.observation_id, content_sha256(observation)


def by_content(data: Data) -> dict[tuple[str, str], Observation]:
    """Return all observations of the data by :func:`identity`."""
    return {identity(observation): observation for observation in data.everything}


def stored_observation(row: Row[Any]) -> Observation:
    """Return the observation in a stored row that has the columns of its content."""
    choices = tuple(Choice(label, option) for label, option in row.choices)
    context = tuple((name, shown) for name, shown in row.context)
    return Observation(row.observation_id, row.question, row.answer, choices, row.difficulty, context)


@lru_cache(maxsize=1 << 18)  # opening a run compares every observation several times
def content_sha256(observation: Observation) -> str:
    """Return the digest of what an observation says; without a context it is that of the first runs."""
    content = _content(observation)
    return hashlib.sha256(json.dumps(content if observation.context else content[:-1]).encode()).hexdigest()
