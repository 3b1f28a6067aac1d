"""Measure how fast verdicts are and whether memory stays flat, and search for texts that break a verifier.

Four parts: verdicts per second and core for each verifier on responses with a rationale of about 300 characters; the same
for formulas, per worker process; memory over many verdicts; and a fuzz run of random and mutated answers, none of which
may raise or take longer than a verdict's deadline::

    python bench/verifiers.py --json verifiers.json
"""

import argparse
import json
import random
import string
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from itertools import cycle, islice
from pathlib import Path

import psutil
from rich.console import Console
from rich.table import Table

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
WORDS = [
    "wind",
    "water",
    "stone",
    "light",
    "sound",
    "heat",
    "iron",
    "wood",
    "glass",
    "sand",
    "rain",
    "snow",
    "plant",
    "animal",
    "root",
    "leaf",
    "cell",
    "bone",
    "moon",
    "star",
]
PIECES = (
    *FORMATS,
    "72",
    "-",
    "1,080",
    "½",
    "１",
    "(B)",
    "A",
    "yes",
    "no",
    " or ",
    ".",
    "\n",
    "Q: ",
    "$",
    "\\frac{1}{2}",
    "%",
    " million",
    "**",
    "\u2212",
    "e9",
    "{",
    "}",
    "?",
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


@dataclass(frozen=True, slots=True)
class Fuzz:
    """A fuzz run: what came out, and the slowest verdict."""

    verifier: str
    answers: int
    outcomes: dict[str, int]
    slowest_seconds: float
    deadline_seconds: float


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
        written = rng.choice(
            [f"({given.label})", f"({given.label})", given.label, given.text, f"({given.label}) {given.text}"]
        )
        yield (
            Observation("x", "", rng.choice(options).label, options),
            RATIONALE + rng.choice(FORMATS).format(written),
        )


def yes_or_no(rng: random.Random) -> Iterator[Case]:
    """Yield yes and no."""
    while True:
        written = rng.choice(["yes", "no", "Yes", "no, because it is not"])
        yield Observation("x", "", rng.choice(["yes", "no"])), RATIONALE + rng.choice(FORMATS).format(written)


def formulas(rng: random.Random) -> Iterator[Case]:
    """Yield formulas that no comparison of numbers or spellings decides, half of them right; four attempts each."""
    while True:
        a, b, c = rng.randint(2, 99), rng.randint(2, 99), rng.randint(2, 9)
        reference, same, other = rng.choice(
            [
                (
                    rf"\frac{{{a}}}{{{b}}}x + {c}",
                    rf"{c} + \frac{{{a}x}}{{{b}}}",
                    rf"{c} - \frac{{{a}x}}{{{b}}}",
                ),
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
    timings = [_timed(verifier, cases) for _ in range(rounds)]
    processor, clock, right = (min(column) for column in zip(*timings, strict=True))
    return Speed(name, len(cases), len(cases) / processor, len(cases) / clock, int(right))


def _timed(verifier: Verifier, cases: list[Case]) -> tuple[float, float, int]:
    """Return seconds of processor time, seconds of the clock, and how many are right."""
    clock, processor = time.perf_counter(), time.process_time()
    right = sum(
        verifier.verify(observation, response, FinishReason.EOS).outcome == "right"
        for observation, response in cases
    )
    return time.process_time() - processor, time.perf_counter() - clock, right


def resident_mib(process: psutil.Process) -> float:
    """Return the resident memory of a process."""
    return float(process.memory_info().rss) / 2**20


def memory(
    name: str,
    verifier: Verifier,
    make: Callable[[], Iterator[Case]],
    verdicts: int,
    process: Callable[[], psutil.Process],
) -> Memory:
    """Measure a process before and after ``verdicts`` verdicts."""
    stream = make()
    for observation, response in islice(stream, max(1, verdicts // 10)):
        verifier.verify(observation, response, FinishReason.EOS)
    before = resident_mib(process())
    for observation, response in islice(stream, verdicts):
        verifier.verify(observation, response, FinishReason.EOS)
    return Memory(name, verdicts, before, resident_mib(process()))


def mutated(rng: random.Random) -> str:
    """Return a random answer: declared answers, pieces of them, and noise."""
    parts = [rng.choice(PIECES) if rng.random() < 0.8 else _noise(rng) for _ in range(rng.randint(1, 10))]
    return "".join(part.replace("{}", rng.choice(PIECES)) if rng.random() < 0.9 else part for part in parts)


def _noise(rng: random.Random) -> str:
    alphabet = rng.choice(
        [string.printable, "\\{}^_$()[]0123456789", "".join(chr(rng.randrange(1, 0x3000)) for _ in range(9))]
    )
    return "".join(rng.choice(alphabet) for _ in range(rng.randint(1, 30)))


def fuzz(name: VerifierName, verifier: Verifier, answers: int, deadline_seconds: float, seed: int) -> Fuzz:
    """Judge random answers. Any exception ends the benchmark."""
    rng = random.Random(seed)
    options = tuple(Choice(label, word) for label, word in zip("ABCDE", WORDS, strict=False))
    reference = {
        "number": "72",
        "choice": "B",
        "yes_no": "yes",
        "label": "B",
        "math": r"\frac{x}{2}",
        "exact": "wind",
    }[name]
    observation = Observation("x", "", reference, options if name in ("choice", "label") else ())
    outcomes: Counter[str] = Counter()
    slowest = 0.0
    for reason in islice(cycle(FinishReason), answers):
        response = mutated(rng)
        start = time.perf_counter()
        outcomes[verifier.verify(observation, response, reason).outcome.value] += 1
        slowest = max(slowest, time.perf_counter() - start)
    return Fuzz(name, answers, dict(sorted(outcomes.items())), slowest, deadline_seconds)


def worker_of(verifier: MathVerifier) -> psutil.Process:
    """Return the process that compares formulas."""
    verifier.verify(Observation("x", "", "x+1"), "The answer is $1+x$.", FinishReason.EOS)
    return psutil.Process().children()[0]


def main() -> None:
    """Measure, print the tables, and write them as JSON where asked to."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--verdicts", type=int, default=1_000_000, help="verdicts of the memory run (default %(default)s)"
    )
    parser.add_argument("--fuzz", type=int, default=1_000_000, help="random answers (default %(default)s)")
    parser.add_argument(
        "--formulas", type=int, default=3_000, help="formulas of the speed run (default %(default)s)"
    )
    parser.add_argument("--seed", type=int, default=0, help="seed of everything random (default %(default)s)")
    parser.add_argument("--json", type=Path, help="write the figures here too")
    options = parser.parse_args()

    rng = random.Random(options.seed)
    mathematician = MathVerifier()
    speeds = [
        speed("number", open_verifier("number"), list(islice(numbers(rng), 50_000))),
        speed("choice", open_verifier("choice"), list(islice(choices(rng), 50_000))),
        speed("yes_no", open_verifier("yes_no"), list(islice(yes_or_no(rng), 50_000))),
        speed("label", open_verifier("label"), list(islice(choices(rng), 50_000))),
        speed("math, formulas alone", mathematician, list(islice(formulas(rng), options.formulas)), rounds=1),
        speed(
            "math, as in a benchmark",
            mathematician,
            list(islice(mathematics(rng), options.formulas)),
            rounds=1,
        ),
    ]
    _print("Verdicts per second", [asdict(one) for one in speeds])

    me = psutil.Process()
    memories = [
        memory(
            "this one, number", open_verifier("number"), lambda: numbers(rng), options.verdicts, lambda: me
        ),
        memory(
            "this one, choice",
            open_verifier("choice"),
            lambda: choices(rng),
            options.verdicts // 4,
            lambda: me,
        ),
        memory(
            "worker, math",
            mathematician,
            lambda: formulas(rng),
            options.formulas,
            lambda: worker_of(mathematician),
        ),
    ]
    _print("Resident memory", [asdict(one) for one in memories])

    shares: list[tuple[VerifierName, float]] = [
        ("number", 0.35),
        ("choice", 0.3),
        ("yes_no", 0.12),
        ("label", 0.12),
        ("exact", 0.1),
        ("math", 0.01),
    ]
    verifiers: dict[VerifierName, Verifier] = {
        name: mathematician if name == "math" else open_verifier(name) for name, _ in shares
    }
    fuzzes = [
        fuzz(name, verifiers[name], int(options.fuzz * share), 6.0 if name == "math" else 1.0, options.seed)
        for name, share in shares
    ]
    _print("Fuzz", [asdict(one) for one in fuzzes])
    mathematician.close()

    if options.json:
        figures = {"speed": speeds, "memory": memories, "fuzz": fuzzes}
        options.json.write_text(
            json.dumps({key: [asdict(one) for one in rows] for key, rows in figures.items()}, indent=2)
            + "\n",
            "utf-8",
        )


def _print(title: str, rows: list[dict[str, object]]) -> None:
    table = Table(title=title)
    for column in rows[0]:
        table.add_column(column)
    for row in rows:
        table.add_row(
            *(
                f"{value:,.3g}"
                if isinstance(value, float) and value < 100
                else f"{value:,.0f}"
                if isinstance(value, float)
                else str(value)
                for value in row.values()
            )
        )
    Console().print(table)


if __name__ == "__main__":
    main()
