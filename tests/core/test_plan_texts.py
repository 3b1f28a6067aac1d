"""The lengths of a problem's texts, of which a plan tokenises few: against those of all of them."""

import random
from pathlib import Path
from statistics import fmean

import pytest

from adastar_core.models.vocabulary import Vocabulary
from adastar_core.planning.texts import LOOKED_AT, SAMPLED, longest_of, measure_texts
from adastar_core.problems.table import Table, TableSettings
from adastar_core.records import Split
from tests.support.tokenizers import KINDS, write_kind

EXAMPLES = "".join(f"Q: How many are {i} + {i}?\nA: They are {2 * i}.\n\n" for i in range(20))
WORDS = [
    "apples",
    "are",
    "12",
    "1000",
    "-",
    "7",
    "=",
    "how",
    "many",
    "日本",
    "déjà",
    "vu",
    "so",
    "there",
    "the",
    "",
    "two",
    "spaces",
]


@pytest.fixture(scope="module", params=KINDS)
def vocabulary(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Vocabulary:
    return Vocabulary(write_kind(tmp_path_factory.mktemp("model"), request.param))


def prompts(count: int, shared: str, seed: int) -> list[str]:
    dice = random.Random(seed)
    return [f"{shared}Q: {' '.join(dice.choices(WORDS, k=dice.randint(1, 30)))}?\nA:" for _ in range(count)]


@pytest.mark.parametrize("shared", ["", EXAMPLES, "Answer. "])
def test_the_longest_prompt_is_found(vocabulary: Vocabulary, shared: str) -> None:
    for seed, count in enumerate([1, 2, 40, 300, LOOKED_AT + 200]):
        texts = prompts(count, shared, seed)
        assert longest_of(vocabulary, texts) == max(map(len, vocabulary.prompt_ids(texts)))


def test_means_are_those_of_a_sample_that_the_seed_draws(vocabulary: Vocabulary, tmp_path: Path) -> None:
    dice = random.Random(0)
    rows = [f"{' '.join(dice.choices(WORDS, k=9))} {i},{i}\n" for i in range(3 * SAMPLED)]
    (tmp_path / "t.csv").write_text("question,answer\n" + "".join(rows))
    problem = Table(TableSettings(path=str(tmp_path / "t.csv")))
    train = problem.load(Split.TRAIN)
    every = fmean(map(len, vocabulary.prompt_ids([problem.prompt(row) for row in train])))
    one, again, other = (
        measure_texts(problem, train, vocabulary, seed=seed, hints=False) for seed in (0, 0, 1)
    )
    assert one == again != other
    assert one.sampled == SAMPLED < len(train)
    assert one.prompt == pytest.approx(every, rel=0.03)
    few = measure_texts(problem, train[:50], vocabulary, seed=0, hints=False)
    assert few.sampled == 50
    assert few.prompt == fmean(map(len, vocabulary.prompt_ids([problem.prompt(row) for row in train[:50]])))
