"""Generation by transformers: the same text in every batch, equal to decoding one row naively, and exact in its counts."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from typing import get_args

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch.utils._python_dispatch import TorchDispatchMode
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    GPT2Config,
    GPT2LMHeadModel,
    MistralConfig,
    MistralForCausalLM,
    PreTrainedModel,
)

from adastar_core.config import GeneratorSettings
from adastar_core.errors import ConfigError, DataError, ModelError
from adastar_core.generators import Decoding
from adastar_core.generators.catalogue import ENGINES, LocalEngines, choose_engine
from adastar_core.generators.noise import noisy_scores, signed
from adastar_core.generators.precision import arithmetic
from adastar_core.generators.prefix import Prefix, Prefixes
from adastar_core.generators.settings import EngineName
from adastar_core.generators.steps import ALIGNED, Cached
from adastar_core.generators.transformers import TransformersGenerator, open_transformers
from adastar_core.models.source import resolve_model
from adastar_core.records import FinishReason, GenerationRequest
from tests.support.attempts import DECODINGS, GREEDY, NUCLEUS, SAMPLED, STOPPED, in_batches, requests
from tests.support.ties import divergence_gap

EOS = 1


@pytest.fixture(scope="module")
def model_dir() -> Path:
    return resolve_model("tiny-adder")


@pytest.fixture(scope="module")
def exact(model_dir: Path) -> TransformersGenerator:
    return open_transformers(model_dir, GeneratorSettings(dtype="float64"))


@pytest.fixture(scope="module")
def single(model_dir: Path) -> TransformersGenerator:
    return open_transformers(model_dir, GeneratorSettings(dtype="float32"))


def naive(model_dir: Path, request: GenerationRequest, decoding: Decoding) -> str:
    """Decode one row in float64 without batch, padding or cache: the definition that the generator must meet."""
    tokenizer = AutoTokenizer.from_pretrained(model_dir)
    tokens = tokenizer(request.prompt).input_ids
    start = len(tokens)
    stream = torch.tensor([signed(request.stream)])
    with arithmetic(torch.float64), torch.no_grad():
        model = AutoModelForCausalLM.from_pretrained(model_dir, dtype=torch.float64)
        for step in range(decoding.max_new_tokens):
            logits = model(input_ids=torch.tensor([tokens])).logits[:, -1]
            token = int(noisy_scores(logits, stream, step, decoding).argmax())
            if token in tokenizer.all_special_ids:
                break
            tokens.append(token)
    return tokenizer.decode(tokens[start:], skip_special_tokens=True)


@pytest.mark.parametrize("decoding", DECODINGS.values(), ids=DECODINGS)
def test_float64_gives_the_same_text_in_batches_of_1_7_and_512(
    exact: TransformersGenerator, decoding: Decoding
) -> None:
    wanted = requests(9)
    alone, few, all_at_once = (in_batches(exact, wanted, decoding, size) for size in (1, 7, 512))
    unpadded = [replace(attempt, padded_prompt_tokens=0, padded_generated_tokens=0) for attempt in alone]
    for batched in (few, all_at_once):
        assert [
            replace(row, padded_prompt_tokens=0, padded_generated_tokens=0) for row in batched
        ] == unpadded
    assert (FinishReason.STOP in {attempt.finish_reason for attempt in alone}) == bool(decoding.stop)


@pytest.mark.parametrize("decoding", [SAMPLED, NUCLEUS, GREEDY], ids=["sampled", "nucleus", "greedy"])
def test_a_batch_equals_naive_decoding(
    exact: TransformersGenerator, model_dir: Path, decoding: Decoding
) -> None:
    wanted = requests(6)
    batched = exact.generate(wanted, decoding)
    assert [attempt.response for attempt in batched] == [
        naive(model_dir, request, decoding) for request in wanted
    ]


def test_the_order_of_requests_changes_nothing(exact: TransformersGenerator) -> None:
    wanted = requests(20)
    forwards = exact.generate(wanted, SAMPLED)
    assert exact.generate(wanted[::-1], SAMPLED) == forwards[::-1]


def worked(requests: list[GenerationRequest], examples: str) -> list[GenerationRequest]:
    return [replace(request, prompt=examples + request.prompt) for request in requests]


@pytest.mark.parametrize("decoding", [SAMPLED, GREEDY], ids=["sampled", "greedy"])
def test_what_prompts_share_is_read_once_and_changes_nothing(
    exact: TransformersGenerator, monkeypatch: pytest.MonkeyPatch, decoding: Decoding
) -> None:
    """Batches of other beginnings, of one row, and of prompts that share all but a token, in turns."""
    read, real = list[int](), Prefix.read

    def counting(model: PreTrainedModel, tokens: list[int]) -> Prefix:
        read.append(len(tokens))
        return real(model, tokens)

    monkeypatch.setattr(Prefix, "read", counting)
    monkeypatch.setattr(exact, "_prefixes", Prefixes())
    plain = requests(6)
    long, short = worked(plain, "12+34\n" * 9), worked(plain, "7+8\n" * 5)
    same = [replace(request, prompt=long[0].prompt) for request in plain]
    for wanted in (long, short, long[:2], long, same, long):
        alone = in_batches(exact, wanted, decoding, 1)
        assert [one.response for one in exact.generate(wanted, decoding)] == [one.response for one in alone]
    assert read == [48, 16, 48], "a multiple of 16, and again only after another one"


@pytest.mark.parametrize("examples", ["", "12+34\n" * 12], ids=["plain", "after examples"])
def test_float32_differs_between_batch_sizes_only_at_near_ties(
    single: TransformersGenerator, examples: str
) -> None:
    wanted = worked(requests(24), examples)
    alone, few, all_at_once = (in_batches(single, wanted, SAMPLED, size) for size in (1, 7, 512))
    for request, first, second, third in zip(wanted, alone, few, all_at_once, strict=True):
        for other in (second, third):
            gap = divergence_gap(single, request, SAMPLED, first, other)
            assert gap is None or gap < 1e-4


def test_the_gap_where_unequal_attempts_part_is_no_near_tie(single: TransformersGenerator) -> None:
    wanted = requests(30)
    pairs = zip(
        wanted,
        single.generate(wanted, SAMPLED),
        single.generate(requests(30, iteration=2), SAMPLED),
        strict=True,
    )
    gaps = [divergence_gap(single, request, SAMPLED, first, second) for request, first, second in pairs]
    parted = [gap for gap in gaps if gap is not None]
    assert len(parted) > 5
    assert min(parted) > 1e-4


class FloatTypes(TorchDispatchMode):
    """Records the floating types of everything that torch computes."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: set[torch.dtype] = set()

    def __torch_dispatch__(
        self, func: Callable[..., object], types: object, args: tuple[object, ...] = (), kwargs: object = None
    ) -> object:
        result = func(*args, **(kwargs or {}))
        if isinstance(result, torch.Tensor) and result.is_floating_point():
            self.seen.add(result.dtype)
        return result


def test_float64_rounds_nothing_to_float32(exact: TransformersGenerator) -> None:
    with FloatTypes() as results:
        exact.generate(requests(3), NUCLEUS)
    assert results.seen == {torch.float64}
    model = exact._loaded
    assert {tensor.dtype for tensor in (*model.parameters(), *model.buffers())} == {torch.float64}


@pytest.mark.parametrize("decoding", [SAMPLED, GREEDY], ids=["sampled", "greedy"])
def test_the_checkpoint_s_generation_defaults_have_no_influence(
    model_dir: Path, single: TransformersGenerator, tmp_path: Path, decoding: Decoding
) -> None:
    loud = tmp_path / "loud"
    shutil.copytree(model_dir, loud)
    defaults = {
        "do_sample": True,
        "temperature": 3.0,
        "top_k": 1,
        "repetition_penalty": 9.0,
        "max_new_tokens": 2,
        "bad_words_ids": [[21]],
    }
    (loud / "generation_config.json").write_text(json.dumps(defaults))
    other = open_transformers(loud, GeneratorSettings(dtype="float32"))
    assert other.generate(requests(20), decoding) == single.generate(requests(20), decoding)


def test_greedy_ignores_stream_temperature_and_top_p(single: TransformersGenerator) -> None:
    wanted = requests(10)
    other_streams = [replace(request, stream=7) for request in wanted]
    greedy = single.generate(wanted, GREEDY)
    assert single.generate(other_streams, replace(GREEDY, temperature=5, top_p=0.1)) == greedy
    assert {attempt.stream for attempt in greedy} == {0}


def test_streams_decide_what_is_sampled(single: TransformersGenerator) -> None:
    one, again = single.generate(requests(20), SAMPLED), single.generate(requests(20), SAMPLED)
    other = single.generate(requests(20, iteration=2), SAMPLED)
    assert one == again
    assert sum(first.response != second.response for first, second in zip(one, other, strict=True)) > 5


def test_a_response_ends_before_its_stop_string(exact: TransformersGenerator) -> None:
    plain, stopped = exact.generate(requests(40), SAMPLED), exact.generate(requests(40), STOPPED)
    assert any(attempt.finish_reason is FinishReason.STOP for attempt in stopped)
    for whole, cut in zip(plain, stopped, strict=True):
        places = [place for stop in STOPPED.stop if (place := whole.response.find(stop)) >= 0]
        if places:
            assert cut.response == whole.response[: min(places)]
            assert cut.finish_reason is FinishReason.STOP
            assert cut.generated_tokens == len(cut.response) + 4
        else:
            assert (cut.response, cut.finish_reason) == (whole.response, whole.finish_reason)


@pytest.mark.parametrize("size", [1, 2, 15])
def test_in_16_bits_kernels_never_see_a_single_row_or_a_width_between_two_blocks(
    model_dir: Path, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    """In 16-bit formats either of them rounds a row in another way than a batch does."""
    half = open_transformers(model_dir, GeneratorSettings(dtype="bfloat16"))
    shapes: list[tuple[int, int]] = []
    forward = Cached.forward

    def watched(batch: Cached) -> torch.Tensor:
        shapes.append((len(batch._tokens), batch._length))
        logits = forward(batch)
        assert len(logits) == len(batch.places)
        return logits

    monkeypatch.setattr(Cached, "forward", watched)
    in_batches(half, requests(15), SAMPLED, size)
    assert 1 not in {rows for rows, _ in shapes}
    starts = [width for (_, before), (_, width) in pairwise([(0, 10**6), *shapes]) if width < before]
    assert starts
    assert all(width % ALIGNED == 0 for width in starts)


def test_tokens_are_counted_with_and_without_padding(exact: TransformersGenerator) -> None:
    attempts = exact.generate(requests(40), SAMPLED)
    for request, attempt in zip(requests(40), attempts, strict=True):
        ended = attempt.finish_reason is FinishReason.EOS
        assert attempt.prompt_tokens == len(request.prompt)
        assert attempt.generated_tokens == len(attempt.response) + ended
    assert {attempt.padded_prompt_tokens for attempt in attempts} == {
        max(row.prompt_tokens for row in attempts)
    }
    assert {attempt.padded_generated_tokens for attempt in attempts} == {
        max(row.generated_tokens for row in attempts)
    }


def test_a_response_that_does_not_end_is_cut_at_the_longest_length(exact: TransformersGenerator) -> None:
    short, whole = (exact.generate(requests(20), replace(SAMPLED, max_new_tokens=limit)) for limit in (9, 80))
    for cut, full in zip(short, whole, strict=True):
        assert cut.response == full.response[:9]
        assert (cut.finish_reason, cut.generated_tokens) == (FinishReason.LENGTH, 9)


def test_loading_draws_no_progress_bar(model_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    open_transformers(model_dir, GeneratorSettings()).close()
    assert capsys.readouterr() == ("", "")


def test_no_request_gives_no_attempt(single: TransformersGenerator) -> None:
    assert single.generate([], SAMPLED) == []


def random_mistral() -> torch.nn.Module:
    return MistralForCausalLM(
        MistralConfig(
            vocab_size=100, hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4,
            num_key_value_heads=2, sliding_window=8, max_position_embeddings=256, initializer_range=0.2,
            pad_token_id=0, eos_token_id=EOS,
        )
    )  # fmt: skip


def random_gpt2() -> torch.nn.Module:
    return GPT2LMHeadModel(
        GPT2Config(
            vocab_size=100, n_embd=32, n_layer=2, n_head=4, n_positions=256, initializer_range=0.2,
            pad_token_id=0, eos_token_id=EOS, bos_token_id=2, resid_pdrop=0.5,
        )
    )  # fmt: skip


@pytest.mark.parametrize("build", [random_mistral, random_gpt2])
def test_other_architectures_decode_as_they_do_naively(
    build: Callable[[], torch.nn.Module], model_dir: Path, tmp_path: Path
) -> None:
    """Sliding windows and learned positions: other caches, other masks, other ways for padding to leak in."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        build().save_pretrained(tmp_path)
    AutoTokenizer.from_pretrained(model_dir).save_pretrained(tmp_path)
    generator = open_transformers(tmp_path, GeneratorSettings(dtype="float64"))
    decoding = replace(SAMPLED, max_new_tokens=30)
    wanted = requests(8)
    batched = [attempt.response for attempt in generator.generate(wanted, decoding)]
    assert batched == [naive(tmp_path, request, decoding) for request in wanted]
    assert len({len(response) for response in batched}) > 3


def test_the_catalogue_opens_the_engine_for_this_machine(model_dir: Path, tmp_path: Path) -> None:
    settings = GeneratorSettings(type="transformers")
    assert choose_engine(settings, 1).engine == "transformers"
    choice = choose_engine(GeneratorSettings(dtype="float64"), 10**8)
    assert choice.engine == "transformers"
    assert choice.why == ("vLLM has no float64" if find_spec("vllm") else "vLLM is not installed")
    engines = LocalEngines(settings, 1, tmp_path / "engine.log", None)
    generator = engines.open(engines.choose().engine, lambda _: None)
    with pytest.raises(ValueError, match="no checkpoint"):
        generator.generate(requests(2), GREEDY)
    generator.hand_over(model_dir, "a digest")
    assert generator.weights_sha256 == "a digest"
    assert generator.generate(requests(2), GREEDY)[0].generated_tokens > 1
    generator.rest()
    assert generator.weights_sha256 is None
    with pytest.raises(ValueError, match="no checkpoint"):
        generator.generate(requests(2), GREEDY)


def test_every_engine_that_can_be_named_is_in_the_catalogue() -> None:
    assert set(ENGINES) == set(get_args(EngineName))


def test_a_closed_generator_says_so(model_dir: Path) -> None:
    generator = open_transformers(model_dir, GeneratorSettings())
    generator.close()
    with pytest.raises(ValueError, match="closed"):
        generator.generate(requests(2), GREEDY)


def broken(model_dir: Path, target: Path) -> Path:
    shutil.copytree(model_dir, target)
    return target


def test_a_directory_without_weights_is_refused(model_dir: Path, tmp_path: Path) -> None:
    directory = broken(model_dir, tmp_path / "model")
    (directory / "model.safetensors").rename(directory / "pytorch_model.bin")
    with pytest.raises(ModelError, match="cannot be loaded"):
        open_transformers(directory, GeneratorSettings())


def test_damaged_weights_are_refused(model_dir: Path, tmp_path: Path) -> None:
    directory = broken(model_dir, tmp_path / "model")
    (directory / "model.safetensors").write_bytes(b"damaged")
    with pytest.raises(ModelError, match="cannot be loaded"):
        open_transformers(directory, GeneratorSettings())


def test_a_missing_tensor_is_named(model_dir: Path, tmp_path: Path) -> None:
    directory = broken(model_dir, tmp_path / "model")
    weights = load_file(directory / "model.safetensors")
    del weights["model.norm.weight"]
    save_file(weights, directory / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ModelError, match=r"model\.norm\.weight"):
        open_transformers(directory, GeneratorSettings())


def test_a_tokenizer_without_eos_is_refused(model_dir: Path, tmp_path: Path) -> None:
    directory = broken(model_dir, tmp_path / "model")
    path = directory / "tokenizer_config.json"
    values = json.loads(path.read_text())
    del values["eos_token"]
    path.write_text(json.dumps(values))
    with pytest.raises(ModelError, match="EOS"):
        open_transformers(directory, GeneratorSettings())


def test_a_prompt_that_leaves_no_position_is_refused(single: TransformersGenerator) -> None:
    with pytest.raises(ConfigError, match=r"observation 0 has 2050 tokens.*only 2048 positions"):
        single.generate([replace(requests(1)[0], prompt="0123456789" * 205)], SAMPLED)


@pytest.mark.parametrize("build", [random_mistral, random_gpt2])
def test_a_response_ends_at_the_model_s_last_position_alone_as_in_a_batch(
    build: Callable[[], torch.nn.Module], model_dir: Path, tmp_path: Path
) -> None:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        build().save_pretrained(tmp_path)
    AutoTokenizer.from_pretrained(model_dir).save_pretrained(tmp_path)
    generator = open_transformers(tmp_path, GeneratorSettings(dtype="float64"))
    lengths, decoding = (255, 20, 251, 248, 3, 251), replace(SAMPLED, max_new_tokens=10)
    wanted = [
        replace(one, prompt=("0123456789" * 26)[:length])
        for one, length in zip(requests(len(lengths)), lengths, strict=True)
    ]
    together = generator.generate(wanted, decoding)
    for one, attempt, length in zip(wanted, together, lengths, strict=True):
        room = min(10, 256 - length)
        assert attempt.response == naive(tmp_path, one, replace(decoding, max_new_tokens=room))
        assert attempt.generated_tokens <= room
        assert attempt.finish_reason is not FinishReason.LENGTH or attempt.generated_tokens == room
    assert together[0].finish_reason is FinishReason.LENGTH


def test_an_empty_prompt_is_refused(single: TransformersGenerator) -> None:
    with pytest.raises(DataError, match="prompt of observation 0 is empty"):
        single.generate([replace(requests(1)[0], prompt="")], SAMPLED)
