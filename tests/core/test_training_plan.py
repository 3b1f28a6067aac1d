from collections.abc import Sequence
from pathlib import Path

import pytest
from transformers import AutoTokenizer

from adastar_core.config import GeneratorSettings, TrainerSettings
from adastar_core.errors import DataError
from adastar_core.generators import Decoding
from adastar_core.generators.transformers import open_transformers
from adastar_core.models.vocabulary import Vocabulary
from adastar_core.records import GenerationRequest
from adastar_core.trainers import TrainingExample
from adastar_core.trainers.batches import IGNORED, collate
from adastar_core.trainers.optimizer import learning_rate_factor
from adastar_core.trainers.rows import TrainingRow, plan_training, tokenize
from tests.support.tiny_llama import write_tiny_llama, write_tokenizer

EXAMPLES = tuple(TrainingExample(f"{a}+4=", f"#### {a + 4}", f"sum {a}") for a in range(20))


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("tokenizer")
    write_tokenizer(directory)
    return directory


# Rows


def _rows(
    base: Path, examples: Sequence[TrainingExample] = EXAMPLES, max_length: int = 64
) -> list[TrainingRow]:
    return tokenize(examples, Vocabulary(base), max_length)


def test_the_prompt_is_masked_and_eos_is_trained(base: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(base)
    (row,) = _rows(base, [TrainingExample("1+2=", "3", "one")])
    assert tokenizer.decode(list(row.tokens)) == "1+2=3</s>"
    batch = collate([row, TrainingRow(row.tokens[:5], 4)], padding=0)
    trained = [
        tokenizer.decode([token for token in labels if token != IGNORED])
        for labels in batch["labels"].tolist()
    ]
    assert trained == ["3</s>", "3"]
    assert batch["attention_mask"].tolist() == [[1] * 6, [1] * 5 + [0]]
    assert row.trained_tokens == 2


def test_the_prompt_keeps_the_tokens_that_generation_sees(tmp_path: Path) -> None:
    """A byte-pair tokenizer that merges ``= 5`` across the border, were the two texts tokenised together."""
    from tokenizers import Tokenizer, models
    from transformers import PreTrainedTokenizerFast

    vocabulary = {"<eos>": 0, "2": 1, "=": 2, "5": 3, "=5": 4}
    merging = Tokenizer(models.BPE(vocabulary, [("=", "5")]))
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=merging, eos_token="<eos>")
    tokenizer.save_pretrained(tmp_path)
    assert tokenizer("2=5").input_ids == [1, 4]
    (row,) = tokenize([TrainingExample("2=", "5", "one")], Vocabulary(tmp_path), 64)
    assert list(row.tokens[: row.prompt_tokens]) == tokenizer("2=").input_ids == [1, 2]
    assert row.tokens[row.prompt_tokens :] == (3, 0)


def test_the_generator_counts_the_same_prompt_tokens(tmp_path: Path) -> None:
    write_tokenizer(write_tiny_llama(tmp_path), bos_prefix=True)
    generator = open_transformers(tmp_path, GeneratorSettings())
    requests = [GenerationRequest(n, 1, False, example.prompt, n) for n, example in enumerate(EXAMPLES)]
    attempts = generator.generate(requests, Decoding(False, 1.0, 1.0, 2))
    generator.close()
    assert [row.prompt_tokens for row in _rows(tmp_path)] == [attempt.prompt_tokens for attempt in attempts]


def test_a_tokenizer_that_starts_texts_with_bos_does_so_once(tmp_path: Path) -> None:
    write_tokenizer(tmp_path, bos_prefix=True)
    (row,) = tokenize([TrainingExample("1", "2", "one")], Vocabulary(tmp_path), 64)
    assert row.tokens == (1, 5, 6, 2)
    assert row.prompt_tokens == 2


def test_special_tokens_written_by_the_model_stay_text(base: Path) -> None:
    (row,) = _rows(base, [TrainingExample("1", "2</s>3", "one")])
    eos = AutoTokenizer.from_pretrained(base).eos_token_id
    assert row.tokens.index(eos) == len(row.tokens) - 1


@pytest.mark.parametrize(
    ("example", "message"),
    [
        (TrainingExample("1+1=", "", "obs-7, attempt 2"), r"'obs-7, attempt 2' has no token to train.*''"),
        (
            TrainingExample("1+1=", "2" * 60, "obs-8, attempt 1"),
            r"'obs-8, attempt 1' has 65 tokens, more than 64 .*trainer\.max_length",
        ),
    ],
)
def test_rows_that_cannot_be_trained_are_refused_by_name(
    base: Path, example: TrainingExample, message: str
) -> None:
    with pytest.raises(DataError, match=message):
        _rows(base, [*EXAMPLES, example])


def _plan_rows(count: int) -> list[TrainingRow]:
    return [TrainingRow((number,) * (number + 2), 1) for number in range(count)]


@pytest.mark.parametrize(("count", "steps"), [(1, 1), (8, 1), (9, 2), (24, 3)])
def test_shrink_trains_every_row_once(count: int, steps: int) -> None:
    plan = plan_training(
        _plan_rows(count), TrainerSettings(batch_size=8), planned_steps=2, seed=0, iteration=1
    )
    assert plan.steps == steps
    assert sorted(plan.rows, key=lambda row: row.tokens) == _plan_rows(count)


@pytest.mark.parametrize(("count", "rows"), [(3, 16), (16, 16), (17, 17)])
def test_repeat_fills_the_planned_steps_evenly(count: int, rows: int) -> None:
    settings = TrainerSettings(batch_size=8, on_exhausted="repeat")
    plan = plan_training(_plan_rows(count), settings, planned_steps=2, seed=0, iteration=1)
    uses = [plan.rows.count(row) for row in _plan_rows(count)]
    assert len(plan.rows) == rows
    assert max(uses) - min(uses) <= 1


def test_every_pass_iteration_and_seed_has_its_own_order() -> None:
    settings = TrainerSettings(batch_size=10, on_exhausted="repeat")
    orders = {
        plan_training(_plan_rows(20), settings, 2, seed, t).rows for seed in range(3) for t in range(1, 4)
    }
    assert len(orders) == 9
    plan = plan_training(_plan_rows(20), settings, planned_steps=4, seed=0, iteration=1)
    assert plan.rows[:20] != plan.rows[20:]
    assert plan == plan_training(_plan_rows(20), settings, planned_steps=4, seed=0, iteration=1)


def test_tokens_are_counted_with_and_without_padding() -> None:
    rows = (
        TrainingRow((1,) * 4, 2),
        TrainingRow((1,) * 7, 2),
        TrainingRow((1,) * 3, 1),
        TrainingRow((1,) * 2, 0),
    )
    settings = TrainerSettings(batch_size=4, micro_batch_size=2)
    plan = plan_training(rows, settings, planned_steps=1, seed=0, iteration=1)
    lengths = [len(row.tokens) for row in plan.rows]
    assert plan.train_tokens() == [16]
    assert plan.trained_tokens() == [2 + 5 + 2 + 1]
    assert plan.padded_train_tokens() == 2 * max(lengths[:2]) + 2 * max(lengths[2:])


# The schedule


@pytest.mark.parametrize(
    ("decay", "factors"),
    [
        ("constant", [0.5, 1.0, 1.0, 1.0, 1.0]),
        ("linear", [0.5, 1.0, 1.0, 2 / 3, 1 / 3]),
        ("cosine", [0.5, 1.0, 1.0, 0.75, 0.25]),
    ],
)
def test_the_learning_rate_warms_up_and_decays(decay: str, factors: list[float]) -> None:
    settings = TrainerSettings().model_copy(update={"warmup_steps": 2, "decay": decay})
    assert [learning_rate_factor(step, 5, settings) for step in range(5)] == pytest.approx(factors)


def test_a_warm_up_longer_than_the_training_stays_below_the_peak() -> None:
    settings = TrainerSettings(warmup_steps=100)
    assert [learning_rate_factor(step, 40, settings) for step in (0, 39)] == pytest.approx([0.01, 0.4])


# What training needs
