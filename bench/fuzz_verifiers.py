"""Search for responses that break a verifier: an exception, a missed deadline, or a promise that is not kept.

Responses are those of ``odd_responses.py``. Three promises are checked on all of them: a response that was cut is
undecided, a reasoning block before it changes nothing, and a retraction or another declaration after it never leaves it
right::

    python bench/fuzz_verifiers.py --json fuzz.json
"""

import random
import re
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path
from typing import Annotated

from common import run, save, show
from cyclopts import Parameter
from odd_responses import endings, response

from adastar_core.records import Choice, FinishReason, Observation, Verdict
from adastar_core.verifiers import Verifier
from adastar_core.verifiers.catalogue import VerifierName, open_verifier
from adastar_core.verifiers.math import MathVerifier

OPTIONS = tuple(
    Choice(label, text)
    for label, text in zip("ABCD", ("a stone", "the wind", "iron", "cold water"), strict=True)
)
TURN = re.compile(
    r"(?i)q\W|q\d|question|problem|human|user|instruct|example|exercise|student|task|input|inst\]|<\||turn>|think|prompt|ai\W|assistant|</s>"
)
"""What may begin another turn or a reasoning block, after which nothing speaks for the response any more."""


@dataclass(frozen=True, slots=True)
class Target:
    """A verifier, what it judges, the values that responses name, and its share of all responses."""

    name: str
    verifier: Verifier
    observation: Observation
    values: tuple[str, ...]
    share: float

    @property
    def deadline_seconds(self) -> float:
        return 6.0 if self.name == "math" else 1.0


@dataclass(frozen=True, slots=True)
class Found:
    """What came out of one verifier's responses."""

    verifier: str
    responses: int
    verdicts: int
    outcomes: dict[str, int]
    slowest_seconds: float
    deadline_seconds: float
    missed_deadlines: int
    broken_promises: int


def targets(formulas: MathVerifier) -> list[Target]:
    """Return the verifiers to try, each with an answer and texts near it."""
    numbers = ("72", "73", "1,080", "-72", "72.5", "$72", "72 clips", "½", "１", "1e9")
    options = ("(B)", "B", "the wind", "(B) the wind", "(C)", "iron", "A", "a stone")
    classes = tuple(
        Choice(str(place), name) for place, name in enumerate(("entailment", "neutral", "contradiction"))
    )

    def target(
        name: str, verifier: VerifierName, answer: str, values: Sequence[str], share: float, *choices: Choice
    ) -> Target:
        opened = formulas if verifier == "math" else open_verifier(verifier, fall_back="fall back" in name)
        return Target(name, opened, Observation("x", "", answer, tuple(choices)), tuple(values), share)

    return [
        target("number", "number", "72", numbers, 0.2),
        target("number, fall back", "number", "72", numbers, 0.13),
        target("choice", "choice", "B", options, 0.15, *OPTIONS),
        target("choice, fall back", "choice", "B", options, 0.1, *OPTIONS),
        target("yes_no", "yes_no", "yes", ("yes", "no", "Yes", "No"), 0.08),
        target("yes_no, fall back", "yes_no", "yes", ("yes", "no", "Yes", "No"), 0.04),
        target("label, listed", "label", "1", ("neutral", "1", "entailment", "0", "1 (neutral)"), 0.07, *classes),
        target("label, free", "label", "the wind", ("the wind", "The Wind", "iron"), 0.07),
        target("exact", "exact", "the wind", ("the wind", "iron", "The wind"), 0.08),
        target("expression", "expression", "3*7+4", ("3*7+4", "4+7*3", "(3*7)+4 = 25", "3*7", "9**9**9", "3*7+5"), 0.07),
        target("math", "math", r"\frac{x}{2}", (r"\frac{x}{2}", "x/2", r"\frac{x}{3}", "6", "$x$"), 0.01),
    ]  # fmt: skip


def against(target: Target) -> tuple[str, ...]:
    """Return what takes a right answer back, whatever it follows."""
    other = {
        "number": "987654",
        "choice": "(D)",
        "yes_no": "no",
        "label": "2",
        "math": "$y+7$",
        "expression": "3*8",
    }.get(target.name.partition(",")[0], "stone")
    return (
        "\n\nWait, that is not right. It is something else.",
        " Actually, no, I am wrong.",
        "\n\nThe answer is unknown.",
        f"\n\nThe answer is {other}.",
        f"\n#### {other}",
        "\nHmm, this cannot be so.",
    )


def fuzz(target: Target, count: int, seed: int) -> tuple[Found, list[str]]:
    """Judge random responses and what the promises make of them; return also those that broke one.

    Any exception ends the search.
    """
    rng, texts, retractions = random.Random(seed), endings(), against(target)
    outcomes: Counter[str] = Counter()
    times: list[float] = [0.0]
    broken: list[str] = []

    def judge(text: str, finish: FinishReason) -> Verdict:
        start = time.perf_counter()
        verdict = target.verifier.verify(target.observation, text, finish)
        times.append(time.perf_counter() - start)
        return verdict

    for finish in islice(cycle(FinishReason), count):
        text = response(rng, texts, target.values)
        verdict = judge(text, finish)
        outcomes[verdict.outcome.value] += 1
        kept = [finish.broken_off is None or verdict.outcome == "undecided"]
        if rng.random() < 0.2:
            thought = judge(f"<think>\nThe answer is {rng.choice(target.values)}.\n</think>\n{text}", finish)
            kept.append(thought.outcome == verdict.outcome)
        if verdict.outcome == "right" and not TURN.search(text):
            kept.append(judge(text + rng.choice(retractions), finish).outcome != "right")
        if not all(kept):
            broken.append(text)
    late = sum(seconds > target.deadline_seconds for seconds in times)
    came = dict(sorted(outcomes.items()))
    return Found(
        target.name, count, len(times) - 1, came, max(times), target.deadline_seconds, late, len(broken)
    ), broken


def main(
    *,
    responses: int = 1_000_000,
    only: Annotated[str, Parameter(name="--verifier")] = "",
    seed: int = 0,
    json: Path | None = None,
) -> None:
    """Search, print the table, and write it with the responses that broke a promise where asked to.

    Args:
        responses: Random responses of all verifiers together; of ``math`` one in a hundred.
        only: Search for breaks of the verifiers whose name begins so.
        seed: Seed of everything random.
        json: Where to write the figures.
    """
    formulas = MathVerifier(workers=1)
    wanted = [target for target in targets(formulas) if target.name.startswith(only)]
    found = [fuzz(target, int(responses * target.share), seed) for target in wanted]
    show("Random responses", [row for row, _ in found])
    formulas.close()
    save(json, [{"found": row, "broken": broken[:50]} for row, broken in found])


if __name__ == "__main__":
    run(main, __doc__)
