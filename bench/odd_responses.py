"""Random responses for the search in ``fuzz_verifiers.py``.

They are the endings of ``tests/core/verifiers/wordings`` with values in place, spliced, mutated, wrapped in markup, mixed
with Unicode noise, and now and then 100 kB long.
"""

import random
import re
import string
from pathlib import Path

WORDINGS = Path(__file__).parents[1] / "tests" / "core" / "verifiers" / "wordings"
MARKUP = (
    "**",
    "*",
    "_",
    "`",
    "$",
    "\\(",
    "\\)",
    "\\[",
    "\\]",
    "\n",
    "\n\n",
    "> ",
    "- ",
    "#### ",
    "| ",
    "~~",
    "\\text{",
    "{",
    "}",
)
REPEATED = (
    *(
        "(",
        "{",
        "[",
        "$",
        "*",
        "answer is ",
        "The answer is 72. ",
        "#### ",
        "\\boxed{",
        "<think>",
        "</think>",
    ),
    *(
        "72 ",
        "1,",
        "-",
        "\n",
        " ",
        "Q",
        "\\frac{1}{",
        "**",
        "or ",
        "(B) ",
        "yes ",
        "<answer>",
        "\\text{",
        "½",
        "e9",
    ),
)
PLACE = re.compile(r"<(?:[vdVDLTMU]|plain(?: d)?)>")
LONGEST = 100_000
Texts = tuple[list[str], list[str]]


def endings() -> tuple[list[str], list[str]]:
    """Return the wordings of the tests: those of sections that plainly declare a value, and the others."""
    plain: list[str] = []
    others: list[str] = []
    for path in sorted(WORDINGS.glob("*.txt")):
        section = others
        for line in path.read_text("utf-8").splitlines():
            if line.startswith("["):
                section = plain if " sure=v" in line else others
            elif line and not line.startswith("//"):
                section.append(line.replace("⏎", "\n"))
    return plain, others


def spelled(rng: random.Random, texts: Texts, values: tuple[str, ...]) -> str:
    """Return one ending with values in its places."""

    def fill(place: re.Match[str]) -> str:
        return f"The answer is {rng.choice(values)}." if "plain" in place[0] else rng.choice(values)

    return PLACE.sub(fill, rng.choice(rng.choice(texts)))


def noise(rng: random.Random) -> str:
    anything = "".join(
        chr(rng.choice((rng.randrange(1, 0x3000), rng.randrange(0x1F300, 0x1F700)))) for _ in range(9)
    )
    alphabet = rng.choice([string.printable, "\\{}^_$()[]0123456789", anything])
    return "".join(rng.choice(alphabet) for _ in range(rng.randint(1, 20)))


def mutated(rng: random.Random, text: str) -> str:
    """Return ``text`` with a span cut, doubled or moved, or with markup, a character or noise put in."""
    start, end = sorted((rng.randint(0, len(text)), rng.randint(0, len(text))))
    span = text[start:end]
    kind = rng.randrange(6)
    if kind == 0:
        return text[:start] + text[end:]
    if kind == 1:
        return text[:end] + span + text[end:]
    if kind == 2:
        return text[:start] + span.swapcase() + text[end:]
    mark = rng.choice(MARKUP) if kind < 5 else noise(rng)
    return text[:start] + mark + span + (mark if kind == 4 else "") + text[end:]


def response(rng: random.Random, texts: Texts, values: tuple[str, ...]) -> str:
    """Return a random response: one to four endings, spliced and mutated; one in two thousand is very long."""
    if rng.random() < 0.0005:
        piece = rng.choice(REPEATED)
        return spelled(rng, texts, values) + piece * (LONGEST // len(piece)) + spelled(rng, texts, values)
    made = rng.choice(("\n", " ", "\n\n", "")).join(
        spelled(rng, texts, values) for _ in range(rng.choice((1, 1, 1, 2, 3, 4)))
    )
    for _ in range(rng.choice((0, 0, 1, 1, 2, 4))):
        made = mutated(rng, made)
    return made
