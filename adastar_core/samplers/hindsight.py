"""What a sampler predicted before each iteration, found again from the stamps that it had learned from by then."""

from collections.abc import Iterator, Sequence

from adastar_core.records import Observation
from adastar_core.samplers import Floats, Predicting, Stamps, Statistics
from adastar_core.samplers.catalogue import AnySamplerSettings


def predictions(
    settings: AnySamplerSettings, seed: int, pool: Sequence[Observation], past: Sequence[Stamps]
) -> Iterator[tuple[int, Floats]]:
    """Yield each iteration with what was predicted of every observation before it, by position.

    The first iteration is left out: nothing is known before it, so that nothing is predicted. ``past`` has what every
    iteration stamped, oldest first; the iteration after the last is yielded too. The settings are of a sampler that predicts.
    """
    sampler = settings.open_for(Statistics.empty(len(pool)), seed, pool)
    assert isinstance(sampler, Predicting), f"{settings} says that it predicts"
    for stamps in past:
        sampler.recall(stamps)
        yield stamps.iteration + 1, sampler.predict()
