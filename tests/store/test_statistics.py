"""The stored statistics against the sampler that they are the truth of."""

import numpy as np
import pytest
from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import OperationalError

from adastar_core import streams
from adastar_core.errors import StageError
from adastar_core.samplers import Statistics
from adastar_core.samplers.adastar import AdaStarSampler
from adastar_core.selection import Visit, stamp_count
from adastar_core.store.checkpoints import write_checkpoint
from adastar_core.store.iterations import advance, start_iteration
from adastar_core.store.lease import Lease
from adastar_core.store.results import read_trained_frequency
from adastar_core.store.statistics import (
    Difference,
    read_statistics,
    rebuild_statistics,
    statistics_differences,
)
from tests.store.conftest import BASE, FOLDER, trained

N = 200


def begin(lease: Lease, iteration: int, observations: int = N) -> int:
    with lease.transaction() as connection:
        if iteration == 1:
            write_checkpoint(connection, lease.run_id, BASE, FOLDER)
        return start_iteration(
            connection,
            lease.run_id,
            iteration,
            checkpoint_iteration=iteration - 1,
            beta=1,
            observations=observations,
        )


def finish(lease: Lease, iteration: int, visits: list[Visit], stamped: int) -> None:
    with lease.transaction() as connection:
        connection.execute(
            text("UPDATE iterations SET phase = 'sampled', m = :m WHERE phase = 'sampling'"),
            {"m": len(visits)},
        )
        write_checkpoint(connection, lease.run_id, trained(iteration), FOLDER)
        assert advance(connection, lease.run_id, iteration, visits, alpha=0.5, stamped=stamped, seconds=1.0)


def stored(lease: Lease) -> Statistics:
    with lease.engine.connect() as connection:
        return read_statistics(connection, lease.run_id)


def totals(connection: Connection) -> list[tuple[int, ...]]:
    query = "SELECT times_visited, times_stamped, times_trained FROM observation_statistics ORDER BY position"
    return [tuple(row) for row in connection.execute(text(query))]


def same(one: Statistics, other: Statistics) -> bool:
    return all(np.array_equal(getattr(one, name), getattr(other, name)) for name in Statistics.__slots__)


def simulate(lease: Lease, iterations: int) -> AdaStarSampler:
    """Run iterations with random results; return the sampler that took part."""
    random = np.random.default_rng(0)
    sampler = AdaStarSampler(Statistics.empty(N), streams.tiebreak_ranks(0, N), power=2)
    for iteration in range(1, iterations + 1):
        begin(lease, iteration)
        m = int(random.integers(1, N + 1)) if iteration % 3 else N
        order = [position for position, _ in zip(sampler.order(iteration), range(m), strict=False)]
        visits = [random_visit(random, position) for position in order]
        alpha = float(random.random())
        finish(lease, iteration, visits, stamp_count(m, alpha, 2))
        sampler.observe(iteration, visits, alpha)
    return sampler


def random_visit(random: np.random.Generator, position: int) -> Visit:
    attempts = int(random.integers(1, 4))
    correct = int(random.integers(0, attempts + 1))
    return Visit(position, attempts, correct, tuple(range(1, correct + 1)), correct > 0)


def test_the_store_and_the_sampler_agree_after_every_kind_of_iteration(lease: Lease) -> None:
    sampler = simulate(lease, 12)
    assert same(stored(lease), sampler.statistics)
    rebuilt = AdaStarSampler(stored(lease), streams.tiebreak_ranks(0, N), power=2)
    assert list(rebuilt.order(13)) == list(sampler.order(13))


def test_the_events_lead_to_the_stored_statistics(lease: Lease) -> None:
    simulate(lease, 12)
    before = stored(lease)
    with lease.transaction() as connection:
        counts = totals(connection)
        assert statistics_differences(connection, lease.run_id) == []
        assert rebuild_statistics(connection, lease.run_id) == 0
        connection.execute(text("UPDATE observation_statistics SET correct = correct + 1 WHERE position = 3"))
        connection.execute(
            text("UPDATE observation_statistics SET times_trained = 99 WHERE position IN (5, 7)")
        )
        differences = statistics_differences(connection, lease.run_id)
        assert [one.position for one in differences] == [3, 5, 7]
        assert differences[0] == Difference(
            3,
            (*differences[0].rebuilt[:1], differences[0].rebuilt[1] + 1, *differences[0].rebuilt[2:]),
            differences[0].rebuilt,
        )
        connection.execute(
            text(
                "UPDATE observation_statistics SET last_iteration = 0, attempts = 0, times_visited = 7, times_stamped = 7"
            )
        )
        assert rebuild_statistics(connection, lease.run_id) > 150
        assert statistics_differences(connection, lease.run_id) == []
        again = totals(connection)
    assert same(stored(lease), before)
    assert counts == again


def test_usage_counts_visits_stamps_and_trained_rationales(lease: Lease) -> None:
    begin(lease, 1)
    finish(lease, 1, [Visit(4, 2, 2, (1, 2), True), Visit(0, 1, 0, (), False)], stamped=1)
    begin(lease, 2)
    finish(lease, 2, [Visit(0, 1, 1, (1,), True)], stamped=1)
    with lease.engine.connect() as connection:
        visited, stamped, times_trained = zip(*totals(connection), strict=True)
        assert read_trained_frequency(connection, lease.run_id) == (N - 2, 1, 1)
        events = connection.execute(text("SELECT * FROM observation_events ORDER BY iteration, rank")).all()
    assert visited[:5] == (2, 0, 0, 0, 1)
    assert stamped[:5] == (1, 0, 0, 0, 1)
    assert times_trained[:5] == (1, 0, 0, 0, 2)
    run = lease.run_id
    assert [tuple(event) for event in events] == [
        (run, 1, 0, 4, 0, 0, 0, 2, 2, 2, True),
        (run, 1, 1, 0, 0, 0, 0, 1, 0, 0, False),
        (run, 2, 0, 0, 0, 0, 0, 1, 1, 1, True),
    ]
    assert stored(lease).last_iteration.tolist()[:5] == [2, 0, 0, 0, 1]


def test_an_iteration_without_visits_advances(lease: Lease) -> None:
    begin(lease, 1)
    finish(lease, 1, [], stamped=0)
    assert stored(lease).last_iteration.max() == 0


def test_new_observations_enter_with_an_iteration_and_only_once(lease: Lease) -> None:
    assert stored(lease).last_iteration.tolist() == []
    assert begin(lease, 1, observations=3) == 3
    assert begin(lease, 1, observations=5) == 0
    finish(lease, 1, [Visit(0, 1, 1, (1,), True)], stamped=1)
    assert begin(lease, 2, observations=5) == 2
    assert stored(lease).last_iteration.tolist() == [1, 0, 0, 0, 0]
    finish(lease, 2, [], stamped=0)
    assert begin(lease, 3, observations=5) == 0


@pytest.mark.parametrize(
    "visits", [[Visit(N, 1, 1, (1,), True)], [Visit(2, 1, 1, (1,), True), Visit(3, 1, 1, (1,), True)]]
)
def test_visits_that_do_not_fit_the_state_change_nothing(lease: Lease, visits: list[Visit]) -> None:
    begin(lease, 1)
    with lease.transaction() as connection:
        connection.execute(text("UPDATE observation_statistics SET last_iteration = 9 WHERE position = 3"))
    with pytest.raises(StageError, match="does not fit"):
        finish(lease, 1, visits, stamped=1)
    with lease.engine.connect() as connection:
        assert connection.scalar(text("SELECT count(*) FROM observation_events")) == 0
        assert connection.scalar(text("SELECT phase FROM iterations")) == "sampling"


def test_a_missing_row_is_noticed(lease: Lease) -> None:
    begin(lease, 1)
    with lease.transaction() as connection:
        connection.execute(text("DELETE FROM observation_statistics WHERE position = 5"))
    with pytest.raises(StageError, match="lacks the statistics"):
        stored(lease)


def test_a_connection_that_is_cut_fails_as_in_any_other_query(database: Engine) -> None:
    with database.connect() as connection:
        mine = connection.scalar(text("SELECT pg_backend_pid()"))
        with database.connect() as other:
            other.execute(text("SELECT pg_terminate_backend(:mine)"), {"mine": mine})
        with pytest.raises(OperationalError):
            read_statistics(connection, 1)
        assert connection.invalidated
