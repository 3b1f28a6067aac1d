"""Prompts, ends and templates with real tokenizers: byte-level BPE, and SentencePiece with BOS."""

from pathlib import Path

import pytest

from adastar_core.config import GeneratorSettings
from adastar_core.generators import Decoding
from adastar_core.generators.endings import end
from adastar_core.generators.transformers import TransformersGenerator, open_transformers
from adastar_core.models.trial import TEXTS
from adastar_core.models.vocabulary import Vocabulary
from adastar_core.records import FinishReason, GenerationRequest
from tests.core.test_vocabulary import generated, ids_of, in_chat, trained

SAMPLED = Decoding(greedy=False, temperature=1.0, top_p=1.0, max_new_tokens=24)
STOPPED = Decoding(greedy=False, temperature=1.0, top_p=1.0, max_new_tokens=24, stop=("\nQ:", ".", " the"))
PROMPTS = ("Q: How many apples are 12 + 30?\nA:", "The capital of France is", "naïve café 東京: 1,234.5 =")


@pytest.fixture(scope="module", params=["smollm", "gemma"])
def model(request: pytest.FixtureRequest) -> Path:
    path = request.getfixturevalue(request.param)
    assert isinstance(path, Path)
    return path


@pytest.fixture(scope="module")
def generator(model: Path) -> TransformersGenerator:
    return open_transformers(model, GeneratorSettings(dtype="float32"))


@pytest.fixture(scope="module")
def vocabulary(model: Path) -> Vocabulary:
    return Vocabulary(model)


@pytest.mark.parametrize("chat", [False, True], ids=["plain", "chat"])
@pytest.mark.parametrize("decoding", [SAMPLED, STOPPED], ids=["sampled", "stopped"])
def test_what_is_trained_is_what_was_generated(
    generator: TransformersGenerator, vocabulary: Vocabulary, decoding: Decoding, chat: bool
) -> None:
    if chat and not vocabulary.has_template:
        pytest.skip("this model takes no messages")
    answered = 0
    for number, question in enumerate(PROMPTS):
        prompt = in_chat(vocabulary, question) if chat else question
        request = GenerationRequest(number, 1, False, prompt, stream=number)
        attempt, seen = generated(generator, request, decoding)
        if not attempt.response:
            continue
        answered += 1
        row = trained(vocabulary, prompt, attempt, chat=chat)
        start = row.prompt_tokens
        assert list(row.tokens[:start]) == seen[: attempt.prompt_tokens]
        assert list(row.tokens[start:-1]) == seen[start : len(row.tokens) - 1]
        assert row.tokens[-1] in vocabulary.ends.ends
    assert answered


def test_texts_survive_and_begin_as_the_model_was_taught(vocabulary: Vocabulary) -> None:
    assert [vocabulary.decode(vocabulary.completion_ids(text)) for text in TEXTS] == list(TEXTS)
    ids = vocabulary.prompt_ids([PROMPTS[0]])[0]
    assert (ids[0] == 2) == bool(vocabulary.bos)  # Gemma's BOS; SmolLM2 puts nothing before a text
    assert not vocabulary.begins_twice(f"{vocabulary.bos}{PROMPTS[0]}")


def test_smollm_ends_where_its_template_does_and_splits_digits(smollm: Path) -> None:
    vocabulary = Vocabulary(smollm)
    assert vocabulary.message_end == vocabulary.eos == ids_of(vocabulary, "<|im_end|>")[0]
    assert len(vocabulary.completion_ids("1234567")) == 7
    tokens = ids_of(vocabulary, "It is 42.<|im_end|>\n<|im_start|>user")
    assert end(tokens, vocabulary.ends, SAMPLED, vocabulary.decode).response == "It is 42."
    stray = ids_of(vocabulary, "It is 42.<|im_start|>user")
    assert end(stray, vocabulary.ends, SAMPLED, vocabulary.decode).finish_reason is FinishReason.SPECIAL
