"""Validation and test items: pinned when a run starts, so that its checkpoints are compared on equal questions.

Data added later go to training only. An item that was edited or removed is refused when the run is opened.
"""

import hashlib
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from sqlalchemy import Connection, select, text

from adastar_core.errors import DataError
from adastar_core.names import ANOTHER
from adastar_core.records import SHOWN_CHARACTERS, Data, Observation, Split
from adastar_core.store import observations, tables
from adastar_core.store.bulk import insert_new
from adastar_core.store.observations import identity

MEASURED = (Split.VALIDATION, Split.TEST)


class Item(NamedTuple):
    """A pinned item as it was when the run started, and its digest."""

    split: Split
    position: int
    observation: Observation
    sha256: str


def pin_items(
    connection: Connection, run_id: int, dataset_id: int, name: str, data: Data
) -> dict[Split, list[Observation]]:
    """Record the items of a run that has none, and return the run's items by split and position.

    Raises:
        DataError: An item has changed or vanished since the run started.
    """
    if not read_items(connection, run_id) and data.splits.keys() >= set(MEASURED):
        evaluated = _evaluated(connection, run_id)
        for split in MEASURED:
            if split in evaluated:
                items = _found(evaluated[split], data, split, name)
            else:
                # Without rows that an earlier run trains on and that have moved out of training since.
                train = map(identity, data.splits[Split.TRAIN])
                trained = observations.read_known(connection, dataset_id).difference(train)
                items = [item for item in data.splits[split] if identity(item) not in trained]
            if not items:
                raise DataError(
                    f"Every {split} item of run {name!r} is trained on by an earlier run of the same data, because the order of its "
                    "rows has changed. Put the rows back in their order, or give the data another file name."
                )
            contents = map(observations.item_row, items)
            rows = ((run_id, split.value, place, *content) for place, content in enumerate(contents))
            columns = ("run_id", "split", "position", *observations.ITEM)
            insert_new(connection, tables.evaluation_items, columns, rows)
        # Evaluations made on other items keep the answers to pinned ones; what is then incomplete is evaluated again.
        for statement in (_DROP_OTHERS, _MOVE_AWAY, _MOVE_BACK, _DROP_TOTALS):
            connection.execute(statement, {"run_id": run_id})
    return find_items(read_items(connection, run_id), name, data)


def read_items(connection: Connection, run_id: int) -> list[Item]:
    """Return a run's items by split and position; none for a run last opened before items were pinned."""
    table = tables.evaluation_items
    query = select(table).where(table.c.run_id == run_id).order_by(table.c.split, table.c.position)
    return [
        Item(Split(row.split), row.position, observations.stored_observation(row), row.sha256)
        for row in connection.execute(query)
    ]


def items_sha256(connection: Connection, run_id: int) -> str | None:
    """Return the digest of a run's items, equal for runs that are measured on equal ones; ``None`` without items."""
    digests = sorted(f"{item.split} {item.sha256}" for item in read_items(connection, run_id))
    return hashlib.sha256("\n".join(digests).encode()).hexdigest() if digests else None


def find_items(items: Iterable[Item], name: str, data: Data) -> dict[Split, list[Observation]]:
    """Return a run's pinned items as the data have them now, by split and position.

    Raises:
        DataError: One has changed or vanished.
    """
    present = observations.by_content(data)
    found: dict[Split, list[Observation]] = {}
    for split, _, item, sha256 in items:
        now = present.get((item.observation_id, sha256))
        if now is None:
            changed = [other for other in data.everything if other.observation_id == item.observation_id]
            raise _changed(name, split, item.observation_id, item.question, changed)
        found.setdefault(split, []).append(now)
    return found


def moved_into_training(connection: Connection, dataset_id: int, data: Data) -> set[tuple[str, str]]:
    """Return id and digest of items that a run of this dataset is measured on and the data now have in training only."""
    items, runs = tables.evaluation_items, tables.runs
    query = (
        select(items.c.observation_id, items.c.sha256)
        .join(runs, runs.c.run_id == items.c.run_id)
        .where(runs.c.dataset_id == dataset_id)
        .distinct()
    )
    measured = {identity(item) for split in MEASURED for item in data.splits.get(split, ())}
    return {(row[0], row[1]) for row in connection.execute(query)} - measured


def _evaluated(connection: Connection, run_id: int) -> dict[Split, list[str]]:
    """Return the ids that the base model was evaluated on, of a run started before items were pinned."""
    ids: dict[Split, list[str]] = {}
    for split, observation_id in connection.execute(_EVALUATED, {"run_id": run_id}):
        ids.setdefault(Split(split), []).append(observation_id)
    return ids


def _found(ids: Sequence[str], data: Data, split: Split, name: str) -> list[Observation]:
    present = {item.observation_id: item for part in (data.everything, data.splits[split]) for item in part}
    for observation_id in ids:
        if observation_id not in present:
            raise _changed(name, split, observation_id, None, [])
    return [present[observation_id] for observation_id in ids]


def _changed(
    name: str, split: Split, observation_id: str, question: str | None, now: Sequence[Observation]
) -> DataError:
    asked = "" if question is None else f" ({question[:SHOWN_CHARACTERS]!r})"
    what = "is no longer in"
    if now:
        begins = now[0].question[:SHOWN_CHARACTERS]
        what = f"has changed (it is now {begins!r}, answered {now[0].answer!r}) in"
    return DataError(
        f"The {split} item {observation_id!r}{asked} of run {name!r} {what} the data, so that its checkpoints would be compared "
        f"on unequal questions. Put the row back as it was, or {ANOTHER} to start a run on these."
    )


_EVALUATED = text(
    "SELECT a.split, a.observation_id FROM evaluations e JOIN evaluation_answers a USING (run_id, iteration, split) "
    "WHERE e.run_id = :run_id AND e.iteration = 0 ORDER BY a.split, a.position"
)
_PINNED = "i.run_id = a.run_id AND i.split = a.split AND i.observation_id = a.observation_id"
_DROP_OTHERS = text(
    "DELETE FROM evaluation_answers a WHERE a.run_id = :run_id "
    f"AND NOT EXISTS (SELECT FROM evaluation_items i WHERE {_PINNED})"
)
# Positions may be swapped, and the key is unique: all go to negative places first, then back.
_MOVE_AWAY = text(
    "UPDATE evaluation_answers a SET position = -1 - i.position FROM evaluation_items i "
    f"WHERE a.run_id = :run_id AND {_PINNED} AND a.position <> i.position"
)
_MOVE_BACK = text(
    "UPDATE evaluation_answers SET position = -1 - position WHERE run_id = :run_id AND position < 0"
)
_DROP_TOTALS = text(
    """
    DELETE FROM evaluations e USING (
        SELECT split, count(*) AS items FROM evaluation_items WHERE run_id = :run_id GROUP BY split
    ) pinned
    WHERE e.run_id = :run_id AND e.split = pinned.split AND (e.total <> pinned.items OR pinned.items <> (
        SELECT count(*) FROM evaluation_answers a
        WHERE a.run_id = e.run_id AND a.iteration = e.iteration AND a.split = e.split
    ))
    """
)
