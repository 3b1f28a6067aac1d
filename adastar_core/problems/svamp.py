"""SVAMP: one-step arithmetic stories whose wording was varied to defeat shallow cues."""

from typing import Literal

from adastar_core.problems.few_shot import Benchmark
from adastar_core.problems.rows import Row
from adastar_core.problems.settings import DataSettings
from adastar_core.problems.sources import HubSource
from adastar_core.problems.word_problems import EXEMPLARS
from adastar_core.records import Observation, Split


class SVAMPSettings(DataSettings):
    """SVAMP, from a file or folder or from the hub."""

    type: Literal["svamp"] = "svamp"


def read(row: Row) -> Observation:
    """Return a row's observation; its difficulty is the operation it needs."""
    if row.has("question_concat"):
        question = row.text("question_concat")
    else:
        question = f"{row.text('Body')} {row.first('question', 'Question')}"
    difficulty = row.first("Type") if row.has("Type") else None
    return Observation(row.first("ID", "id"), question, row.first("answer", "Answer"), difficulty=difficulty)


_HUB = HubSource("ChilleD/SVAMP", None, ((Split.TRAIN, "train"), (Split.TEST, "test")))
BENCHMARK = Benchmark("svamp", read, "number", EXEMPLARS, _HUB)
