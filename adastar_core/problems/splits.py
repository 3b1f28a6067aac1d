"""Parts of the data by a stable hash of the observation id: adding observations moves no other one.

Equal questions go where the first of them goes, so that no split asks what another one asks.
"""

import hashlib
from collections.abc import Iterable, Sequence

from adastar_core.problems.repeats import spelling
from adastar_core.records import Observation


def place(purpose: str, observation_id: str) -> float:
    """Return the observation's fixed place in [0, 1) for a purpose, e.g. ``"test"``."""
    digest = hashlib.sha256(f"{purpose}\x1f{observation_id}".encode()).digest()
    return int.from_bytes(digest[:7], "big") / (1 << 56)


def carve(
    observations: Iterable[Observation], purpose: str, share: float
) -> tuple[list[Observation], list[Observation]]:
    """Return those that stay and those that are carved out, about ``share`` of them, each in their order."""
    stay: list[Observation] = []
    carved: list[Observation] = []
    first: dict[str, str] = {}
    for observation in observations:
        asked_first = first.setdefault(spelling(observation), observation.observation_id)
        (carved if place(purpose, asked_first) < share else stay).append(observation)
    return stay, carved


def limit(observations: Sequence[Observation], most: int | None) -> list[Observation]:
    """Return at most ``most`` observations, chosen by hash and in their order; all of them for ``None``."""
    if most is None or len(observations) <= most:
        return list(observations)
    places = sorted(
        (place("limit", observation.observation_id), index) for index, observation in enumerate(observations)
    )
    return [observations[index] for index in sorted(index for _, index in places[:most])]
