"""What is near-certain is left out of training as the setting says, recorded, and reported whether it is left out or not."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import NamedTuple

import pytest
from sqlalchemy import Engine, text

from adastar_core import stages
from adastar_core.audit.verify import verify
from adastar_core.config.files import resolve
from adastar_core.errors import ConfigError
from adastar_core.records import GenerationRequest, Split
from adastar_core.report.build import report_of
from adastar_core.report.summary import summary
from adastar_core.report.text import facts
from adastar_core.runs.opening import open_workspace
from adastar_core.runs.workspace import Workspace
from adastar_core.store.browse import RolloutKey
from adastar_core.store.certain import read_certain
from adastar_core.ui.attempt import read_attempt
from tests.support.runs import outcome_of, run_iteration, small_config
from tests.support.scripted import ScriptedGenerator

POOL = (
    "problem.train=24",
    "problem.validation=4",
    "problem.test=4",
    "schedule.first_steps=2",
    "schedule.growth=1",
)
WHOLE = ("method=star-acc-full", *POOL)


@contextmanager
def opened(engine: Engine, home: Path, name: str, *overrides: str) -> Iterator[Workspace]:
    with open_workspace(small_config(engine, home, *overrides), name) as workspace:
        yield workspace


def run(workspace: Workspace, iterations: int = 3) -> None:
    """Every third observation is never right, every third at the second attempt, and the others always."""

    def script(one: GenerationRequest) -> str:
        right = one.position % 3 == 2 or (one.position % 3 == 1 and one.attempt == 2)
        return f"So.\n#### {workspace.train[one.position].answer if right else -1}"

    workspace.generators.use(ScriptedGenerator(script))
    for iteration in range(1, iterations + 1):
        run_iteration(workspace, iteration)


class Example(NamedTuple):
    iteration: int
    position: int


def trained(workspace: Workspace) -> list[Example]:
    query = text(
        "SELECT iteration, position FROM training_examples WHERE run_id = :run ORDER BY iteration, place"
    )
    with workspace.engine.connect() as connection:
        return [Example(*row) for row in connection.execute(query, {"run": workspace.run_id})]


def violations(workspace: Workspace) -> list[str]:
    return [checked.violation for checked in verify(workspace) if checked.violation]


def test_what_two_visits_solved_is_left_out_and_recorded_with_its_place(
    database: Engine, tmp_path: Path
) -> None:
    with opened(database, tmp_path, "thin", *WHOLE, "trainer.thin=0.5") as workspace:
        run(workspace)
        found = workspace.read(read_certain)
        examples = trained(workspace)
        assert [found[t].rationales for t in (1, 2, 3)] == [0, 8, 8]
        assert [len(found[t].left_out) for t in (1, 2, 3)] == [0, 4, 4]
        for t in (2, 3):
            left_out = {position for position, attempt in found[t].left_out if attempt == 1}
            kept = {example.position for example in examples if example.iteration == t}
            assert left_out | kept == {position for position in range(24) if position % 3}
            assert not left_out & kept
        assert found[2].left_out != found[3].left_out  # each iteration has its own stream
        with database.connect() as connection:
            rows = connection.execute(text("SELECT sum(accepted) FROM observation_events"))
            assert rows.scalar_one() == len(examples) == 16 + 12 + 12
            found_attempt = partial(read_attempt, connection, workspace.run_id, workspace.run.dataset_id)
            pages = [found_attempt(RolloutKey(2, position, 1)) for position in range(24) if position % 3 == 2]
        assert sum(page.left_out for page in pages if page) == 4
        assert [page.left_out for page in pages if page] == [page.place is None for page in pages if page]
        assert violations(workspace) == []


def test_the_share_of_compute_is_reported_whether_it_is_left_out_or_not(
    database: Engine, tmp_path: Path
) -> None:
    shares = {}
    for thin in ("0", "0.99"):
        with opened(database, tmp_path, f"thin-{thin}", *WHOLE, f"trainer.thin={thin}") as workspace:
            run(workspace)
            stages.evaluate(workspace, 0, Split.VALIDATION)
            report = report_of(workspace, 3)
            shares[thin] = [row.certain_share for row in report.iterations]
            told = dict(facts(report))["training on near-certain rationales"]
            values = summary(report)
            assert values["certain_left_out"] == {"0": 0, "0.99": 14}[thin]
            assert told.endswith(f"; {values['certain_left_out']} left out")
    assert shares["0"][0] == shares["0.99"][0] == 0
    assert shares["0"][1] == pytest.approx(0.5, abs=0.15)
    assert shares["0.99"][1] == pytest.approx(1 / 9, abs=0.05)


def test_off_it_changes_nothing_and_on_it_changes_no_visit(database: Engine, tmp_path: Path) -> None:
    """The first iterations differ in training alone: the responses are a script's."""
    outcomes = []
    for thin in ("0", "0.9"):
        with opened(
            database, tmp_path, f"same-{thin}", "method=adastar", *POOL, f"trainer.thin={thin}"
        ) as workspace:
            run(workspace, 4)
            with database.connect() as connection:
                query = text(
                    "SELECT iteration, m, accepted, alpha, stamped, certain FROM iterations WHERE run_id = :run ORDER BY 1"
                )
                outcomes.append([tuple(row) for row in connection.execute(query, {"run": workspace.run_id})])
            assert violations(workspace) == []
    assert outcomes[0] == outcomes[1]
    assert any(certain for *_, certain in outcomes[0])


def test_a_repeated_close_and_another_batch_size_leave_out_the_same(database: Engine, tmp_path: Path) -> None:
    outcomes = []
    for batch in ("1", "16"):
        settings = (*WHOLE, "trainer.thin=0.5", f"generator.batch_size={batch}")
        with opened(database, tmp_path, f"batch-{batch}", *settings) as workspace:
            run(workspace)
            outcomes.append(
                (outcome_of(database, workspace.run_id, "training examples"), workspace.read(read_certain))
            )
    assert outcomes[0] == outcomes[1]


def test_a_run_on_down_sampled_rationales_verifies(database: Engine, tmp_path: Path) -> None:
    for thin in ("0", "0.5"):
        with opened(
            database, tmp_path, f"star-{thin}", "method=star-acc", *POOL, f"trainer.thin={thin}"
        ) as workspace:
            run(workspace, 2)
            assert violations(workspace) == []


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE iterations SET left_out = '[]' WHERE iteration = 2",
        "UPDATE iterations SET left_out = jsonb_set(left_out, '{0}', '[0, 1]') WHERE iteration = 2",
        "UPDATE iterations i SET left_out = jsonb_set(left_out, '{0}', (SELECT jsonb_build_array(position, attempt) "
        "FROM training_examples e WHERE e.iteration = 2 AND place = 0)) WHERE iteration = 2",
    ],
)
def test_a_false_record_of_what_was_left_out_is_found(database: Engine, tmp_path: Path, damage: str) -> None:
    with opened(database, tmp_path, "damaged", *WHOLE, "trainer.thin=0.5") as workspace:
        run(workspace, 2)
        with database.begin() as connection:
            connection.execute(text(damage))
        assert "left out" in violations(workspace)[0]


def test_the_data_s_own_answers_are_not_thinned() -> None:
    with pytest.raises(ConfigError, match=r"trainer.thin \(0.5\) needs rationales model, not reference"):
        resolve({}, ["method=sft", "trainer.thin=0.5"])
