"""Responses whose right verdict is known by construction: wordings, what they assert, values and references.

The files in ``wordings/`` hold sentences with places for values, in sections; the head of each section says what its sentences
assert. From that follows which verdicts each reference allows::

    [bounds] none                          # asserts no value: never right
    The answer is at least <v>.

A case is allowed more than one outcome wherever two careful readers could differ.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cache
from itertools import count
from pathlib import Path

import numpy as np

from adastar_core.records import FinishReason, Outcome
from adastar_core.streams import rng
from tests.core.verifiers.values import KINDS, Kind, Value

FOLDER = Path(__file__).parent / "wordings"
ALL = frozenset(Outcome)
NOT_RIGHT = ALL - {Outcome.RIGHT}
STRENGTHS = {
    "sure": frozenset({Outcome.RIGHT}),
    "likely": frozenset({Outcome.RIGHT, Outcome.UNDECIDED}),
    "open": ALL,
}
CUT_EVERY = 25
_PAIR = " ‖ "
_CALCULATED = re.compile(r"(-?)v(?:([*+])([\d.]+))?")
_NEWLINE = "⏎"
_WRAPS = (r"So \boxed{<v>}.", "The answer is $<v>$.", "\\[\n\\boxed{<v>}\n\\]", "**Answer:** $<v>$")


@dataclass(frozen=True, slots=True)
class Section:
    """Sentences that assert the same: each named value with its strength, or none."""

    file: str
    name: str
    asserts: tuple[tuple[str, str], ...]
    denies: bool
    options: dict[str, str]
    texts: list[str] = field(default_factory=list)

    def allowed(self, whom: str, kind: Kind) -> frozenset[Outcome]:
        """Return the outcomes for the reference ``v``, ``d`` or a calculated one."""
        for strength, value in self.asserts:
            if value == whom:
                lenient = strength == "likely" and kind.whole_text
                return ALL if lenient else STRENGTHS[strength]
        if whom == "d" and self.denies and kind.two_valued:
            return ALL
        plainly = [strength for strength, _ in self.asserts] == ["sure"] and kind.verifier != "math"
        return frozenset({Outcome.WRONG}) if plainly else NOT_RIGHT


@dataclass(frozen=True, slots=True)
class Case:
    """A response, the reference that it is judged against, and the outcomes that are right."""

    kind: Kind
    template: str
    reference: str
    response: str
    allowed: frozenset[Outcome]
    value: Value
    finish: FinishReason = FinishReason.EOS


def _head(file: str, line: str) -> Section:
    name, _, rest = line[1:].partition("]")
    words = [word.partition("=") for word in rest.split()]
    asserts = tuple((key, value) for key, _, value in words if key in STRENGTHS)
    options = {key: value for key, _, value in words if key not in STRENGTHS}
    return Section(file, name, asserts, "deny" in options, options)


@cache
def sections(file: str) -> tuple[Section, ...]:
    """Return the sections of ``wordings/<file>.txt``."""
    found: list[Section] = []
    for line in (FOLDER / f"{file}.txt").read_text("utf-8").splitlines():
        if line.startswith("["):
            found.append(_head(file, line))
        elif line and not line.startswith("//"):
            found[-1].texts.append(line.replace(_NEWLINE, "\n"))
    return tuple(found)


def _applies(section: Section, kind: Kind) -> bool:
    options = section.options
    return (
        kind.verifier not in options.get("not", "").split(",")
        and not (options.get("fall_back") == "off" and kind.fall_back)
        and (options.get("fall_back") != "on" or kind.can_fall_back)
        and options.get("only-labels", "") in kind.labels
    )


def _plain(before: str, after: str, generator: np.random.Generator, name: str) -> str:
    """Return a plain declaration that can follow ``before`` and precede ``after`` on the same lines."""
    texts = next(section.texts for section in sections("any") if section.name == "plain")
    if after and not after.startswith(("\n", "<", "~")):
        texts = [text for text in texts if text.endswith(".")]
    if before and not before.endswith(("\n", ">", "~")):
        texts = [text for text in texts if text[0].isalpha()]
    if before.endswith("~"):
        texts = [text for text in texts if "\n" not in text]
    return texts[int(generator.integers(len(texts)))].replace("<v>", f"<{name}>")


def _with_plains(text: str, generator: np.random.Generator) -> str:
    for mark, name in (("<plain>", "v"), ("<plain d>", "d")):
        while mark in text:
            before, _, after = text.partition(mark)
            text = before + _plain(before, after, generator, name) + after
    return text


def _calculated(name: str, value: Value) -> str | None:
    """Return the reference that a head names, such as ``v*12``; ``None`` where the value is no whole number."""
    if name in ("v", "d"):
        return value.reference if name == "v" else value.other
    minus, operation, operand = _CALCULATED.fullmatch(name).groups()  # type: ignore[union-attr]
    if not value.reference.isdigit():
        return None
    number = Fraction(value.reference) * (-1 if minus else 1)
    number = {"*": number * Fraction(operand or 1), "+": number + Fraction(operand or 0)}.get(
        operation, number
    )
    return str(int(number)) if number.denominator == 1 else str(float(number))


def _judged(section: Section, text: str, kind: Kind, value: Value, response: str) -> Iterator[Case]:
    quiet = section.options.get("fall_back") == "on" and not kind.fall_back
    template = f"{section.file}/{section.name}: {text!r}"
    for name in dict.fromkeys(["v", "d", *(name for _, name in section.asserts)]):
        reference = _calculated(name, value)
        if reference is not None:
            allowed = NOT_RIGHT if quiet else section.allowed(name, kind)
            yield Case(kind, template, reference, response, allowed, value)


def _pairs(section: Section, kind: Kind) -> Iterator[Case]:
    """Yield a line ``reference ‖ answer`` in every wrap."""
    allowed = STRENGTHS.get(section.options["pairs"], NOT_RIGHT)
    for number, text in enumerate(section.texts):
        reference, answer = text.split(_PAIR)
        for wrap in _WRAPS[number % 2 :: 2]:
            response = wrap.replace("<v>", answer)
            yield Case(
                kind, f"math/{section.name}: {text}", reference, response, allowed, Value(reference, answer)
            )


def cases_of(kind: Kind, seed: int = 0) -> Iterator[Case]:
    """Yield the cases of one kind of problem; every 25th is also cut at the length limit, which nothing survives."""
    number = count()
    for section in [
        section for file in ("any", kind.wordings) for section in sections(file) if _applies(section, kind)
    ]:
        if "pairs" in section.options:
            yield from _pairs(section, kind)
            continue
        for text in section.texts:
            generator = rng(seed, "generated", kind.name, section.file, section.name, text)
            for value in kind.values(generator, section.options.get("v"), bare=section.file != "any"):
                response = kind.spell(_with_plains(text, generator), value)
                for case in _judged(section, text, kind, value, response):
                    yield case
                    if next(number) % CUT_EVERY == 0:
                        yield Case(
                            kind, f"{case.template}, cut", case.reference, response,
                            frozenset({Outcome.UNDECIDED}), value, FinishReason.LENGTH,
                        )  # fmt: skip


def cases(seed: int = 0) -> Iterator[Case]:
    """Yield every case of every kind of problem."""
    for kind in KINDS:
        yield from cases_of(kind, seed)
