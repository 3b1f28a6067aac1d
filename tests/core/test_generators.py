"""The pure parts of generation: choosing a token, finding the end, and the scripted generator."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from adastar_core.generators import Decoding, noise
from adastar_core.generators.endings import Ending, end
from adastar_core.generators.noise import choose, gumbel, noisy_scores
from adastar_core.models.vocabulary import Ends
from adastar_core.records import FinishReason, GenerationRequest
from tests.support.scripted import ScriptedGenerator, from_table
from tests.support.ties import tie_gap

SAMPLED = Decoding(greedy=False, temperature=1.0, top_p=1.0, max_new_tokens=20)
EOS, PAD = 0, 9
ENDS = Ends(frozenset({EOS}), range(1, 5))
tokens = st.lists(st.integers(0, 4), max_size=30)


def decode(ids: list[int]) -> str:
    return "".join("-abcd"[token] for token in ids)


def scores(*values: float, decoding: Decoding, streams: tuple[int, ...] = (5,)) -> torch.Tensor:
    return noisy_scores(torch.tensor([values] * len(streams)), torch.tensor(streams), 0, decoding)


def test_sampling_adds_each_row_s_noise_to_the_tempered_logits() -> None:
    logits = torch.tensor([[1.0, 2.0, 3.0], [0.5, 0.0, -1.0]])
    streams = torch.tensor([3, -9])
    expected = logits.double() / 0.5 + gumbel(streams, 4, 3)
    assert torch.equal(noisy_scores(logits, streams, 4, replace(SAMPLED, temperature=0.5)), expected)


def test_greedy_keeps_the_logits() -> None:
    assert scores(
        1.0, 3.0, 2.0, decoding=replace(SAMPLED, greedy=True, temperature=9, top_p=0.1)
    ).tolist() == [[1, 3, 2]]


@pytest.mark.parametrize(
    ("top_p", "kept"),
    [(0.05, [1]), (0.5, [1]), (0.51, [1, 3]), (0.8, [1, 3]), (0.85, [0, 1, 3]), (0.99, [0, 1, 2, 3])],
)
def test_the_nucleus_is_the_smallest_set_that_reaches_top_p(top_p: float, kept: list[int]) -> None:
    probabilities = torch.tensor([0.15, 0.5, 0.05, 0.3], dtype=torch.float64)
    noisy = scores(*probabilities.log().tolist(), decoding=replace(SAMPLED, top_p=top_p))
    assert noisy.isfinite().nonzero()[:, 1].tolist() == kept


@given(st.lists(st.floats(-20, 20), min_size=2, max_size=30), st.floats(0.01, 0.99), st.floats(0.1, 5))
def test_no_smaller_set_than_the_nucleus_reaches_top_p(
    logits: list[float], top_p: float, temperature: float
) -> None:
    decoding = replace(SAMPLED, top_p=top_p, temperature=temperature)
    kept = scores(*logits, decoding=decoding).isfinite()[0]
    probabilities = torch.softmax(torch.tensor(logits).double() / temperature, 0)
    inside = probabilities[kept]
    assert inside.sum() >= top_p - 1e-9
    assert inside.sum() - inside.min() < top_p + 1e-9
    assert kept.all() or inside.min() >= probabilities[~kept].max()


@pytest.mark.parametrize("vocabulary", [2, 1000, 1024, 1025, 6000])
@given(
    seed=st.integers(0, 2**32),
    spread=st.sampled_from([0.0, 0.01, 1.0, 4.0, 12.0]),
    levels=st.sampled_from([1, 2, 5, 1000]),
    top_p=st.sampled_from([1e-9, 0.2, 0.5, 0.9, 0.95, 0.999, 1 - 1e-12, 1.0]),
    own_steps=st.booleans(),
)
def test_the_choice_is_that_of_the_whole_vocabulary(
    vocabulary: int, seed: int, spread: float, levels: int, top_p: float, own_steps: bool
) -> None:
    """Few levels make ties, also at the nucleus' border and at the last candidate; flat scores exceed the candidates."""
    random = torch.Generator().manual_seed(seed)
    logits = (torch.randn(5, vocabulary, generator=random) * levels).round() / levels * spread
    streams = torch.randint(-(2**62), 2**62, (5,), generator=random)
    step = torch.randint(0, 500, (5,), generator=random) if own_steps else 7
    decoding = replace(SAMPLED, temperature=0.7, top_p=top_p)
    expected = noisy_scores(logits, streams, step, decoding).argmax(-1)
    assert torch.equal(choose(logits, streams, step, decoding), expected)


def test_few_rows_need_the_whole_vocabulary(monkeypatch: pytest.MonkeyPatch) -> None:
    sorted_whole, real = list[int](), noise.noisy_scores

    def counting(logits: torch.Tensor, *others: Any) -> torch.Tensor:  # noqa: ANN401
        sorted_whole.append(len(logits))
        return real(logits, *others)

    monkeypatch.setattr(noise, "noisy_scores", counting)
    logits = torch.randn(8, 6000, generator=torch.Generator().manual_seed(0)) * 4
    logits[3] = 0  # flat: its nucleus has most of the vocabulary
    choose(logits, torch.arange(8), 0, replace(SAMPLED, top_p=0.95))
    assert sorted_whole == [1]


def test_the_gap_is_that_of_the_two_best_scores_or_to_the_border_of_the_nucleus() -> None:
    logits, streams = torch.tensor([[1.0, 3.0, 2.75]]), torch.tensor([1])
    assert tie_gap(logits, streams, 0, replace(SAMPLED, greedy=True)).item() == 0.25
    noisy = noisy_scores(logits, streams, 0, SAMPLED).sort(descending=True).values[0]
    assert tie_gap(logits, streams, 0, SAMPLED).item() == pytest.approx((noisy[0] - noisy[1]).item())
    likeliest = torch.softmax(logits.double(), -1).max().item()
    on_the_border = replace(SAMPLED, top_p=likeliest + 1e-6)
    assert tie_gap(logits, streams, 0, on_the_border).item() == pytest.approx(1e-6, rel=1e-3)


@given(tokens, tokens, st.sampled_from([(), ("ab",), ("c", "ab"), ("aa", "a"), ("d",)]))
def test_what_follows_the_end_has_no_influence(
    ids: list[int], garbage: list[int], stop: tuple[str, ...]
) -> None:
    decoding = replace(SAMPLED, stop=stop)
    ending = end([*ids, EOS], ENDS, decoding, decode)
    assert end([*ids, EOS, *garbage], ENDS, decoding, decode) == ending
    assert not any(string in ending.response for string in stop)
    if ending.finish_reason is FinishReason.STOP:
        assert end(ids[: ending.generated_tokens], ENDS, decoding, decode) == ending
        assert (
            end(ids[: ending.generated_tokens - 1], ENDS, decoding, decode).finish_reason
            is not FinishReason.STOP
        )


@pytest.mark.parametrize(
    ("ids", "stop", "expected"),
    [
        ([1, 2, EOS, 3], (), Ending("ab", FinishReason.EOS, 3, (1, 2, EOS))),
        ([1, 2, 3], (), Ending("abc", FinishReason.LENGTH, 3, (1, 2, 3))),
        ([EOS], (), Ending("", FinishReason.EOS, 1, (EOS,))),
        ([1, 2, 3, 4, EOS], ("bc",), Ending("a", FinishReason.STOP, 3, (1,))),
        ([1, 2, EOS, 3, 4], ("cd",), Ending("ab", FinishReason.EOS, 3, (1, 2, EOS))),
        ([1, 2, 3, 4], ("cd", "b"), Ending("a", FinishReason.STOP, 2, (1,))),
        ([1, 2, PAD, 3, EOS], (), Ending("ab", FinishReason.SPECIAL, 3, (1, 2))),
        ([1, 2, PAD, 3, EOS], ("b",), Ending("a", FinishReason.STOP, 2, (1,))),
    ],
)
def test_a_response_ends_at_eos_stop_or_length(
    ids: list[int], stop: tuple[str, ...], expected: Ending
) -> None:
    assert end(ids, ENDS, replace(SAMPLED, stop=stop), decode) == expected


def request(position: int, attempt: int = 1, prompt: str = "1+1\n") -> GenerationRequest:
    return GenerationRequest(position, attempt, False, prompt, stream=position + 100)


def test_a_script_s_responses_do_not_depend_on_the_batch() -> None:
    wanted = [request(place, attempt) for place in range(6) for attempt in (1, 2)]
    generator = ScriptedGenerator(lambda asked: f"{asked.position}.{asked.attempt}.{asked.stream % 7}")
    together = generator.generate(wanted, SAMPLED)
    alone = [generator.generate([asked], SAMPLED)[0] for asked in wanted]
    assert [attempt.response for attempt in together] == [attempt.response for attempt in alone]
    assert [len(batch) for batch in generator.batches] == [12] + [1] * 12


def test_a_script_counts_characters_as_tokens_and_obeys_the_limits() -> None:
    generator = ScriptedGenerator(from_table({(0, 1): "#### 2", (1, 1): "x" * 50, (2, 1): "so\nQ: more"}))
    decoding = replace(SAMPLED, stop=("\nQ",))
    right, long, stopped, unknown = generator.generate(
        [request(0), request(1, prompt="long prompt"), request(2), request(3)], decoding
    )
    assert (right.response, right.finish_reason, right.generated_tokens) == ("#### 2", FinishReason.EOS, 7)
    assert (long.response, long.finish_reason, long.generated_tokens) == ("x" * 20, FinishReason.LENGTH, 20)
    assert (stopped.response, stopped.finish_reason, stopped.generated_tokens) == ("so", FinishReason.STOP, 4)
    assert (unknown.response, unknown.generated_tokens) == ("", 1)
    (wordy,) = ScriptedGenerator(from_table({(0, 1): "so\n#### 2\nA tree"})).generate(
        [request(0)], replace(SAMPLED, answer="number")
    )
    assert (wordy.response, wordy.finish_reason) == ("so\n#### 2", FinishReason.STOP)
    assert wordy.generated_tokens == len("so\n#### 2\n")
    assert (right.prompt_tokens, right.padded_prompt_tokens, right.padded_generated_tokens) == (4, 11, 20)


def test_greedy_scripts_record_no_stream() -> None:
    generator = ScriptedGenerator(lambda _: "1")
    assert generator.generate([request(0)], replace(SAMPLED, greedy=True))[0].stream == 0
    assert generator.generate([request(0)], SAMPLED)[0].stream == 100
