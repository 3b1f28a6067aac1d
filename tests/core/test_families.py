"""Models of many families are decoded rightly, or slowly, or refused: never wrongly."""

from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaForCausalLM, PreTrainedModel

from adastar_core.config import GeneratorSettings
from adastar_core.errors import ModelError
from adastar_core.generators import Decoding
from adastar_core.generators import serving as serving_module
from adastar_core.generators.noise import noisy_scores, signed
from adastar_core.generators.prefix import Prefix, Prefixes
from adastar_core.generators.serving import Probe, SharedAlways, serving
from adastar_core.generators.shared import Shared
from adastar_core.generators.steps import Cached, Reread, Start, Way
from adastar_core.generators.transformers import open_transformers
from adastar_core.models import scores as model_scores
from adastar_core.models.source import model_shape, resolve_model
from adastar_core.records import GenerationRequest, Incident
from tests.support.families import (
    READ_AGAIN,
    SHARED_CACHE,
    SHARED_PREFIX,
    WINDOW,
    build,
    sharpened,
    write_family,
)
from tests.support.tiny_llama import write_tiny_llama

EVERY = [*SHARED_CACHE, *READ_AGAIN]
PROMPTS, STEPS = (1, 17, 4, 9, 2), 20
LEAVE = {3: [4, 0, 2, 1], 9: [2, 1], 15: [0]}
"""After these steps these rows stay, in this order."""
SAMPLED = Decoding(greedy=False, temperature=1.0, top_p=0.9, max_new_tokens=12)


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def nothing_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving_module, "_known", {})


class NoMask(Cached):
    """Lets rows see the padding before them."""

    def __init__(self, model: PreTrainedModel, start: Start) -> None:
        super().__init__(model, start)
        self._mask = torch.ones_like(self._mask)


class WrongRows(Cached):
    """Remembers other rows' texts after some have left."""

    def keep(self, rows: torch.Tensor) -> None:
        super().keep(rows)
        self._cache.reorder_cache(torch.arange(len(rows) - 1, -1, -1))  # type: ignore[arg-type]


class NoPrefix(SharedAlways):
    """Attends to the rows' own tokens alone."""

    def _hold(self, prefix: Prefix, paddings: torch.Tensor, columns: int) -> None:
        super()._hold(prefix, paddings, columns)
        self._read = self._model


@torch.no_grad()
def furthest(model: PreTrainedModel, way: Way, *, shared: int = 0) -> float:
    """Return the largest difference from plain forward passes, in a batch longer than any window that rows leave.

    So many tokens are ``shared`` by all prompts and come before those of ``PROMPTS``.
    """
    chance = torch.Generator().manual_seed(3)
    begun = torch.randint(4, 60, (shared,), generator=chance).tolist()
    texts = [begun + torch.randint(4, 60, (prompt + STEPS,), generator=chance).tolist() for prompt in PROMPTS]
    plain = [model(input_ids=torch.tensor([text]), use_cache=False).logits[0, shared:] for text in texts]
    prompts = [text[: shared + prompt] for text, prompt in zip(texts, PROMPTS, strict=True)]
    rows = way(model, Start(prompts, [0] * 5, STEPS, Prefixes()))
    found = 0.0
    for step in range(STEPS):
        scores, places = rows.forward(), rows.places.tolist()
        for row, place in enumerate(places):
            expected = plain[place][PROMPTS[place] + step - 1]
            found = max(found, float((scores[row] - expected).abs().max() / expected.std()))
        rows.append(torch.tensor([texts[place][shared + PROMPTS[place] + step] for place in places]))
        if step in LEAVE:
            rows.keep(torch.tensor(LEAVE[step]))
    return found


@pytest.mark.parametrize("family", EVERY)
def test_every_family_is_decoded_as_a_plain_forward_pass_scores(family: str) -> None:
    model = sharpened(build(family))
    served, new = serving(model)
    assert new
    if family in SHARED_CACHE:
        assert served.way is (Shared if family in SHARED_PREFIX else Cached), served.why
    else:
        assert served.way is Reread
    assert furthest(model, served.way) < 1e-3
    way = SharedAlways if served.way is Shared else served.way
    for shared in (16, 20, 40):
        assert furthest(model, way, shared=shared) < 1e-3


@pytest.mark.parametrize("family", SHARED_CACHE)
def test_a_broken_mask_or_order_of_rows_is_found_out(family: str) -> None:
    """Also with first weights, whose scores depend on the text by a thousandth of their spread."""
    for model in (sharpened(build(family)), build(family)):
        with torch.no_grad():
            probe = Probe(model)
            assert probe.fault(Cached) is None
            assert probe.fault(NoMask) is not None
            assert probe.fault(WrongRows) is not None
            if family in SHARED_PREFIX:
                assert probe.fault(SharedAlways) is None
                assert probe.fault(NoPrefix) is not None


@pytest.mark.parametrize("family", ["llama", "gpt2", "mixtral", "gemma3_text", "jamba"])
def test_in_bfloat16_rounding_passes_and_faults_do_not(family: str) -> None:
    model = torch.nn.Module.to(sharpened(build(family)), torch.bfloat16)
    assert serving(model)[0].way is not Reread
    with torch.no_grad():
        assert Probe(model).fault(NoMask) is not None
        assert Probe(model).fault(WrongRows) is not None


def test_bfloat16_that_fails_is_asked_again_in_float32(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        model_scores, "tolerance", lambda model: 0.0 if model.dtype == torch.bfloat16 else 1e-3
    )
    model = torch.nn.Module.to(sharpened(build("phi3")), torch.bfloat16)
    assert serving(model)[0].way is not Reread
    assert model.dtype == torch.bfloat16


def test_weights_that_show_nothing_are_decoded_safely_and_checked_again() -> None:
    model = build("llama")
    torch.nn.init.zeros_(model.lm_head.weight)  # all scores are equal, whatever the text
    for _ in range(2):
        served, new = serving(model)
        assert (served.way, new) == (Reread, True)
    assert served.why is not None


def naive(
    model: PreTrainedModel, tokens: list[int], request: GenerationRequest, ends: list[int]
) -> list[int]:
    """Sample one row alone, from a plain forward pass over all of it per token."""
    start = len(tokens)
    for step in range(SAMPLED.max_new_tokens):
        logits = model(input_ids=torch.tensor([tokens]), use_cache=False).logits[:, -1]
        chosen = int(noisy_scores(logits, torch.tensor([signed(request.stream)]), step, SAMPLED).argmax())
        if chosen in ends:
            break
        tokens = [*tokens, chosen]
    return tokens[start:]


def asked(prompts: Sequence[str]) -> list[GenerationRequest]:
    return [GenerationRequest(place, 1, False, prompt, 77 + place) for place, prompt in enumerate(prompts)]


@pytest.mark.parametrize("family", ["mamba", "recurrent_gemma", "rwkv", "lfm2", "gemma2"])
def test_a_model_directory_of_any_family_gives_the_text_of_naive_decoding(
    family: str, tmp_path: Path
) -> None:
    directory, said = write_family(family, tmp_path), list[Incident]()
    wanted = asked(["2+2=", "a very long question, is it not?", "12+3=", "x", "(4-1)*22="])
    assert max(len(one.prompt) for one in wanted) > WINDOW
    found = open_transformers(resolve_model(str(directory)), GeneratorSettings(), said.append).generate(
        wanted, SAMPLED
    )
    tokenizer, model = (
        AutoTokenizer.from_pretrained(directory),
        AutoModelForCausalLM.from_pretrained(directory),
    )
    with torch.no_grad():
        expected = [
            naive(model, tokenizer(one.prompt).input_ids, one, tokenizer.all_special_ids) for one in wanted
        ]
    assert [one.response for one in found] == [
        tokenizer.decode(one, skip_special_tokens=True) for one in expected
    ]
    assert bool(said) == (family in READ_AGAIN)
    assert model_shape(directory).parameters == model.num_parameters()


def test_an_architecture_is_checked_once_in_a_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory, calls, forward = write_tiny_llama(tmp_path, hidden=48), list[int](), LlamaForCausalLM.forward

    def counted(self: LlamaForCausalLM, *args: object, **values: object) -> object:
        calls.append(1)
        return forward(self, *args, **values)

    monkeypatch.setattr(LlamaForCausalLM, "forward", counted)
    open_transformers(directory, GeneratorSettings())
    checked = len(calls)
    open_transformers(directory, GeneratorSettings())
    assert 0 < checked == len(calls)


def test_a_model_that_sees_what_comes_after_is_refused_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory, forward = write_tiny_llama(tmp_path, hidden=40), LlamaForCausalLM.forward

    def sees_all(self: LlamaForCausalLM, input_ids: torch.Tensor, **values: object) -> object:
        output = forward(self, input_ids=input_ids, **values)
        output.logits = (
            output.logits + self.model.embed_tokens(input_ids).sum((1, 2))[:, None, None] * output.logits
        )
        return output

    monkeypatch.setattr(LlamaForCausalLM, "forward", sees_all)
    with pytest.raises(ModelError, match=r"LlamaForCausalLM cannot be decoded.*generator\.type"):
        open_transformers(directory, GeneratorSettings())
