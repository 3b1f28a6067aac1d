"""Requests for the packaged model, and how they are decoded, for tests of every generator."""

from collections.abc import Sequence
from dataclasses import replace

from adastar_core.generators import Decoding, Generator
from adastar_core.problems.arithmetic import Arithmetic, ArithmeticSettings
from adastar_core.records import Attempt, GenerationRequest, Split
from adastar_core.streams import rationale_key

SAMPLED = Decoding(greedy=False, temperature=1.0, top_p=1.0, max_new_tokens=80)
NUCLEUS = replace(SAMPLED, temperature=1.3, top_p=0.9)
GREEDY = replace(SAMPLED, greedy=True)
STOPPED = replace(SAMPLED, stop=("=15\n", "+9+1"))
DECODINGS = {"sampled": SAMPLED, "nucleus": NUCLEUS, "greedy": GREEDY, "stopped": STOPPED}


def requests(count: int, iteration: int = 1) -> list[GenerationRequest]:
    """Return first attempts at so many additions."""
    problem = Arithmetic(ArithmeticSettings())
    rows = problem.load(Split.TRAIN)[:count]
    return [
        GenerationRequest(
            place, 1, False, problem.prompt(row), rationale_key(0, iteration, row.observation_id, 1)
        )
        for place, row in enumerate(rows)
    ]


def in_batches(
    generator: Generator, wanted: Sequence[GenerationRequest], decoding: Decoding, size: int
) -> list[Attempt]:
    """Return the attempts at the requests, generated ``size`` at a time."""
    starts = range(0, len(wanted), size)
    return [
        attempt for start in starts for attempt in generator.generate(wanted[start : start + size], decoding)
    ]
