"""Orders that change within an iteration: what decides them, and that nothing else does."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from adastar_core import streams
from adastar_core.errors import ConfigError
from adastar_core.records import Observation
from adastar_core.samplers import Revising, Sampler, Statistics
from adastar_core.samplers.catalogue import AnySamplerSettings, open_sampler
from adastar_core.samplers.revising import FIRST_REVISION, order_given
from adastar_core.selection import Judged, Rules, Selection, close, next_attempts
from tests.support.samplers import parse

WORDS = 10
EASY = 3
POOL = [Observation(f"id_{number}", " ".join(["w"] * (1 + number % WORDS)), "1") for number in range(2000)]
RULES = Rules(attempts=2, until_correct=True, rationalize=False, count_hinted_wins=True)


def sampler(settings: AnySamplerSettings) -> Sampler:
    return open_sampler(settings, 3, POOL, Statistics.empty(len(POOL)), lambda: ())


def is_easy(position: int) -> bool:
    return position % WORDS < EASY


def iteration(settings: AnySamplerSettings, batch_size: int, beta: int = 150) -> tuple[Selection, int]:
    """Sample an iteration in waves, each planned by a sampler that has just been opened; return it and its waves.

    Questions of at most three words are right at half of their attempts, the others never.
    """
    results: dict[int, list[Judged]] = {}
    waves = 0
    while wave := next_attempts(
        order_given(sampler(settings), 1, results, RULES), results, RULES, beta, batch_size
    ):
        waves += 1
        for one in wave:
            lucky = streams.rng(7, "half", one.position, one.attempt).random() < 0.5
            judged = Judged(one.attempt, one.hinted, lucky and is_easy(one.position), tokens=10)
            results.setdefault(one.position, []).append(judged)
    return close(order_given(sampler(settings), 1, results, RULES), results, RULES, beta), waves


def share_of_easy(visits: Sequence[int]) -> float:
    return sum(map(is_easy, visits)) / len(visits)


def test_frontier_leaves_the_hopeless_within_its_first_iteration() -> None:
    selected, _ = iteration(parse({"type": "frontier"}), batch_size=64)
    positions = [visit.position for visit in selected.visits]
    assert not selected.exhausted
    assert len(set(positions)) == len(positions)
    assert share_of_easy(positions[:FIRST_REVISION]) == pytest.approx(EASY / WORDS, abs=0.12)
    assert share_of_easy(positions[FIRST_REVISION:]) > 1.5 * EASY / WORDS
    in_random_order, _ = iteration(parse({"type": "random"}), batch_size=64)
    assert selected.m < 0.75 * in_random_order.m


@pytest.mark.parametrize("batch_size", [1, 7, 1000])
def test_what_is_selected_depends_on_the_verdicts_alone(batch_size: int) -> None:
    """Not on what is generated at once, nor on the process that plans a wave."""
    settings = parse({"type": "frontier"})
    assert iteration(settings, batch_size)[0] == iteration(settings, batch_size=64)[0]


def test_the_order_ends_where_it_waits_for_verdicts() -> None:
    opened = sampler(parse({"type": "frontier"}))
    assert isinstance(opened, Revising)
    assert len(list(order_given(opened, 1, {}, RULES))) == FIRST_REVISION
    plain = sampler(parse({"type": "random"}))
    assert len(list(order_given(plain, 1, {}, RULES))) == len(POOL)


def test_a_pool_is_visited_to_its_end() -> None:
    selected, _ = iteration(parse({"type": "frontier"}), batch_size=64, beta=100_000)
    assert selected.exhausted
    assert sorted(visit.position for visit in selected.visits) == list(range(len(POOL)))


OWN = """
class Own:
    def __init__(self, statistics, seed, observation_ids):
        self.count = len(observation_ids)

    def order(self, iteration):
        return iter(range(self.count))

    def revised(self, iteration, visits):
        seen = {visit.position for visit in visits}
        return (position for position in reversed(range(self.count)) if LEAVE_OUT)
"""


def test_a_sampler_of_your_own_may_revise_its_order(tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text(OWN.replace("LEAVE_OUT", "position not in seen"))
    settings = parse({"type": "custom", "path": f"{tmp_path / 'own.py'}:Own"})
    selected, _ = iteration(settings, batch_size=64)
    positions = [visit.position for visit in selected.visits]
    first_of_the_rest = list(range(len(POOL) - 1, len(POOL) - 11, -1))
    assert positions[: FIRST_REVISION + 10] == [*range(FIRST_REVISION), *first_of_the_rest]


def test_a_revision_that_repeats_a_visit_is_refused(tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text(OWN.replace("LEAVE_OUT", "True"))
    settings = parse({"type": "custom", "path": f"{tmp_path / 'own.py'}:Own"})
    with pytest.raises(ConfigError, match=r"Own\.revised gave the position \d+, which is visited already"):
        iteration(settings, batch_size=64, beta=400)
