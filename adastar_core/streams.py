"""Named random streams: every random choice of a run comes from one of these.

A stream is named by the run's seed, a purpose, and whatever else identifies the choice (iteration,
observation, attempt). Nothing depends on the order in which streams are used, so no choice depends
on batch size, retries or kills.
"""

import hashlib

import numpy as np
import numpy.typing as npt


def stream_key(seed: int, purpose: str, *parts: int | str) -> int:
    """Return the unsigned 64-bit key of a stream; distinct names give independent keys (SHA-256).

    Args:
        seed: The run's.
        purpose: What is chosen, e.g. ``"rationale"``, ``"tiebreak"``, ``"shuffle"``.
        parts: What identifies the single choice, e.g. iteration, observation id and attempt.
    """
    name = "\x1f".join([str(seed), purpose, *map(str, parts)])
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "little")


def rationale_key(seed: int, iteration: int, observation_id: str, attempt: int) -> int:
    """Return the key of the stream that one attempt's rationale is sampled with."""
    return stream_key(seed, "rationale", iteration, observation_id, attempt)


def tiebreak_ranks(seed: int, count: int) -> npt.NDArray[np.uint64]:
    """Return each position's place among equals, shape (count,); sorting by it is a seeded permutation.

    The mixing function is a bijection on 64-bit integers (Steele et al. 2014, SplitMix64), so ranks are
    unique, and observations that are added later do not move the old ones.
    """
    mixed = np.arange(count, dtype=np.uint64) + np.uint64(stream_key(seed, "tiebreak"))
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        mixed = (mixed ^ (mixed >> np.uint64(shift))) * np.uint64(factor)
    return mixed ^ (mixed >> np.uint64(31))


def rng(seed: int, purpose: str, *parts: int | str) -> np.random.Generator:
    """Return numpy's random generator for the named stream (counter-based Philox)."""
    return np.random.Generator(np.random.Philox(key=stream_key(seed, purpose, *parts)))
