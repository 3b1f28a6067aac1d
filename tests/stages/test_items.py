"""A run's validation and test items: pinned when it starts, whatever becomes of its data."""

import json
from datetime import date
from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from adastar_core import stages
from adastar_core.audit.verify import verify
from adastar_core.config import RunConfig
from adastar_core.config.files import resolve
from adastar_core.errors import DataError
from adastar_core.records import Accuracy, Observation, Split
from adastar_core.runs.nightly import nightly
from adastar_core.runs.opening import open_workspace
from adastar_core.runs.stored import open_stored
from adastar_core.runs.workspace import Workspace
from adastar_core.store.items import Item, read_items
from adastar_core.store.observations import read_observations
from adastar_core.store.runs import finish_run
from tests.support.runs import run_iteration
from tests.support.scripted import ScriptedGenerator

Rows = list[dict[str, object]]


def sums(count: int) -> Rows:
    return [{"id": f"s{n}", "question": f"{n}+1", "answer": str(n + 1)} for n in range(count)]


def write(folder: Path, rows: Rows) -> None:
    (folder / "sums.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


def config_of(database: Engine, folder: Path, **problem: object) -> RunConfig:
    values: dict[str, object] = {
        "problem": {
            "type": "table",
            "path": str(folder / "sums.jsonl"),
            "id": "id",
            "validation_share": 0.25,
            **problem,
        },
        "iterations": 2,
        "schedule": {"first_steps": 1},
        "trainer": {"batch_size": 4},
        "database_url": database.url.render_as_string(hide_password=False),
        "home": str(folder / "home"),
    }
    return resolve(values, [])


def read_items_of(workspace: Workspace, split: Split) -> list[Item]:
    with workspace.engine.connect() as connection:
        return [item for item in read_items(connection, workspace.run_id) if item.split is split]


def items(workspace: Workspace) -> dict[Split, list[str]]:
    return {split: [one.observation_id for one in workspace.data[split]] for split in Split}


def opened(config: RunConfig) -> dict[Split, list[str]]:
    with open_workspace(config, "mine") as workspace:
        return items(workspace)


def answer(workspace: Workspace) -> None:
    """Answer every other item right."""
    known = {workspace.problem.prompt(one): one for part in workspace.data.values() for one in part}

    def respond(one: Observation) -> str:
        return f"so\n#### {one.answer if int(one.answer) % 2 else -1}"

    workspace.generators.use(ScriptedGenerator(lambda request: respond(known[request.prompt])))


def test_data_that_grow_add_to_training_alone(database: Engine, tmp_path: Path) -> None:
    write(tmp_path, sums(60))
    first = opened(config_of(database, tmp_path))
    write(tmp_path, list(reversed(sums(200))))
    grown = opened(config_of(database, tmp_path))
    assert grown[Split.VALIDATION] == first[Split.VALIDATION]
    assert grown[Split.TEST] == first[Split.TEST]
    assert grown[Split.TRAIN][: len(first[Split.TRAIN])] == first[Split.TRAIN]
    assert len(grown[Split.TRAIN]) > 100
    with open_workspace(config_of(database, tmp_path), "another") as workspace:
        new = items(workspace)
    assert set(new[Split.VALIDATION]) > set(first[Split.VALIDATION])
    assert new[Split.TRAIN] == grown[Split.TRAIN]


def test_limits_keep_the_items_that_they_chose_first(database: Engine, tmp_path: Path) -> None:
    limits = {"train_limit": 20, "validation_limit": 5, "test_limit": 3}
    write(tmp_path, sums(60))
    first = opened(config_of(database, tmp_path, **limits))
    write(tmp_path, sums(400))
    assert opened(config_of(database, tmp_path, **limits)) == first


def test_a_night_takes_in_what_another_run_has_brought_to_the_data(database: Engine, tmp_path: Path) -> None:
    write(tmp_path, sums(60))
    config = config_of(database, tmp_path).model_copy(update={"iterations": 1})
    with open_workspace(config, "mine") as workspace:
        answer(workspace)
        run_iteration(workspace, 1)
        with workspace.lease.transaction() as connection:
            finish_run(connection, workspace.run_id, "finished")
    day = date(2026, 11, 29)
    assert nightly(config, "mine", day)[1] == "mine-2026-11-29"
    write(tmp_path, sums(200))
    with open_workspace(config, "another"):
        pass
    longer, name = nightly(config, "mine", day)
    assert (longer.iterations, name) == (2, "mine")


@pytest.mark.parametrize("split", [Split.VALIDATION, Split.TEST])
@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"answer": "7777"}, "has changed"),
        ({"question": "7000+70"}, "has changed"),
        (None, "is no longer in the data"),
    ],
)
def test_an_edited_or_removed_item_is_refused_and_found_by_verify(
    database: Engine, tmp_path: Path, split: Split, change: dict[str, str] | None, words: str
) -> None:
    config = config_of(database, tmp_path)
    write(tmp_path, sums(60))
    name = opened(config)[split][1]
    rows = [row if row["id"] != name else {**row, **(change or {})} for row in sums(60)]
    write(tmp_path, rows if change else [row for row in rows if row["id"] != name])
    with pytest.raises(DataError) as caught:
        opened(config)
    for part in (
        f"{split} item '{name}' ('{name[1:]}+1')",
        words,
        "'mine'",
        "Put the row back",
        "--run NAME",
    ):
        assert part in str(caught.value)
    *sound, last = verify(open_stored(database, tmp_path / "home", "mine"))
    assert all(one.violation is None for one in sound)
    assert name in str(last.violation)
    write(tmp_path, sums(60))
    assert opened(config)[split][1] == name
    assert all(one.violation is None for one in verify(open_stored(database, tmp_path / "home", "mine")))


def test_the_columns_that_a_prompt_shows_are_pinned_too(database: Engine, tmp_path: Path) -> None:
    """They are read back as they were stored, and an item whose column was edited is another one."""

    def told(about: str) -> Rows:
        return [{**row, "about": f"{about} {row['id']}"} for row in sums(60)]

    config = config_of(database, tmp_path, prompt="{about}: {question}")
    write(tmp_path, told("Add"))
    with open_workspace(config, "mine") as workspace:
        kept = [*workspace.train, *workspace.data[Split.TEST]]
        assert {one.context for one in kept} >= {(("about", "Add s1"),)}
        with database.connect() as connection:
            stored = read_observations(connection, workspace.run.dataset_id)
        assert stored == list(workspace.train)
        assert [item.observation for item in read_items_of(workspace, Split.TEST)] == workspace.data[
            Split.TEST
        ]
    write(tmp_path, told("Sum"))
    with pytest.raises(DataError, match="Put the row back"):
        opened(config)


@pytest.mark.parametrize(
    "tampering",
    [
        "UPDATE evaluation_items SET answer = '0' WHERE position = 1",
        "UPDATE evaluation_answers SET observation_id = 'other' WHERE position = 1",
        "DELETE FROM evaluation_items WHERE split = 'validation' AND position = 1",
    ],
)
def test_verify_holds_answers_to_the_pinned_items(database: Engine, tmp_path: Path, tampering: str) -> None:
    write(tmp_path, sums(60))
    with open_workspace(config_of(database, tmp_path), "mine") as workspace:
        answer(workspace)
        stages.evaluate(workspace, 0, Split.VALIDATION)
    with database.begin() as connection:
        connection.execute(text(tampering))
    violated = [one.name for one in verify(open_stored(database, tmp_path / "home", "mine")) if one.violation]
    assert violated == ["validation and test items"]


def test_a_run_from_before_items_were_pinned_keeps_those_of_its_base_model(
    database: Engine, tmp_path: Path
) -> None:
    """Its second checkpoint was evaluated when the data had grown, at other places and on more questions."""
    write(tmp_path, sums(60))
    config = config_of(database, tmp_path)
    with open_workspace(config, "mine") as workspace:
        first = items(workspace)
        answer(workspace)
        before = stages.evaluate(workspace, 0, Split.VALIDATION).accuracy
        run_iteration(workspace, 1)
    with database.begin() as connection:
        connection.execute(text("DELETE FROM evaluation_items"))
        connection.execute(
            text("UPDATE evaluation_answers SET position = 100 - position WHERE iteration = 1")
        )
        connection.execute(
            text(
                "INSERT INTO evaluation_answers SELECT run_id, iteration, split, 1000 + position, 'new' || position, response, "
                "extracted, 'right', difficulty, prompt_tokens, padded_prompt_tokens, generated_tokens, padded_generated_tokens, "
                "seconds FROM evaluation_answers WHERE iteration = 1"
            )
        )
        connection.execute(
            text("UPDATE evaluations SET correct = correct + total, total = 2 * total WHERE iteration = 1")
        )
    write(tmp_path, sums(200))
    with open_workspace(config, "mine") as workspace:
        now = items(workspace)
        assert now[Split.VALIDATION] == first[Split.VALIDATION]
        assert now[Split.TRAIN][: len(first[Split.TRAIN])] == first[Split.TRAIN]
        assert not set(now[Split.TRAIN]) & {*now[Split.VALIDATION], *now[Split.TEST]}
        assert stages.evaluate(workspace, 0, Split.VALIDATION).accuracy == before
        assert stages.evaluate(workspace, 1, Split.VALIDATION).accuracy == before
    assert all(one.violation is None for one in verify(open_stored(database, tmp_path / "home", "mine")))
    assert before == Accuracy(before.correct, len(first[Split.VALIDATION]))


def test_what_a_run_measures_on_is_not_trained_on_by_a_later_one_of_the_same_data(
    database: Engine, tmp_path: Path
) -> None:
    """In the new order of the file another one of two equal questions comes first, and decides where they go."""
    twins: Rows = [
        {"id": f"{copy}{n}", "question": f"{n}+1", "answer": str(n + 1)} for n in range(60) for copy in "ab"
    ]
    write(tmp_path, twins)
    config = config_of(database, tmp_path)
    first = opened(config)
    write(tmp_path, list(reversed(twins)))
    with open_workspace(config, "another") as workspace:
        measured = {*items(workspace)[Split.VALIDATION], *items(workspace)[Split.TEST]}
    now = opened(config)
    assert now == first
    assert not measured & set(now[Split.TRAIN])
