"""Every method that a configuration can name, and how to open its sampler."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from adastar_core import streams
from adastar_core.config import AdaStarSettings, RandomSettings
from adastar_core.samplers import Sampler, Statistics
from adastar_core.samplers.adastar import AdaStarSampler
from adastar_core.samplers.random import RandomSampler


def open_sampler(
    settings: AdaStarSettings | RandomSettings,
    seed: int,
    observation_ids: Sequence[str],
    statistics: Statistics,
) -> Sampler:
    """Return the method's sampler, rebuilt from ``statistics`` (N observations, by position)."""
    match settings:
        case AdaStarSettings(tiebreak="official"):
            return AdaStarSampler(statistics, string_ranks(observation_ids), settings.power)
        case AdaStarSettings():
            return AdaStarSampler(
                statistics, streams.tiebreak_ranks(seed, len(observation_ids)), settings.power
            )
        case RandomSettings():
            return RandomSampler(statistics, seed)


def string_ranks(observation_ids: Sequence[str]) -> npt.NDArray[np.int64]:
    """Return each id's place when ids are sorted as strings, as the official code breaks ties."""
    ranks = np.empty(len(observation_ids), dtype=np.int64)
    ranks[np.argsort(np.array(observation_ids, dtype=object), kind="stable")] = np.arange(
        len(observation_ids)
    )
    return ranks
