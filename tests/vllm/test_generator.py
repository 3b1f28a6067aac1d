"""Generation by vLLM: the same text as by transformers, in every batch, in as many engines as wanted."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from adastar_core.config import GeneratorSettings
from adastar_core.errors import ConfigError, DataError
from adastar_core.generators import Decoding
from adastar_core.generators.catalogue import choose_engine, vllm_is_for_cpu
from adastar_core.generators.transformers import TransformersGenerator, open_transformers
from adastar_core.generators.vllm import VllmGenerator
from adastar_core.models.source import resolve_model
from adastar_core.records import Attempt, FinishReason, GenerationRequest
from tests.support.attempts import DECODINGS, GREEDY, SAMPLED, STOPPED, in_batches, requests
from tests.support.ties import divergence_gap
from tests.vllm.conftest import started

NEAR_TIE = 1e-4


@pytest.fixture(scope="module")
def model_dir() -> Path:
    return resolve_model("tiny-adder")


@pytest.fixture(scope="module")
def engine(model_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[VllmGenerator]:
    generator = started(model_dir, tmp_path_factory.mktemp("engine"))
    yield generator
    generator.close()


@pytest.fixture(scope="module")
def reference(model_dir: Path) -> TransformersGenerator:
    return open_transformers(model_dir, GeneratorSettings(dtype="float32"))


def assert_parted_at_near_ties_only(
    reference: TransformersGenerator,
    wanted: list[GenerationRequest],
    decoding: Decoding,
    first: list[Attempt],
    second: list[Attempt],
) -> None:
    gaps = [
        divergence_gap(reference, request, decoding, one, other)
        for request, one, other in zip(wanted, first, second, strict=True)
        if one.finish_reason is not FinishReason.STOP
    ]
    assert all(gap < NEAR_TIE for gap in gaps if gap is not None)
    assert sum(gap is None for gap in gaps) > 0.99 * len(gaps)


def unpadded(attempt: Attempt) -> Attempt:
    return replace(attempt, padded_prompt_tokens=0, padded_generated_tokens=0)


def test_auto_takes_the_vllm_that_is_built_for_this_machine() -> None:
    choice = choose_engine(GeneratorSettings(), 10**8)
    assert vllm_is_for_cpu() != torch.cuda.is_available()
    assert (choice.engine, choice.why[:8]) == ("vllm", "vLLM for")
    assert torch.cuda.is_available() or choose_engine(GeneratorSettings(), 10**5).engine == "transformers"
    assert choose_engine(GeneratorSettings(dtype="float64"), 10**8).engine == "transformers"


@pytest.mark.parametrize("decoding", DECODINGS.values(), ids=DECODINGS)
def test_vllm_samples_what_transformers_samples(
    engine: VllmGenerator, reference: TransformersGenerator, decoding: Decoding
) -> None:
    wanted = requests(120)
    ours, theirs = engine.generate(wanted, decoding), reference.generate(wanted, decoding)
    assert_parted_at_near_ties_only(reference, wanted, decoding, ours, theirs)
    same = [(one, other) for one, other in zip(ours, theirs, strict=True) if one.response == other.response]
    assert len(same) >= 119
    assert all(unpadded(one) == unpadded(other) for one, other in same)
    assert (FinishReason.STOP in {attempt.finish_reason for attempt in ours}) == bool(decoding.stop)


def test_batches_of_1_7_and_512_part_at_near_ties_only(
    engine: VllmGenerator, reference: TransformersGenerator
) -> None:
    wanted = requests(30)
    alone, few, all_at_once = (in_batches(engine, wanted, SAMPLED, size) for size in (1, 7, 512))
    for other in (few, all_at_once):
        assert_parted_at_near_ties_only(reference, wanted, SAMPLED, alone, other)
    assert engine.generate(wanted[::-1], SAMPLED)[::-1] == all_at_once


def test_attempts_at_one_prompt_have_streams_of_their_own(engine: VllmGenerator) -> None:
    first = requests(1)[0]
    many = [replace(first, prompt="77777+88888=", attempt=k, stream=first.stream + k) for k in range(1, 33)]
    attempts = engine.generate(many, replace(SAMPLED, temperature=2.0))
    assert [attempt.attempt for attempt in attempts] == list(range(1, 33))
    assert len({attempt.response for attempt in attempts}) > 24


def test_greedy_is_the_same_for_every_stream(engine: VllmGenerator) -> None:
    wanted = requests(10)
    greedy = engine.generate(wanted, GREEDY)
    assert engine.generate([replace(one, stream=7) for one in wanted], GREEDY) == greedy
    assert {attempt.stream for attempt in greedy} == {0}


def test_tokens_are_counted_and_nothing_is_padded(engine: VllmGenerator) -> None:
    for request, attempt in zip(requests(20), engine.generate(requests(20), STOPPED), strict=True):
        extra = {FinishReason.EOS: 1, FinishReason.STOP: 4, FinishReason.LENGTH: 0}[attempt.finish_reason]
        assert attempt.prompt_tokens == attempt.padded_prompt_tokens == len(request.prompt)
        assert attempt.generated_tokens == attempt.padded_generated_tokens == len(attempt.response) + extra


def test_a_response_that_does_not_end_is_cut(engine: VllmGenerator) -> None:
    cut = engine.generate(requests(8), replace(SAMPLED, max_new_tokens=5))
    assert {(attempt.finish_reason, attempt.generated_tokens) for attempt in cut} == {
        (FinishReason.LENGTH, 5)
    }


def test_requests_that_cannot_be_generated_are_named(engine: VllmGenerator) -> None:
    one, other = requests(2)
    with pytest.raises(DataError, match="prompt of observation 1 is empty"):
        engine.generate([one, replace(other, prompt="")], SAMPLED)
    with pytest.raises(ConfigError, match=r"observation 0 has 2050 tokens.*2048"):
        engine.generate([replace(one, prompt="0123456789" * 205)], SAMPLED)
    long = replace(one, prompt="0123456789" * 204)
    assert engine.generate([long], replace(GREEDY, max_new_tokens=100))[0].generated_tokens <= 8
    assert engine.generate([], SAMPLED) == []
    assert engine.generate([one], GREEDY)[0].generated_tokens > 1


def test_two_engines_side_by_side_give_what_one_gives(
    engine: VllmGenerator, model_dir: Path, tmp_path: Path
) -> None:
    both = started(model_dir, tmp_path, vllm={"kv_cache_gib": 0.125, "data_parallel": 2})
    assert len(set(both.pids)) == 2
    wanted = requests(41)
    assert both.generate(wanted, GREEDY) == engine.generate(wanted, GREEDY)
    assert both.generate(wanted[:1], SAMPLED) == engine.generate(wanted[:1], SAMPLED)
    both.close()
