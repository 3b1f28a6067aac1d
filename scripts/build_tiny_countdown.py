"""Build the base model of the preset countdown: a tiny Llama that solves puzzles of few numbers at times.

It has tiny-adder's shape and tokenizer, and is pre-trained on true solutions of random puzzles from the training split, each
a random way to its target. It is stopped early on purpose, so that self-improvement has room.

    python scripts/build_tiny_countdown.py            # rebuild adastar_core/models/tiny-countdown
    python scripts/build_tiny_countdown.py --check    # rebuild elsewhere and compare byte for byte

The same machine and library versions give the same bytes: one thread, one seed, no dropout.
"""

import sys
from collections.abc import Iterator

import numpy as np
from build_tiny_adder import SEED, TARGET, main

from adastar_core.problems.countdown import LARGEST_TARGET, Puzzle, rationale
from adastar_core.records import Split
from adastar_core.streams import rng
from adastar_core.verifiers.expressions import Expression, combined, number

STEPS = 2400
SIZES = (2, 3, 4)
SHARES = (0.15, 0.5, 0.35)


def texts() -> Iterator[tuple[str, str]]:
    """Yield endless puzzles of the training split, each with one random solution."""
    random = rng(SEED, "tiny-countdown texts")
    while True:
        expression = drawn(random, int(random.choice(SIZES, p=SHARES)))
        if expression is not None and 1 <= expression.value <= LARGEST_TARGET:
            puzzle = Puzzle(expression.numbers, expression.value)
            if puzzle.split is Split.TRAIN:
                yield f"{puzzle.question}\n", rationale(expression)


def drawn(random: np.random.Generator, size: int) -> Expression | None:
    """Return a random expression of so many numbers; ``None`` where a calculation goes below 0."""
    pool = [number(int(value)) for value in random.integers(1, 10, size)]
    while len(pool) > 1:
        left, right = (pool.pop(int(random.integers(len(pool)))) for _ in range(2))
        joined = combined(left, "+-*"[int(random.integers(3))], right)
        if joined.value < 0:
            return None
        pool.append(joined)
    return pool[0]


if __name__ == "__main__":
    sys.exit(main(__doc__, TARGET.with_name("tiny-countdown"), texts(), STEPS))
