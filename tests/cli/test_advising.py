"""``adastar advise``."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from adastar_core.config import RunConfig
from adastar_core.errors import UserError
from adastar_core.planning.advising import read_sampled, tells_of
from adastar_core.runs.stored import open_stored
from tests.cli.conftest import Adastar, Finished
from tests.support.samplers import parse

Json = Callable[..., dict]  # type: ignore[type-arg]


def test_a_run_gives_advice(adastar: Adastar, adastar_json: Json) -> None:
    status, out, _ = adastar("advise", "mine")
    assert status == 0
    assert "Stopping at beta_t" in out
    assert "--set method=" in out
    advice = adastar_json("advise", "mine")
    assert advice["run"] == "mine"
    assert 0 <= advice["lazy"] < 1
    assert 0 < advice["solved"] < 1


def test_a_file_finds_the_run_that_says_the_same(adastar: Adastar, tmp_path: Path) -> None:
    other = tmp_path / "other.yaml"
    other.write_text("problem: {type: arithmetic, train: 77}\n")
    status, _, error = adastar("advise", str(other))
    assert status == 2
    assert f"adastar run {other} --set method=adastar --set iterations=1 --run probe" in error


@pytest.mark.parametrize("name", ["nobody", "nothing.yaml"])
def test_what_is_not_there_is_named(adastar: Adastar, name: str) -> None:
    status, _, error = adastar("advise", name)
    assert status != 0
    assert name in error


def test_hinted_attempts_are_not_taken_for_what_the_model_solves(adastar: Adastar) -> None:
    """The run ``mine`` has hints."""
    _, out, _ = adastar("advise", "mine")
    assert "rationalize: true" in out
    assert "Order, by" not in out


@pytest.mark.parametrize("sampler", ["frontier", "adastar"])
def test_a_first_iteration_that_is_no_fair_sample_tells_nothing(
    run_database: Engine, finished: Finished, sampler: str
) -> None:
    stored = open_stored(run_database, finished.home, "mine")
    values = {"frontier": {"type": "frontier"}, "adastar": {"type": "adastar", "tiebreak": "official"}}[
        sampler
    ]
    other = stored.config.model_copy(update={"sampler": parse(values)})
    with pytest.raises(UserError, match=rf"\(sampler {sampler}\), so they are no fair sample"):
        read_sampled(replace(stored, config=other))
    assert not tells_of(other, stored.config)
    assert tells_of(stored.config, other)


@pytest.mark.parametrize("change", [{"temperature": 0.4}, {"top_p": 0.9}, {"max_new_tokens": 9}])
def test_a_run_tells_nothing_of_one_that_samples_otherwise(
    run_database: Engine, finished: Finished, change: dict[str, float]
) -> None:
    made = open_stored(run_database, finished.home, "mine").config
    other = made.model_copy(update={"generator": made.generator.model_copy(update=change)})
    assert not tells_of(made, other)
    assert not tells_of(made, made.model_copy(update={"rationalize": not made.rationalize}))
    assert tells_of(made, made.model_copy(update={"iterations": 99}))


def test_a_budget_limits_the_passes_through_the_pool(run_database: Engine, finished: Finished) -> None:
    stored = open_stored(run_database, finished.home, "mine")
    assert read_sampled(stored).iterations == stored.config.iterations
    tight = stored.config.model_copy(update={"budget_pflops": 1e-9})
    assert read_sampled(replace(stored, config=tight)).iterations < 1


def test_a_probe_of_one_iteration_advises_on_the_iterations_of_the_file(
    run_database: Engine, finished: Finished
) -> None:
    stored = open_stored(run_database, finished.home, "mine")
    probe = replace(stored, config=stored.config.model_copy(update={"iterations": 1}))
    planned = stored.config.model_copy(update={"iterations": 40})
    assert read_sampled(probe).iterations == 1
    assert read_sampled(probe, planned).iterations == 40


def test_a_full_pass_is_read_up_to_beta(run_database: Engine, finished: Finished) -> None:
    stored = open_stored(run_database, finished.home, "mine")
    values = stored.config.model_dump()
    values["schedule"] |= {"visit": "all"}
    with run_database.begin() as connection:
        connection.execute(text("UPDATE iterations SET beta = 2 WHERE iteration = 1"))
    full = read_sampled(replace(stored, config=RunConfig.model_validate(values)))
    assert full.accepted == 2
    assert full.visited < read_sampled(stored).visited


def test_a_run_that_has_not_trained_yet_tells_nothing(
    adastar: Adastar, run_database: Engine, finished: Finished, tmp_path: Path
) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(
        json.dumps(open_stored(run_database, finished.home, "mine").config.model_dump(mode="json")), "utf-8"
    )
    assert adastar("advise", str(file))[0] == 0
    with run_database.begin() as connection:
        connection.execute(text("UPDATE iterations SET phase = 'sampled' WHERE iteration = 1"))
    for name, said in (("mine", "has trained in no iteration yet"), (str(file), "has trained yet")):
        status, _, error = adastar("advise", name)
        assert status == 2
        assert said in error
