"""Counter-based Gumbel noise: the right distribution, independent cells, and nothing but the counter."""

import math

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from adastar_core.generators.noise import gumbel, signed, uniform
from adastar_core.streams import stream_key

keys = st.integers(0, 2**64 - 1)


def streams(count: int, seed: int = 0) -> torch.Tensor:
    return torch.tensor([signed(stream_key(seed, "test", row)) for row in range(count)])


def as_uniform(noise: torch.Tensor) -> np.ndarray:
    return np.exp(-np.exp(-noise.numpy()))


@given(keys)
def test_signed_keeps_the_bits(key: int) -> None:
    assert torch.tensor(signed(key)).item() % 2**64 == key


def test_the_hash_is_splitmix64() -> None:
    """The published sequence of SplitMix64 from state 0: outputs of the counters 1 and 2 times the golden ratio."""
    golden = 0x9E3779B97F4A7C15
    counters = torch.tensor([signed(golden), signed(2 * golden % 2**64)])
    expected = [0xE220A8397B1DCDAF, 0x6E789E6AA1B965F4]
    assert uniform(counters).tolist() == [((value >> 12) + 0.5) / 2**52 for value in expected]


def test_the_noise_is_gumbel_over_rows_over_tokens_and_over_steps() -> None:
    keys = streams(400)
    over_tokens = gumbel(keys[:1], 0, 100_000).flatten()
    over_rows = gumbel(keys, 3, 50)[:, 7]
    over_steps = torch.stack([gumbel(keys[:20], step, 3)[:, 1] for step in range(200)]).flatten()
    for sample in (over_tokens, over_rows, over_steps):
        assert stats.kstest(sample.numpy(), "gumbel_r").pvalue > 1e-3
    assert abs(over_tokens.mean().item() - np.euler_gamma) < 4 * math.pi / math.sqrt(6 * 100_000)


def test_neighbouring_cells_are_uncorrelated() -> None:
    cube = torch.stack([gumbel(streams(64), step, 64) for step in range(64)])
    cells = as_uniform(cube) - 0.5
    for axis in range(3):
        one, other = np.delete(cells, 0, axis), np.delete(cells, -1, axis)
        correlation = np.corrcoef(one.ravel(), other.ravel())[0, 1]
        assert abs(correlation) < 4.5 / math.sqrt(one.size)


def test_rows_may_be_at_steps_of_their_own() -> None:
    keys, steps = streams(6), [0, 5, 1, 300, 5, 2**31]
    together = gumbel(keys, torch.tensor(steps), 40)
    alone = [gumbel(keys[row : row + 1], step, 40) for row, step in enumerate(steps)]
    assert torch.equal(together, torch.cat(alone))


def test_one_bit_of_the_key_changes_everything() -> None:
    key = stream_key(0, "avalanche")
    flipped = torch.tensor([signed(key ^ (1 << bit)) for bit in range(64)])
    base = as_uniform(gumbel(torch.tensor([signed(key)]), 0, 256))
    changed = as_uniform(gumbel(flipped, 0, 256))
    differences = np.abs(changed - base)
    assert abs(differences.mean() - 1 / 3) < 0.01
    assert differences.min(axis=1).max() < 0.1


def test_no_two_cells_are_equal() -> None:
    noise = torch.stack([gumbel(streams(50), step, 50) for step in range(50)])
    assert len(torch.unique(noise)) == noise.numel()


@given(st.permutations(range(8)), st.integers(0, 1000))
def test_the_noise_of_a_row_knows_nothing_of_the_others(order: list[int], step: int) -> None:
    keys = streams(8)
    together = gumbel(keys, step, 40)
    assert torch.equal(gumbel(keys[order], step, 40), together[order])
    assert torch.equal(gumbel(keys[order[:1]], step, 40), together[order[:1]])


def test_the_noise_of_a_token_does_not_depend_on_the_size_of_the_vocabulary() -> None:
    assert torch.equal(gumbel(streams(3), 5, 1000)[:, :17], gumbel(streams(3), 5, 17))


def test_the_noise_is_finite_at_the_ends_of_the_range() -> None:
    """The counters whose hashes are all zeros and all ones: the inverse of the mix, found by undoing each step."""
    extremes = torch.tensor([signed(unmix(0)), signed(unmix(2**64 - 1))])
    assert uniform(extremes).tolist() == [2.0**-53, 1 - 2.0**-53]


def unmix(value: int) -> int:
    for shift, factor in ((31, 0x94D049BB133111EB), (27, 0xBF58476D1CE4E5B9), (30, None)):
        value = unshift(value, shift)
        if factor is not None:
            value = value * pow(factor, -1, 2**64) % 2**64
    return value


def unshift(value: int, shift: int) -> int:
    undone = value
    for _ in range(64 // shift):
        undone = value ^ (undone >> shift)
    return undone


def test_adding_the_noise_samples_from_the_softmax() -> None:
    logits = torch.tensor([2.0, 1.0, 0.0, -1.0], dtype=torch.float64)
    draws = (logits + gumbel(streams(40_000), 0, 4)).argmax(-1)
    expected = torch.softmax(logits, 0).numpy() * 40_000
    assert stats.chisquare(np.bincount(draws.numpy(), minlength=4), expected).pvalue > 1e-3
