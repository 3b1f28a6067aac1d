"""The packaged base model of countdown: small, reproducible, right at times, and never trained on what it is measured on."""

import importlib.util
import sys
from collections import defaultdict
from itertools import islice
from pathlib import Path
from types import ModuleType

import pytest

from adastar_core.config import GeneratorSettings
from adastar_core.generators import Decoding
from adastar_core.generators.transformers import open_transformers
from adastar_core.models.source import parameter_count, resolve_model
from adastar_core.problems.countdown import Countdown, CountdownSettings, parse_question
from adastar_core.records import GenerationRequest, Observation, Outcome, Split

SCRIPTS = Path(__file__).parents[2] / "scripts"


@pytest.fixture(scope="module")
def directory() -> Path:
    return resolve_model("tiny-countdown")


@pytest.fixture(scope="module")
def builder() -> ModuleType:
    sys.path.insert(0, str(SCRIPTS))  # it builds on the script of tiny-adder beside it
    spec = importlib.util.spec_from_file_location("build_tiny_countdown", SCRIPTS / "build_tiny_countdown.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    sys.path.remove(str(SCRIPTS))
    return module


def test_it_is_small(directory: Path) -> None:
    assert parameter_count(directory) <= 1_000_000
    assert sum(path.stat().st_size for path in directory.iterdir()) <= 4_000_000


def test_more_numbers_are_harder_and_there_is_room_above(directory: Path) -> None:
    countdown = Countdown(CountdownSettings(validation=120))
    rows = countdown.load(Split.VALIDATION)
    requests = [
        GenerationRequest(place, 1, False, countdown.prompt(row), 0) for place, row in enumerate(rows)
    ]
    generator = open_transformers(directory, GeneratorSettings())
    attempts = generator.generate(requests, Decoding(greedy=True, temperature=1, top_p=1, max_new_tokens=60))
    right: dict[str | None, list[bool]] = defaultdict(list)
    for row, attempt in zip(rows, attempts, strict=True):
        verdict = countdown.verifier.verify(row, attempt.response, attempt.finish_reason)
        right[row.difficulty].append(verdict.outcome is Outcome.RIGHT)
    accuracy = {size: sum(outcomes) / len(outcomes) for size, outcomes in right.items()}
    assert accuracy["4 numbers"] < accuracy["3 numbers"] < accuracy["2 numbers"]
    assert 0.1 < accuracy["3 numbers"] < 0.5


def test_its_texts_are_right_and_of_training_puzzles_alone(builder: ModuleType) -> None:
    countdown = Countdown(CountdownSettings())
    for prompt, rationale in islice(builder.texts(), 500):
        puzzle = parse_question(prompt.strip())
        assert puzzle.split is Split.TRAIN
        row = Observation(puzzle.question, puzzle.question, rationale.partition("#### ")[2])
        assert countdown.prompt(row) == prompt
        assert countdown.rationale_is_correct(row, rationale) is True


def test_the_builder_writes_the_shipped_configuration_and_tokenizer(
    builder: ModuleType, directory: Path, tmp_path: Path
) -> None:
    adder = sys.modules["build_tiny_adder"]
    adder.build(tmp_path, builder.texts(), 0)
    rebuilt, shipped = adder.digests(tmp_path), adder.digests(directory)
    assert {name for name in shipped if shipped[name] != rebuilt[name]} == {"model.safetensors"}
