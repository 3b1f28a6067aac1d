"""Tokens that are generated are the tokens that are trained, for tokenizers of every kind."""

import json
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
import torch
from transformers import AutoTokenizer, PreTrainedModel

from adastar_core.config import GeneratorSettings
from adastar_core.errors import DataError, ModelError
from adastar_core.generators import Decoding
from adastar_core.generators.endings import end
from adastar_core.generators.steps import Cached, Start
from adastar_core.generators.transformers import TransformersGenerator, open_transformers
from adastar_core.models.vocabulary import Vocabulary
from adastar_core.records import Attempt, FinishReason, GenerationRequest
from adastar_core.trainers import TrainingExample
from adastar_core.trainers.rows import TrainingRow, tokenize
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
        def __init__(self, model: PreTrainedModel, start: Start) -> None:
            super().__init__(model, start)
            seen.extend(self._tokens[0].tolist())

        def append(self, chosen: torch.Tensor) -> None:
            super().append(chosen)
            seen.extend(chosen.tolist())

    watched = TransformersGenerator(generator._loaded, generator._vocabulary, Watched)
    (attempt,) = watched.generate([request], decoding)
    return attempt, seen


def trained(vocabulary: Vocabulary, prompt: str, attempt: Attempt, *, chat: bool) -> TrainingRow:
    ids = vocabulary.completed(attempt.response, attempt.tokens, chat=chat)
    (row,) = tokenize([TrainingExample(prompt, attempt.response, "one", ids)], vocabulary, 512)
    return row


@pytest.mark.parametrize("kind", KINDS)
def test_the_tokenizers_here_are_the_same_in_every_run(kind: str) -> None:
    """Other ids would give the random model other texts, and a few of them never reach EOS."""
    assert KINDS[kind]().to_str() == KINDS[kind]().to_str()


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


# Ends


def ids_of(vocabulary: Vocabulary, text: str) -> list[int]:
    return vocabulary._tokenizer(text, add_special_tokens=False)["input_ids"]


@pytest.mark.parametrize(
    ("spelt", "reason"),
    [
        ("</s>", FinishReason.EOS),
        ("<|end|>", FinishReason.EOS),
        ("<|turn|>", FinishReason.EOS),
        ("<|stray|>", FinishReason.SPECIAL),
        ("<pad>", FinishReason.SPECIAL),
        ("<s>", FinishReason.SPECIAL),
        ("<unk>", FinishReason.SPECIAL),
    ],
)
def test_a_special_token_never_vanishes(tmp_path: Path, spelt: str, reason: FinishReason) -> None:
    """The ends are the tokenizer's, the template's and the configured ones; any other breaks the response off."""
    folder = write_kind(tmp_path, "byte-level BPE")
    turn = ids_of(Vocabulary(folder), "<|turn|>")[0]
    (folder / "generation_config.json").write_text(json.dumps({"eos_token_id": [2, turn]}))
    vocabulary = Vocabulary(folder)
    tokens = ids_of(vocabulary, f"The answer is 1{spelt}2 cats</s>")
    ending = end(tokens, vocabulary.ends, SAMPLED, vocabulary.decode)
    assert (ending.response, ending.finish_reason) == ("The answer is 1", reason)
    assert (ending.tokens[-1] in vocabulary.ends.ends) == (reason is FinishReason.EOS)
    assert ending.generated_tokens == len(ids_of(vocabulary, "The answer is 1")) + 1


def test_an_id_that_the_tokenizer_does_not_have_breaks_a_response_off(tmp_path: Path) -> None:
    vocabulary = Vocabulary(write_kind(tmp_path, "characters"))
    unknown = max(vocabulary._tokenizer.get_vocab().values()) + 1
    tokens = [*ids_of(vocabulary, "is 1"), unknown, *ids_of(vocabulary, "2")]
    ending = end(tokens, vocabulary.ends, SAMPLED, vocabulary.decode)
    assert (ending.response, ending.finish_reason) == ("is 1", FinishReason.SPECIAL)


def test_added_tokens_that_are_not_special_stay_text(tmp_path: Path) -> None:
    folder = write_kind(tmp_path, "byte-level BPE")
    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokenizer.add_tokens(["<think>"])
    tokenizer.save_pretrained(folder)
    vocabulary = Vocabulary(folder)
    tokens = ids_of(vocabulary, "<think>so</s>")
    assert end(tokens, vocabulary.ends, SAMPLED, vocabulary.decode).response == "<think>so"


def test_generation_stops_at_every_end(tmp_path: Path) -> None:
    """A model whose scores are the same whatever it reads: it writes all tokens, ends and others."""
    folder = write_kind(tmp_path, "byte-level BPE")
    turn = ids_of(Vocabulary(folder), "<|turn|>")[0]
    (folder / "generation_config.json").write_text(json.dumps({"eos_token_id": [2, turn]}))
    generator = open_transformers(folder, GeneratorSettings())
    wanted = [GenerationRequest(n, 1, False, "7 + 8 =", stream=n) for n in range(300)]
    long = replace(SAMPLED, max_new_tokens=120)
    found = generator.generate(wanted, long)
    last = {one.tokens[-1] for one in found if one.finish_reason is FinishReason.EOS}
    assert last == generator._vocabulary.ends.ends == {2, turn, ids_of(generator._vocabulary, "<|end|>")[0]}
    assert FinishReason.SPECIAL in {one.finish_reason for one in found}
    alone = [generator.generate([one], long)[0].tokens for one in wanted[:20]]
    assert alone == [one.tokens for one in found[:20]]


def test_an_end_that_is_plain_text_is_refused(tmp_path: Path) -> None:
    folder = write_kind(tmp_path, "characters")
    place = ids_of(Vocabulary(folder), "4")[0]
    (folder / "generation_config.json").write_text(json.dumps({"eos_token_id": [2, place]}))
    with pytest.raises(ModelError, match=rf"eos_token_id in .* is \[2, {place}\], and .* the text '4'"):
        Vocabulary(folder)


def test_a_text_that_holds_an_end_is_no_completion(tmp_path: Path) -> None:
    folder = write_kind(tmp_path, "characters", eos_token="#")
    vocabulary = Vocabulary(folder)
    assert vocabulary.completion_ids("2 cats")
    with pytest.raises(DataError, match=r"'#### 42' holds '#', at which this model's responses end"):
        vocabulary.completion_ids("#### 42")


# Beginnings


def test_what_a_tokenizer_appends_is_left_out_of_prompts(tmp_path: Path) -> None:
    """BERT's kind ends every text in ``[SEP]``, Llama's with ``add_eos_token`` in ``</s>``: no answer follows that."""
    vocabulary = Vocabulary(write_kind(tmp_path, "WordPiece"))
    whole = vocabulary._tokenizer("7 + 8 =")["input_ids"]
    assert whole[-1] == 2
    assert vocabulary.prompt_ids(["7 + 8 ="]) == [whole[:-1]]
    assert vocabulary.prompt_ids(["7 + 8 ="])[0][0] == 1


def test_without_a_chat_the_model_s_own_end_is_trained_and_in_one_the_template_s(tmp_path: Path) -> None:
    vocabulary = Vocabulary(write_kind(tmp_path, "byte-level BPE"))
    message_end = ids_of(vocabulary, "<|end|>")[0]
    assert vocabulary.completed("42", (), chat=False) == (*vocabulary.completion_ids("42"), 2)
    assert vocabulary.completed("42", (), chat=True) == (*vocabulary.completion_ids("42"), message_end)
    assert vocabulary.completed("42", (9, 2), chat=True) == (9, 2)
    assert vocabulary.completed("42", (9, 8), chat=True) == (9, 8, message_end)


def test_a_vocabulary_is_loaded_again_only_once_its_files_change(tmp_path: Path) -> None:
    directory = write_kind(tmp_path, next(iter(KINDS)))
    first = Vocabulary.of(directory)
    assert Vocabulary.of(directory) is first
    (directory / "tokenizer_config.json").touch()
    assert Vocabulary.of(directory) is not first
    with pytest.raises(ModelError, match="no tokenizer"):
        Vocabulary.of(tmp_path / "nothing")
