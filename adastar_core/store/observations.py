"""Datasets: training observations under stable positions. They may grow; what is known must not change."""

import hashlib
import json
from collections.abc import Iterable, Set
from functools import lru_cache

from sqlalchemy import Connection, select
from sqlalchemy.dialects.postgresql import insert

from adastar_core.errors import DataError
from adastar_core.records import Choice, Data, Observation, Split, shown_row
from adastar_core.store import tables
from adastar_core.store.bulk import insert_new, storable

CONTENT = ("question", "answer", "choices", "difficulty")
_COLUMNS = ("dataset_id", "position", "observation_id", *CONTENT, "sha256")


def grow_dataset(
    connection: Connection, dataset_id: int, name: str, data: Data, left_out: Set[tuple[str, str]]
) -> list[Observation]:
    """Record the training observations that are new, and return the dataset's observations by position.

    Known observations keep their positions wherever they now stand in the data; new ones follow in order.

    Args:
        dataset_id: The dataset.
        name: The problem's type, for messages.
        data: The data as it lies now.
        left_out: Ids and digests of observations that must not be trained on.

    Raises:
        DataError: An observation has changed or has vanished since it was first seen.
    """
    table = tables.observations
    stored = connection.execute(
        select(table.c.observation_id, table.c.sha256)
        .where(table.c.dataset_id == dataset_id)
        .order_by(table.c.position)
    ).all()
    there = {(one.observation_id, content_sha256(one)): one for one in data.everything}
    for observation_id, sha256 in stored:
        if (observation_id, sha256) not in there:
            vanished = all(one != observation_id for one, _ in there)
            question = read_question(connection, dataset_id, observation_id)
            raise DataError(_changed(shown_row(observation_id, question), name, vanished=vanished))
    new = new_observations(data, [observation_id for observation_id, _ in stored], left_out)
    rows = (
        (dataset_id, position, one.observation_id, *content(one), content_sha256(one))
        for position, one in enumerate(new, start=len(stored))
    )
    insert_new(connection, table, _COLUMNS, rows)
    return [there[observation_id, sha256] for observation_id, sha256 in stored] + new


def new_observations(data: Data, known: Iterable[str], left_out: Set[tuple[str, str]]) -> list[Observation]:
    """Return the training observations whose ids are not known, without those that must not be trained on.

    Known ones stay when a limit would choose others now, and take the others' places.
    """
    ids, train = set(known), data.splits[Split.TRAIN]
    new = [
        one
        for one in train
        if one.observation_id not in ids and (one.observation_id, content_sha256(one)) not in left_out
    ]
    return new[: max(len(train) - len(ids), 0)]


def read_question(connection: Connection, dataset_id: int, observation_id: str) -> str:
    """Return the question of a stored observation."""
    table = tables.observations
    query = select(table.c.question).where(
        table.c.dataset_id == dataset_id, table.c.observation_id == observation_id
    )
    return str(connection.execute(query).scalar_one())


def read_known(connection: Connection, dataset_id: int) -> set[tuple[str, str]]:
    """Return id and digest of a dataset's observations."""
    table = tables.observations
    query = select(table.c.observation_id, table.c.sha256).where(table.c.dataset_id == dataset_id)
    return {(row[0], row[1]) for row in connection.execute(query)}


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


def content(observation: Observation) -> tuple[str, str, list[list[str]], str | None]:
    """Return what an observation says, in the columns :data:`CONTENT`, as it is stored."""
    return (
        storable(observation.question),
        storable(observation.answer),
        [[storable(choice.label), storable(choice.text)] for choice in observation.choices],
        None if observation.difficulty is None else storable(observation.difficulty),
    )


@lru_cache(maxsize=1 << 18)  # opening a run compares every observation several times
def content_sha256(observation: Observation) -> str:
    """Return the digest of what an observation says."""
    return hashlib.sha256(json.dumps(content(observation)).encode()).hexdigest()


def _changed(row: str, name: str, *, vanished: bool) -> str:
    what = "is no longer in" if vanished else "has changed, or is read in another way, in"
    return (
        f"Observation {row} {what} the training data of problem {name!r} since an earlier run saw it, so "
        "their results would not be comparable. Put it back as it was; or give the changed data another file name, "
        "which makes it a dataset of its own."
    )
