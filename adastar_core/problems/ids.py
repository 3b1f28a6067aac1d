"""Observation ids: a row's own, or a digest of what it asks."""

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from adastar_core.problems.rows import Row
from adastar_core.records import Observation


def named(observations: Sequence[Observation], rows: Sequence[Row]) -> list[Observation]:
    """Return the observations, each read from its row, with an id each: the data's own or a digest.

    Raises:
        DataError: Two rows have one id.
    """
    seen: dict[str, Row] = {}
    repeats: Counter[str] = Counter()
    result: list[Observation] = []
    for observation, row in zip(observations, rows, strict=True):
        if not observation.observation_id:
            choices = (f"{choice.label}\x1e{choice.text}" for choice in observation.choices)
            context = (f"{name}\x1e{text}" for name, text in observation.context)
            content = "\x1f".join([observation.question, *choices, *context])
            digest = hashlib.sha256(content.encode()).hexdigest()[:16]
            repeats[digest] += 1  # the k-th row with one content gets -k
            name = digest if repeats[digest] == 1 else f"{digest}-{repeats[digest]}"
            observation = replace(observation, observation_id=name)
        first = seen.setdefault(observation.observation_id, row)
        if first is not row:
            raise row.broken(
                f"the id {observation.observation_id!r} is that of row {first.number} too. Make ids unique."
            )
        result.append(observation)
    return result
