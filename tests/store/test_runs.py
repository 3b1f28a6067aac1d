import threading
import time
from collections.abc import Callable
from dataclasses import replace

import pytest
from sqlalchemy import Engine, text

from adastar_core.config import RunConfig
from adastar_core.errors import ConfigError, DataError, RunConflictError
from adastar_core.records import Observation, Split
from adastar_core.store.lease import own_run
from adastar_core.store.observations import read_observations
from adastar_core.store.runs import (
    drop_run,
    find_run,
    finish_run,
    list_runs,
    read_run_config,
    start_or_continue,
)
from tests.store.conftest import data, observations, start


def count(engine: Engine, table: str) -> int:
    with engine.connect() as connection:
        return int(str(connection.scalar(text(f"SELECT count(*) FROM {table}"))))


def test_starting_twice_is_starting_once(database: Engine) -> None:
    first = start(database)
    assert start(database) == first
    assert find_run(database, "one") == first
    assert list_runs(database) == [first]
    assert count(database, "observations") == 20
    with database.connect() as connection:
        assert read_run_config(connection, first.run_id)["trainer.learning_rate"] == 1e-5


def test_racing_starts_make_one_run(database: Engine) -> None:
    made = []
    threads = [threading.Thread(target=lambda: made.append(start(database))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 4
    assert len(set(made)) == 1


def test_every_differing_field_is_named_with_both_values(database: Engine) -> None:
    start(database)
    other = RunConfig.model_validate({"seed": 7, "trainer": {"batch_size": 16}})
    with pytest.raises(RunConflictError) as caught:
        start(database, config=other, count=25)
    assert "seed was 0, is now 7; trainer.batch_size was 8, is now 16" in str(caught.value)
    assert count(database, "observations") == 20


def test_a_limit_that_only_admits_more_may_grow_and_only_grow(database: Engine) -> None:
    def limited(tokens: int, seed: int = 0) -> RunConfig:
        return RunConfig.model_validate({"seed": seed, "trainer": {"max_length": tokens}})

    first = start(database, config=limited(256))
    grown = start(database, config=limited(512))
    assert (grown.uid, grown.config_sha256) == (first.uid, limited(512).sha256())
    with database.connect() as connection:
        assert read_run_config(connection, first.run_id) == limited(512).identity()
    with pytest.raises(RunConflictError, match=r"trainer\.max_length was 512, is now 256, and may only grow"):
        start(database, config=limited(256))
    with pytest.raises(RunConflictError, match=r"values: seed was 0, is now 1\. Use"):
        start(database, config=limited(1024, seed=1))


def test_a_field_that_one_side_lacks_is_named(database: Engine) -> None:
    start(database)
    with database.begin() as connection:
        connection.execute(
            text("""UPDATE runs SET config = config - 'seed' || '{"old": 1}', config_sha256 = 'x'""")
        )
    with pytest.raises(RunConflictError, match="old was 1, is now absent; seed was absent, is now 0"):
        start(database)


def test_iterations_and_patience_may_change(database: Engine) -> None:
    run = start(database)
    start(database, config=RunConfig(iterations=9, patience=2))
    with own_run(database, run, iterations=9, patience=2):
        pass
    found = find_run(database, "one")
    assert found is not None
    assert (found.iterations, found.patience, found.status) == (9, 2, "running")


def test_a_new_name_is_checked_and_an_old_one_is_kept(database: Engine) -> None:
    for name in ("my\nrun", "my\0run", "\udcff", "x" * 400):
        with pytest.raises(ConfigError, match="The run's name"):
            start(database, name)
    assert list_runs(database) == []
    run = start(database, "one")
    with database.begin() as connection:
        connection.execute(text("UPDATE runs SET name = :name"), {"name": "x\n" * 200})
    assert start(database, "x\n" * 200).run_id == run.run_id


def test_a_finished_run_can_continue(database: Engine) -> None:
    run = start(database)
    with own_run(database, run, iterations=1, patience=None) as lease, lease.transaction() as connection:
        finish_run(connection, run.run_id, "finished")
    finished = find_run(database, "one")
    assert finished is not None
    assert finished.status == "finished"
    assert finished.finished_at is not None
    with own_run(database, run, iterations=2, patience=None):
        again = find_run(database, "one")
        assert again is not None
        assert (again.status, again.finished_at) == ("running", None)


def test_a_dataset_grows_and_keeps_its_positions(database: Engine) -> None:
    run, first = start_or_continue(database, "one", RunConfig(), data(observations(3)), "test")
    shuffled = list(reversed(observations(5)))
    _, grown = start_or_continue(database, "one", RunConfig(), data(shuffled), "test")
    assert first[Split.TRAIN] == observations(3)
    assert [one.observation_id for one in grown[Split.TRAIN]] == ["id-0", "id-1", "id-2", "id-4", "id-3"]
    with database.connect() as connection:
        assert read_observations(connection, run.dataset_id) == grown[Split.TRAIN]


def test_runs_of_the_same_problem_share_their_data(database: Engine) -> None:
    assert start(database, "one").dataset_id == start(database, "two").dataset_id
    assert count(database, "observations") == 20


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda rows: rows[:1] + rows[2:], r"'id-1' \('How much is 1 \+ 1\?'\) is no longer in"),
        (
            lambda rows: [rows[0], replace(rows[1], answer="9"), *rows[2:]],
            r"'id-1' \('How much is 1 \+ 1\?'\) has changed",
        ),
        (
            lambda rows: [rows[0], replace(rows[1], choices=()), *rows[2:]],
            r"'id-1' \('How much is 1 \+ 1\?'\) has changed",
        ),
        (
            lambda rows: [rows[0], replace(rows[1], difficulty=None), *rows[2:]],
            r"'id-1' \('How much is 1 \+ 1\?'\) has changed",
        ),
    ],
)
def test_a_changed_or_vanished_observation_is_named(
    database: Engine, change: Callable[[list[Observation]], list[Observation]], message: str
) -> None:
    start(database, count=3)
    with pytest.raises(DataError, match=message):
        start_or_continue(database, "two", RunConfig(), data(change(observations(3))), "test")
    assert find_run(database, "two") is None


def test_text_that_postgres_cannot_hold_is_replaced(database: Engine) -> None:
    odd = [replace(observations(1)[0], question="a\x00b\ud800c\u2028\U0001f600")]
    run, given = start_or_continue(database, "one", RunConfig(), data(odd), "test")
    assert start_or_continue(database, "one", RunConfig(), data(odd), "test") == (run, given)
    with database.connect() as connection:
        assert read_observations(connection, run.dataset_id)[0].question == "a\ufffdb\ufffdc\u2028\U0001f600"


def test_dropping_a_run_leaves_no_row_and_the_others_whole(database: Engine) -> None:
    start(database, "one")
    start(database, "two")
    assert drop_run(database, "one")
    assert not drop_run(database, "one")
    assert [run.name for run in list_runs(database)] == ["two"]
    with database.connect() as connection:
        partitions = connection.scalars(
            text("SELECT relname FROM pg_class WHERE relispartition AND relkind = 'r'")
        ).all()
    assert len(partitions) == 6
    assert all(name.endswith("_r2") for name in partitions)
    assert start(database, "one").run_id == 3


def test_creating_a_run_does_not_wait_for_the_writes_of_another(database: Engine) -> None:
    run = start(database)
    with own_run(database, run, iterations=1, patience=None) as lease, lease.transaction() as connection:
        for table in ("rollouts", "verdicts", "training_examples", "observation_statistics"):
            connection.execute(text(f"LOCK TABLE {table} IN ROW EXCLUSIVE MODE"))
        started = time.monotonic()
        start(database, "two")
        assert time.monotonic() - started < 5
