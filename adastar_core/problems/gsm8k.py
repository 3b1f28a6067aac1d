"""GSM8K: grade-school mathematics in several steps; the reference is what follows ``####``."""

from typing import Literal

from adastar_core.problems.few_shot import Benchmark
from adastar_core.problems.rows import Row
from adastar_core.problems.settings import DataSettings
from adastar_core.problems.sources import HubSource
from adastar_core.problems.word_problems import EXEMPLARS
from adastar_core.records import Observation, Split


class GSM8KSettings(DataSettings):
    """GSM8K, from a file or folder or from the hub."""

    type: Literal["gsm8k"] = "gsm8k"


def read(row: Row) -> Observation:
    """Return a row's observation; its difficulty is the number of calculations in the reference solution."""
    solution = row.text("answer")
    _, marker, answer = solution.rpartition("####")
    if not marker or not answer.strip():
        raise row.broken(f"the answer does not end with '#### ' and an answer, but with {solution[-40:]!r}.")
    steps = solution.count("<<")
    return Observation("", row.text("question"), answer.strip(), difficulty=str(steps) if steps else None)


_HUB = HubSource("openai/gsm8k", "main", ((Split.TRAIN, "train"), (Split.TEST, "test")))
BENCHMARK = Benchmark("gsm8k", read, "number", EXEMPLARS, _HUB)
