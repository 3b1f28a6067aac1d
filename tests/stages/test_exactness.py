"""Batch size changes nothing, state follows from events, and every stage can be run twice."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from sqlalchemy import URL, Engine, text

from adastar_core import stages
from adastar_core.config import RunConfig
from adastar_core.generators.transformers import open_transformers
from adastar_core.records import Attempt, GenerationRequest, Outcome, Split
from adastar_core.runs.opening import open_workspace
from adastar_core.runs.workspace import Workspace
from adastar_core.samplers import Statistics
from adastar_core.samplers.catalogue import open_sampler
from adastar_core.selection import Planned
from adastar_core.stages.generate import request
from adastar_core.store.database import connect
from adastar_core.store.statistics import read_statistics, rebuild_statistics, statistics_differences
from adastar_core.streams import rng
from tests.conftest import new_database
from tests.support.runs import outcome_of, run_iteration, small_config
from tests.support.scripted import ScriptedGenerator
from tests.support.ties import divergence_gap

INVARIANT = ("statistics", "events", "training examples", "accepted rollouts", "iterations")


def scripted_outcomes(
    engine: Engine, home: Path, batch_size: int, *overrides: str
) -> dict[str, list[tuple[object, ...]]]:
    """Run three iterations whose responses come from a script; training and evaluation are real."""
    config = small_config(engine, home, f"generator.batch_size={batch_size}", *overrides)
    with open_workspace(config, f"scripted-{batch_size}") as workspace:

        def script(one: GenerationRequest) -> str:
            answer = workspace.train[one.position].answer
            right = rng(one.stream, "right").random() < 0.45
            thought = ("", "so\n", "then\n")[rng(one.stream, "thought").integers(3)]
            return f"{thought}#### {answer}" if right else "#### -1"

        workspace.generators.use(ScriptedGenerator(script))
        for iteration in range(1, 4):
            run_iteration(workspace, iteration)
        return outcome_of(engine, workspace.run_id, *INVARIANT)


@pytest.mark.parametrize(
    "overrides",
    [
        ("attempt_mode=until_correct",),
        ("attempt_mode=independent", "attempts=5", "filter.exact_duplicates=true"),
    ],
)
def test_batch_size_changes_nothing_with_scripted_responses(
    database: Engine, tmp_path: Path, overrides: tuple[str, ...]
) -> None:
    """A third of the right answers has no rationale, and there are only two different ones."""
    one = scripted_outcomes(database, tmp_path, 1, *overrides)
    assert len(one["events"]) > 60
    for batch_size in (7, 512):
        assert scripted_outcomes(database, tmp_path, batch_size, *overrides) == one


def test_batch_size_changes_nothing_with_the_tiny_model_in_float64(database: Engine, tmp_path: Path) -> None:
    outcomes = []
    for batch_size in (1, 7, 512):
        config = small_config(
            database,
            tmp_path,
            f"generator.batch_size={batch_size}",
            "generator.dtype=float64",
            "problem.train=24",
        )
        with open_workspace(config, f"float64-{batch_size}") as workspace:
            for iteration in (1, 2):
                run_iteration(workspace, iteration)
            outcomes.append(outcome_of(database, workspace.run_id))
    assert outcomes[0] == outcomes[1] == outcomes[2]


def test_in_float32_attempts_part_only_at_near_ties(database: Engine, tmp_path: Path) -> None:
    config = small_config(database, tmp_path, "generator.dtype=float32", "problem.train=120")
    with open_workspace(config, "float32") as workspace:
        requests = [request(workspace, 1, Planned(position, 1, hinted=False)) for position in range(120)]
        generator = open_transformers(workspace.base, config.generator)
        decoding = workspace.sampling_decoding(1)
        by_size: list[list[Attempt]] = [
            [
                attempt
                for start in range(0, 120, size)
                for attempt in generator.generate(requests[start : start + size], decoding)
            ]
            for size in (1, 7, 512)
        ]
        gaps = [
            divergence_gap(generator, one, decoding, first, second)
            for others in by_size[1:]
            for one, first, second in zip(requests, by_size[0], others, strict=True)
        ]
    assert all(gap < 1e-4 for gap in gaps if gap is not None)
    assert sum(gap is None for gap in gaps) > 0.99 * len(gaps)


class Finished(NamedTuple):
    """A run of three iterations: where it is, and what its process held and stored in the end."""

    config: RunConfig
    engine: Engine
    outcome: dict[str, list[tuple[object, ...]]]
    ahead: list[int]


@pytest.fixture(scope="module")
def finished(
    administrator: Engine, server: URL, template: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Finished]:
    """One run for all tests of what is stored; none of them changes it."""
    name = f"exact_{os.getpid()}"
    with new_database(administrator, name, template):
        engine = connect(server.set(database=name))
        config = small_config(engine, tmp_path_factory.mktemp("exact"))
        with open_workspace(config, "exact") as workspace:
            stages.evaluate(workspace, 0, Split.VALIDATION)
            for iteration in (1, 2, 3):
                run_iteration(workspace, iteration)
            ahead = list(workspace.sampler(4).order(4))
            found = outcome_of(engine, workspace.run_id)
        yield Finished(config, engine, found, ahead)
        engine.dispose()


@pytest.fixture
def workspace(finished: Finished) -> Iterator[Workspace]:
    """The run as another process opens it; the test has changed nothing."""
    with open_workspace(finished.config, "exact") as opened:
        yield opened
        assert outcome_of(finished.engine, opened.run_id) == finished.outcome


def test_state_rebuilt_from_events_is_the_state_stored(finished: Finished, workspace: Workspace) -> None:
    with finished.engine.begin() as connection:
        assert statistics_differences(connection, workspace.run_id) == []
        connection.execute(
            text(
                "UPDATE observation_statistics SET last_iteration = 0, correct = 0, attempts = 0, times_visited = 0"
            )
        )
        assert len(statistics_differences(connection, workspace.run_id)) > 10
        rebuild_statistics(connection, workspace.run_id)


def test_a_sampler_rebuilt_from_the_store_is_the_one_in_memory(
    finished: Finished, workspace: Workspace
) -> None:
    with finished.engine.connect() as connection:
        stored: Statistics = read_statistics(connection, workspace.run_id)
    rebuilt = open_sampler(workspace.config.sampler, workspace.config.seed, workspace.train, stored)
    assert list(rebuilt.order(4)) == finished.ahead


def test_every_stage_run_twice_changes_nothing(workspace: Workspace) -> None:
    for iteration in (1, 2):
        assert stages.finetune(workspace, iteration) == stages.finetune(workspace, iteration)
        assert stages.verify(workspace, iteration, 0) == stages.verify(workspace, iteration, 0)
        assert stages.evaluate(workspace, iteration, Split.VALIDATION).accuracy.total == 24
        assert stages.advance(workspace, iteration) == stages.advance(workspace, iteration)


def test_advanced_iterations_are_read_back_when_nothing_is_cached(
    finished: Finished, workspace: Workspace
) -> None:
    count = text("SELECT count(*) FROM rollouts")
    with finished.engine.connect() as connection:
        before = connection.scalar(count)
    for iteration in (1, 2, 3):
        run_iteration(workspace, iteration)
    with finished.engine.connect() as connection:
        assert connection.scalar(count) == before


def test_only_right_answers_train_and_every_rollout_names_its_checkpoint(
    finished: Finished, workspace: Workspace
) -> None:
    for iteration in (1, 2, 3):
        digest = workspace.checkpoint(iteration - 1).sha256
        rows = finished.outcome["accepted rollouts"]
        assert {row[5] for row in rows if row[0] == iteration} == {digest}
    with finished.engine.connect() as connection:
        outcomes = connection.scalars(
            text(
                "SELECT DISTINCT outcome FROM training_examples JOIN verdicts USING (run_id, iteration, position, attempt)"
            )
        ).all()
    assert outcomes == [Outcome.RIGHT]
    assert workspace.results.of(1)
