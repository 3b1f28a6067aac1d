"""Named random streams: every random choice of a run comes from one of these.

A stream is named by the run's seed, a purpose, and whatever else identifies the choice (iteration,
observation, attempt). Nothing depends on the order in which streams are used, so batch size, retries
and kills change no result.
"""

import hashlib

import numpy as np

_MASK_63 = (1 << 63) - 1


def stream_key(seed: int, purpose: str, *parts: int | str) -> int:
    """Return the 64-bit key of the stream that these words name.

    Args:
        seed: The run's seed.
        purpose: What is chosen, e.g. ``"rationale"``, ``"tiebreak"``, ``"shuffle"``.
        parts: What identifies the single choice, e.g. iteration, observation id and attempt.

    Returns:
        An unsigned 64-bit integer. Distinct names give independent keys (SHA-256).
    """
    name = "\x1f".join([str(seed), purpose, *map(str, parts)])
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "little")


def rationale_key(seed: int, iteration: int, observation_id: str, attempt: int) -> int:
    """Return the key of the stream that one attempt's rationale is sampled with."""
    return stream_key(seed, "rationale", iteration, observation_id, attempt)


def tiebreak_rank(seed: int, observation_id: str) -> int:
    """Return an observation's place among equals: a non-negative 63-bit integer.

    Ordering by it is a seeded random permutation that stays the same when observations are added.
    """
    return stream_key(seed, "tiebreak", observation_id) & _MASK_63


def generator(seed: int, purpose: str, *parts: int | str) -> np.random.Generator:
    """Return a numpy generator on the named stream (counter-based Philox)."""
    return np.random.Generator(np.random.Philox(key=stream_key(seed, purpose, *parts)))
