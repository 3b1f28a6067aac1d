"""Tokens that are generated are the tokens that are trained, for tokenizers of every kind."""

from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
import torch
from transformers import PreTrainedModel

from adastar_core.config import GeneratorSettings
from adastar_core.generators import Decoding
from adastar_core.generators.steps import Cached
from adastar_core.generators.transformers import TransformersGenerator, open_transformers
from adastar_core.records import Attempt, FinishReason, GenerationRequest
from adastar_core.trainers import TrainingExample
from adastar_core.trainers.rows import Row, tokenize
from adastar_core.vocabulary import Vocabulary
from tests.support.tokenizers import KINDS, write_kind

PROMPTS = ("Q: How many apples are 12 + 30?\nA:", "7 + 8 =", "so\n")
SAMPLED = Decoding(greedy=False, temperature=1.0, top_p=1.0, max_new_tokens=24)
STOPPED = replace(SAMPLED, max_new_tokens=60, stop=("an", "\n", "1"))


@pytest.fixture(scope="module", params=KINDS)
def model(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_kind(tmp_path_factory.mktemp("kind"), request.param)


def in_chat(vocabulary: Vocabulary, prompt: str) -> str:
    return vocabulary.render([{"role": "user", "content": prompt}], date(2026, 11, 29), open_ended=True)


def generated(
    generator: TransformersGenerator, request: GenerationRequest, decoding: Decoding
) -> tuple[Attempt, list[int]]:
    """Return an attempt and every id that the model read or chose for it, as the decoding loop saw them."""
    seen: list[int] = []

    class Watched(Cached):
        def __init__(
            self, model: PreTrainedModel, prompts: list[list[int]], streams: list[int], room: int
        ) -> None:
            super().__init__(model, prompts, streams, room)
            seen.extend(self._tokens[0].tolist())

        def append(self, chosen: torch.Tensor) -> None:
            super().append(chosen)
            seen.extend(chosen.tolist())

    watched = TransformersGenerator(generator._loaded, generator._vocabulary, Watched)
    (attempt,) = watched.generate([request], decoding)
    return attempt, seen


def trained(vocabulary: Vocabulary, prompt: str, attempt: Attempt, *, chat: bool) -> Row:
    ids = vocabulary.completed(attempt.response, attempt.tokens, chat=chat)
    (row,) = tokenize([TrainingExample(prompt, attempt.response, "one", ids)], vocabulary, 512)
    return row


@pytest.mark.parametrize("chat", [False, True], ids=["plain", "chat"])
@pytest.mark.parametrize("decoding", [SAMPLED, STOPPED], ids=["sampled", "stopped"])
def test_what_is_trained_is_what_was_generated(model: Path, decoding: Decoding, chat: bool) -> None:
    generator, vocabulary = open_transformers(model, GeneratorSettings()), Vocabulary(model)
    reasons, retokenised = set(), 0
    for number in range(40):
        prompt = PROMPTS[number % len(PROMPTS)]
        prompt = in_chat(vocabulary, prompt) if chat else prompt
        request = GenerationRequest(number, 1, False, prompt, stream=number)
        attempt, seen = generated(generator, request, decoding)
        reasons.add(attempt.finish_reason)
        if not attempt.response:
            continue  # never right
        row = trained(vocabulary, prompt, attempt, chat=chat)
        start = row.prompt_tokens
        assert list(row.tokens[:start]) == seen[: attempt.prompt_tokens]
        ids = row.tokens[start:-1]
        assert list(ids) == seen[start : start + len(ids)]
        assert row.tokens[-1] in vocabulary.ends.ends
        assert vocabulary.decode(ids).startswith(attempt.response)
        if attempt.finish_reason is FinishReason.EOS:
            assert list(row.tokens) == seen
            assert row.tokens[-1] == attempt.tokens[-1]
        elif attempt.finish_reason is FinishReason.SPECIAL:
            assert len(ids) == attempt.generated_tokens - 1
        elif attempt.finish_reason is FinishReason.LENGTH:
            assert len(ids) == attempt.generated_tokens
        else:
            assert not vocabulary.decode(ids[:-1]).startswith(attempt.response) or not ids
        retokenised += list(ids) != vocabulary.completion_ids(attempt.response)
    assert reasons >= ({FinishReason.STOP} if decoding.stop else {FinishReason.EOS, FinishReason.SPECIAL})
    assert retokenised or "WordLevel" in (model / "tokenizer.json").read_text()
