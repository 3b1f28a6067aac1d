"""The test that tells right attempts from guesses, and the walk that goes by it."""

from contextlib import nullcontext
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom

from adastar_core.config import files
from adastar_core.errors import ConfigError
from adastar_core.records import Choice, Observation, Split
from adastar_core.runs.guessing import check_guessing, options_of
from adastar_core.runs.warnings import data_warnings
from adastar_core.selection import Judged, Rules, close, next_attempts
from adastar_core.selection.luck import Luck, chance, least_attempts
from adastar_core.selection.rules import AtBeta, WholePool

GUESSING = ("method=rest-em", "filter.guessing=0.05")


def rows(options: int, count: int = 20) -> list[Observation]:
    """Questions with so many options; with 0, an answer each."""
    choices = tuple(Choice(label, f"text {label}") for label in "ABCDE"[:options])
    return [Observation(str(n), f"Which is {n}?", "A" if options else str(n), choices) for n in range(count)]


@given(st.integers(1, 12), st.integers(2, 8), st.data())
def test_the_chance_is_the_binomial_tail(attempts: int, options: int, data: st.DataObject) -> None:
    right = data.draw(st.integers(0, attempts))
    assert float(chance(right, attempts, options)) == pytest.approx(
        binom.sf(right - 1, attempts, 1 / options)
    )


def test_the_level_itself_is_accepted_and_open_answers_are_no_luck() -> None:
    assert chance(2, 2, 4) == Fraction(1, 16)
    assert not Luck(1 / 16, [4]).explains(0, 2, 2)
    assert Luck(0.0624, [4]).explains(0, 2, 2)
    assert not Luck(0.05, [0]).explains(0, 1, 4)
    assert not Luck(0.05, [4]).explains(0, 0, 4), "nothing right, nothing to explain"


@pytest.mark.parametrize(
    ("options", "level", "least"), [(2, 0.05, 5), (3, 0.05, 3), (4, 0.05, 3), (5, 0.05, 2), (2, 0.5, 1)]
)
def test_least_attempts_are_the_first_that_can_pass(options: int, level: float, least: int) -> None:
    assert least_attempts(options, level) == least
    assert chance(least, least, options) <= level < chance(least - 1, least - 1, options)


@settings(max_examples=150)
@given(
    st.integers(1, 40), st.integers(1, 30), st.integers(3, 6), st.sampled_from([None, 1, 2]), st.booleans(),
    st.sampled_from([1, 3, 8, 512]), st.integers(0, 10_000),
)  # fmt: skip
def test_the_walk_accepts_what_guessing_does_not_explain(
    pool: int, beta: int, attempts: int, cut_off: int | None, whole: bool, batch_size: int, seed: int
) -> None:
    """Waves of any size select what one visit after the other does: the first beta of those that pass."""
    right = np.random.default_rng(seed).random((pool, attempts)) < np.linspace(0, 1, pool)[::-1, None]
    options = [2 + position % 4 for position in range(pool)]
    stop = WholePool() if whole else AtBeta()
    luck = Luck(0.1, options)
    rules = Rules(
        attempts,
        until_correct=False,
        rationalize=False,
        count_hinted_wins=True,
        cut_off=cut_off,
        stop=stop,
        luck=luck,
    )
    results: dict[int, list[Judged]] = {}
    while planned := next_attempts(range(pool), results, rules, beta, batch_size):
        for one in planned:
            judged = Judged(one.attempt, one.hinted, bool(right[one.position, one.attempt - 1]))
            results.setdefault(one.position, []).append(judged)
    selected = close(range(pool), results, rules, beta)
    expected: list[tuple[int, int]] = []
    visited = 0
    while visited < pool and (whole or len(expected) < beta):
        hits = (np.flatnonzero(right[visited]) + 1).tolist()
        if binom.sf(len(hits) - 1, attempts, 1 / options[visited]) <= 0.1:
            expected += [(visited, hit) for hit in hits[:cut_off]]
        visited += 1
    assert (selected.accepted, selected.m) == (expected, visited)
    assert [visit.correct for visit in selected.visits] == right[:visited].sum(axis=1).tolist()


def test_a_guess_is_among_options_or_classes() -> None:
    yes_no = [Observation(str(n), f"Is {n}?", "yes" if n % 2 else "no") for n in range(20)]
    assert set(options_of(yes_no)) == {2}
    assert options_of([*rows(4, 1), *rows(5, 1)]) == [4, 5]
    assert set(options_of(rows(0))) == {0}


@pytest.mark.parametrize(
    ("train", "overrides", "said"),
    [
        (rows(4), ("attempts=2",), r"can accept nothing with attempts \(2\).*Set attempts to 3 or more"),
        (rows(2), ("attempts=4",), r"guessing among 2 answers.*Set attempts to 5 or more"),
        (rows(0), (), r"20 of 20 training questions have neither"),
        ([*rows(4), *rows(0, 1)], (), r"1 of 21 training questions have neither"),
    ],
)
def test_what_nothing_could_pass_is_refused(
    train: list[Observation], overrides: tuple[str, ...], said: str
) -> None:
    with pytest.raises(ConfigError, match=said):
        check_guessing(files.resolve({}, [*GUESSING, *overrides]), train)
    check_guessing(files.resolve({}, []), train)


def test_a_part_that_cannot_pass_is_told() -> None:
    train, other = [*rows(5), *rows(2, 3)], rows(5, 100)
    config = files.resolve({}, [*GUESSING, "attempts=2", "schedule.first_steps=1", "trainer.batch_size=1"])
    check_guessing(config, train)
    (said,) = data_warnings(config, {Split.TRAIN: train, Split.VALIDATION: other, Split.TEST: other})
    assert "can accept nothing of 3 of 23 training questions" in said
    assert said.endswith("Set attempts to 5 or more.")


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        (("attempt_mode=until_correct",), "needs attempt_mode independent, not until_correct"),
        (("rationales=reference",), "needs rationales model, not reference"),
        (("exploration.control=balance",), "needs exploration.control fixed or temperature, not balance"),
        (("sampler=boundary",), "needs sampler one that allots no attempts, not boundary"),
    ],
)
def test_attempts_that_do_not_all_count_are_refused(overrides: tuple[str, ...], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        files.resolve({}, [*GUESSING, *overrides])


@pytest.mark.parametrize("allots", [False, True])
def test_a_sampler_of_the_users_own_that_allots_attempts_is_refused(tmp_path: Path, *, allots: bool) -> None:
    budget = " def budget(self, position, judged): ...\n" if allots else ""
    own = f"class Own:\n def __init__(self, *_): ...\n def order(self, iteration): return []\n{budget}"
    (tmp_path / "own.py").write_text(own)
    sampler = ("sampler.type=custom", f"sampler.path={tmp_path}/own.py:Own")
    config = files.resolve({}, [*GUESSING, "attempts=4", *sampler])
    with (
        pytest.raises(ConfigError, match="needs all attempts of every observation")
        if allots
        else nullcontext()
    ):
        check_guessing(config, rows(4))
