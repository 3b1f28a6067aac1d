"""Measure how fast verdicts are and whether memory stays flat.

Three parts: verdicts per second and core for each verifier on responses with a rationale of about 300 characters; the same
for formulas, per worker process; and memory over many verdicts::

    python bench/verifiers.py --json verifiers.json
"""

import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Annotated

import psutil
from common import run, save, show
from cyclopts import Parameter

from adastar_core.records import Choice, FinishReason, Observation
from adastar_core.verifiers import Verifier
from adastar_core.verifiers.catalogue import VerifierName, open_verifier
from adastar_core.verifiers.math import MathVerifier

RATIONALE = (
    "Natalia sold 48 clips in April and half as many in May, which is 48 / 2 = 24 clips. Over both months she sold 48 + 24 clips, and "
    "each of her 12 friends bought the same number of them. A clip weighs 3.5 grams, but its weight does not matter for the "
    "question that is asked here, so it can be left out. "
)
FORMATS = (
    "\n#### {}",
    "The answer is {}.",
    "So the answer is {}",
    "Answer: {}",
    r"Hence $\boxed{{{}}}$.",
    "The answer is **{}**.",
)
WORDS = (
    *("wind", "water", "stone", "light", "sound", "heat", "iron", "wood", "glass", "sand"),
    *("rain", "snow", "plant", "animal", "root", "leaf", "cell", "bone", "moon", "star"),
)
Case = tuple[Observation, str]


@dataclass(frozen=True, slots=True)
class Speed:
    """Verdicts per second of one process, by its processor time and by the clock: the best of three rounds."""

    verifier: str
    verdicts: int
    per_core_second: float
    per_second: float
    right: int


@dataclass(frozen=True, slots=True)
class Memory:
    """Resident memory of a process before and after many verdicts, after a warm-up of a tenth of them."""

    process: str
    verdicts: int
    before_mib: float
    after_mib: float


def numbers(rng: random.Random) -> Iterator[Case]:
    """Yield right and wrong numeric answers in every declared format, with commas, decimals and units."""
    while True:
        value = rng.choice([rng.randint(0, 200), rng.randint(0, 10**6)])
        given = value if rng.random() < 0.6 else value + rng.randint(1, 9)
        written = rng.choice([f"{given}", f"{given:,}", f"${given:,}.00", f"{given} clips"])
        yield Observation("x", "", f"{value:,}"), RATIONALE + rng.choice(FORMATS).format(written)


def choices(rng: random.Random) -> Iterator[Case]:
    """Yield multiple-choice answers by label, by text and by both."""
    questions = [
        tuple(
            Choice(label, f"{rng.choice(WORDS)} and {word}")
            for label, word in zip("ABCDE", rng.sample(WORDS, 5), strict=True)
        )
        for _ in range(2000)
    ]
    while True:
        options = rng.choice(questions)
        given = rng.choice(options)
        label = f"({given.label})"
        written = rng.choice([label, label, given.label, given.text, f"{label} {given.text}"])
        observation = Observation("x", "", rng.choice(options).label, options)
        yield observation, RATIONALE + rng.choice(FORMATS).format(written)


def yes_or_no(rng: random.Random) -> Iterator[Case]:
    while True:
        written = rng.choice(["yes", "no", "Yes", "no, because it is not"])
        yield Observation("x", "", rng.choice(["yes", "no"])), RATIONALE + rng.choice(FORMATS).format(written)


def formulas(rng: random.Random) -> Iterator[Case]:
    """Yield formulas that no comparison of numbers or spellings decides, half of them right; four attempts each."""
    while True:
        a, b, c = rng.randint(2, 99), rng.randint(2, 99), rng.randint(2, 9)
        line, flat = rf"\frac{{{a}}}{{{b}}}x + {c}", rf"\frac{{{a}x}}{{{b}}}"
        reference, same, other = rng.choice(
            [
                (line, f"{c} + {flat}", f"{c} - {flat}"),
                (rf"{a}\sqrt{{{b}}}", rf"\sqrt{{{a * a * b}}}", rf"\sqrt{{{a * a * b + 1}}}"),
                (f"x^2 + {a + b}x + {a * b}", f"(x+{a})(x+{b})", f"(x-{a})(x+{b})"),
                (rf"\frac{{{a}\pi}}{{{b}}}", rf"{a}\pi/{b}", rf"{a + 1}\pi/{b}"),
                (rf"({a}, {b})", rf"\left({a},{b}\right)", f"({b}, {a + 1})"),
                (f"{a}^{{{c}}}", f"{a**c}", f"{a**c + 1}"),
            ]
        )
        for attempt in range(4):
            wrong = other.replace(str(a), str(a + attempt)) if attempt else other
            given = same if rng.random() < 0.5 else wrong
            yield Observation("x", "", reference), f"{RATIONALE}The answer is ${given}$."


def mathematics(rng: random.Random) -> Iterator[Case]:
    """Yield the answers of a mathematics benchmark: half plain numbers, a fifth spelt as the reference, formulas."""
    plain, hard = numbers(rng), formulas(rng)
    while True:
        kind = rng.random()
        if kind < 0.5:
            yield next(plain)
        else:
            observation, response = next(hard)
            yield observation, f"{RATIONALE}The answer is ${observation.answer}$." if kind < 0.7 else response


def speed(name: str, verifier: Verifier, cases: list[Case], rounds: int = 3) -> Speed:
    """Time nine tenths of ``cases`` after a warm-up on the others; the best round is the least disturbed one.

    Formulas have one round: in a second one their worker would know them.
    """
    warm_up, cases = cases[: len(cases) // 10], cases[len(cases) // 10 :]
    for observation, response in warm_up:
        verifier.verify(observation, response, FinishReason.EOS)
    timings = []
    for _ in range(rounds):
        clock, processor = time.perf_counter(), time.process_time()
        right = sum(
            verifier.verify(observation, response, FinishReason.EOS).outcome == "right"
            for observation, response in cases
        )
        timings.append((time.process_time() - processor, time.perf_counter() - clock, right))
    processor, clock, right = (min(column) for column in zip(*timings, strict=True))
    return Speed(name, len(cases), len(cases) / processor, len(cases) / clock, int(right))


def resident_mib(process: psutil.Process) -> float:
    return float(process.memory_info().rss) / 2**20


def memory(
    name: str,
    verifier: Verifier,
    stream: Iterator[Case],
    verdicts: int,
    process: Callable[[], psutil.Process],
) -> Memory:
    for observation, response in islice(stream, max(1, verdicts // 10)):
        verifier.verify(observation, response, FinishReason.EOS)
    before = resident_mib(process())
    for observation, response in islice(stream, verdicts):
        verifier.verify(observation, response, FinishReason.EOS)
    return Memory(name, verdicts, before, resident_mib(process()))


def main(
    *,
    verdicts: int = 1_000_000,
    formula_count: Annotated[int, Parameter(name="--formulas")] = 3_000,
    seed: int = 0,
    json: Path | None = None,
) -> None:
    """Measure, print the tables, and write them as JSON where asked to.

    Args:
        verdicts: Verdicts of the memory run.
        formula_count: Formulas of the speed run.
        seed: Seed of everything random.
        json: Where to write the figures.
    """
    rng, mathematician = random.Random(seed), MathVerifier()
    texts: dict[VerifierName, Callable[[random.Random], Iterator[Case]]] = {
        "number": numbers, "choice": choices, "yes_no": yes_or_no, "label": choices
    }  # fmt: skip
    verifiers = {name: open_verifier(name) for name in texts}
    speeds = [speed(name, verifiers[name], list(islice(make(rng), 50_000))) for name, make in texts.items()]
    speeds += [
        speed(f"math, {name}", mathematician, list(islice(make(rng), formula_count)), rounds=1)
        for name, make in {"formulas alone": formulas, "as in a benchmark": mathematics}.items()
    ]
    show("Verdicts per second", speeds)

    def worker() -> psutil.Process:  # asked for each time: it may have been started again
        mathematician.verify(Observation("x", "", "x+1"), "The answer is $1+x$.", FinishReason.EOS)
        return psutil.Process().children()[0]

    memories = [
        memory("this one, number", verifiers["number"], numbers(rng), verdicts, psutil.Process),
        memory("this one, choice", verifiers["choice"], choices(rng), verdicts // 4, psutil.Process),
        memory("worker, math", mathematician, formulas(rng), formula_count, worker),
    ]
    show("Resident memory", memories)
    mathematician.close()
    save(json, {"speed": speeds, "memory": memories})


if __name__ == "__main__":
    run(main, __doc__)
