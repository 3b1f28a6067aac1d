"""Values for the generated responses: what a reference is, how a response spells it, and which problem judges it."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache, cached_property

import numpy as np
from pydantic import TypeAdapter

from adastar_core.problems.catalogue import AnyProblemSettings, open_problem
from adastar_core.problems.loading import RowProblem
from adastar_core.problems.rows import Row
from adastar_core.records import Observation
from adastar_core.verifiers import Verifier

_BOX = re.compile(r"(\\boxed\{(?:[^<>{}]|\{[^<>{}]*\})*)<([vd])>")
_PLACE = re.compile(r"<([vdVDLTMU])>")
OPTIONS = (
    ("the wind", "iron", "a magnet", "cold water"),
    ("sunlight", "a river", "clay", "the moon"),
    ("friction", "the heart", "copper wire", "an old oak"),
)
CLASSES = ("entailment", "neutral", "contradiction")
FREE = (
    ("positive", "negative"), ("sports", "world news"), ("U.S. Navy", "U.S. Army"), ("St. Louis", "St. Paul"),
    ("C#", "C++"), ("soft as silk", "hard as rock"), ("spam", "ham"), ("so long", "so short"),
)  # fmt: skip
EXACT = (
    ("foo.py", "bar.py"), ("Paris", "Lyon"), ("main()", "exit()"), ("/usr/bin", "/usr/lib"),
    ("3.5-turbo", "4-turbo"), ("def", "class"), ("HEAD~1", "HEAD~2"), ("a b", "a c"),
)  # fmt: skip
FORMULAS = (
    ("6", "8"), (r"\frac{1}{2}", r"\frac{1}{3}"), ("x+1", "x-1"), (r"2\sqrt{3}", r"3\sqrt{2}"), ("(2,3)", "(3,2)"),
    ("42", "24"), (r"\frac{3\pi}{4}", r"\frac{\pi}{4}"), ("x^2-4", "x^2+4"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Value:
    """Two values: their references, how prose and boxes spell them, and the options where there are some."""

    reference: str
    other: str
    prose: tuple[str, str] = ("", "")
    boxed: tuple[str, str] = ("", "")
    choices: tuple[tuple[str, str], ...] = ()

    def place(self, mark: str) -> str:
        """Return what a place in a wording stands for."""
        which = 0 if mark in "vVLT" else 1
        written = self.prose[which]
        if mark in "vd":
            return written
        if mark in "VD":
            return written[0].upper() + written[1:]
        texts = dict(self.choices)
        label = (self.reference, self.other)[which]
        return label if mark in "LM" else texts[label]


Values = Callable[[np.random.Generator, str | None, bool], Iterator[Value]]


@dataclass(frozen=True)
class Kind:
    """A kind of problem: how it is opened, which wordings it has, and where its values come from."""

    name: str
    verifier: str
    wordings: str
    draw: Values
    type: str = "table"
    fall_back: bool = False
    labels: tuple[str, ...] = ("",)

    @property
    def two_valued(self) -> bool:
        return self.verifier == "yes_no"

    @property
    def whole_text(self) -> bool:
        """Whether everything that follows may be part of the answer."""
        return self.wordings in ("exact", "free")

    @property
    def can_fall_back(self) -> bool:
        return self.verifier in ("number", "choice", "yes_no")

    def values(self, generator: np.random.Generator, fixed: str | None, *, bare: bool) -> Iterator[Value]:
        return self.draw(generator, fixed, bare)

    def spell(self, text: str, value: Value) -> str:
        """Return a wording with the values in place; boxes hold LaTeX."""
        while box := _BOX.search(text):
            inside = value.boxed["vd".index(box[2])]
            text = text[: box.start()] + box[1] + inside + text[box.end() :]
        return _PLACE.sub(lambda place: value.place(place[1]), text)

    @cached_property
    def problem(self) -> RowProblem:
        settings: dict[str, object] = {"type": self.type, "fall_back": self.fall_back}
        if self.type == "table":
            settings |= {"path": "rows.jsonl", "verifier": self.verifier}
            settings |= {"choices": "choices", "answer_as": "label"} if self.labels != ("",) else {}
        opened = open_problem(TypeAdapter(AnyProblemSettings).validate_python(settings))
        assert isinstance(opened, RowProblem)
        return opened

    @property
    def opened_verifier(self) -> Verifier:
        return self.problem.verifier

    def observation(self, reference: str, value: Value) -> Observation:
        return _observation(self, reference, value.choices)


@cache
def _observation(kind: Kind, reference: str, choices: tuple[tuple[str, str], ...]) -> Observation:
    """Return the observation that the problem reads from a row, as it would from a file."""
    answer = f"It takes two steps.\n#### {reference}" if kind.type == "gsm8k" else reference
    values: dict[str, object] = {"question": "q", "answer": answer}
    if choices:
        values["choices"] = [{"label": label, "text": text} for label, text in choices]
    row = Row("generated", 1, values).checked()
    return kind.problem.reader([row])(row)


def _numbers(generator: np.random.Generator, fixed: str | None, bare: bool) -> Iterator[Value]:
    for size in (100, 100_000):
        if bare and size > 100:
            number = int(generator.integers(100, 1000))
        else:
            number = int(generator.integers(11, size))
        number = int(fixed or number)
        other = number + int(generator.choice([1, 4, 5, 10, 100]))
        style = 0 if bare else int(generator.integers(5))
        yield _spelled_number(number, other, style)


def _spelled_number(number: int, other: int, style: int) -> Value:
    both = (number, other)
    pair: Callable[[str], tuple[str, str]] = lambda form: (form.format(number), form.format(other))  # noqa: E731
    prose, boxed = pair("{}"), pair("{}")
    if style == 1:
        prose = boxed = pair("{:,}")
    elif style == 2:
        prose = pair("{:,} clips")
    elif style == 3:
        prose, boxed = pair("${:,}"), pair(r"\${:,}")
    elif style == 4:
        prose = boxed = pair("-{}")
        return Value(f"-{number}", f"-{other}", prose, boxed)
    return Value(str(both[0]), str(both[1]), prose, boxed)


def _options(labels: str) -> Values:
    def draw(generator: np.random.Generator, fixed: str | None, bare: bool) -> Iterator[Value]:
        choices = tuple(zip(labels, OPTIONS[int(generator.integers(len(OPTIONS)))], strict=True))
        first = labels.index(fixed) if fixed else int(generator.integers(4))
        second = (first + int(generator.integers(1, 4))) % 4
        yield _spelled_option(choices, first, second, int(generator.integers(5)))

    return draw


def _spelled_option(choices: tuple[tuple[str, str], ...], first: int, second: int, style: int) -> Value:
    form = ("({0})", "{0}", "{1}", "({0}) {1}", "{0}. {1}")[style]
    pair = choices[first], choices[second]
    prose = (form.format(*pair[0]), form.format(*pair[1]))
    boxed = prose if style < 2 else (rf"\text{{{prose[0]}}}", rf"\text{{{prose[1]}}}")
    return Value(pair[0][0], pair[1][0], prose, boxed, choices)


def _classes(generator: np.random.Generator, fixed: str | None, bare: bool) -> Iterator[Value]:
    choices = tuple(zip("012", CLASSES, strict=True))
    first = int(generator.integers(3))
    second = (first + int(generator.integers(1, 3))) % 3
    style = int(generator.integers(2))
    written = (choices[first][style], choices[second][style])
    boxed = (rf"\text{{{written[0]}}}", rf"\text{{{written[1]}}}") if style else written
    yield Value(str(first), str(second), written, boxed, choices)


def _yes_no(generator: np.random.Generator, fixed: str | None, bare: bool) -> Iterator[Value]:
    pairs = {"yes": ("yes", "no"), "no": ("no", "yes")}
    for both in [pairs[fixed]] if fixed else pairs.values():
        yield Value(*both, both, (rf"\text{{{both[0]}}}", rf"\text{{{both[1]}}}"))


def _texts(pairs: tuple[tuple[str, str], ...]) -> Values:
    def draw(generator: np.random.Generator, fixed: str | None, bare: bool) -> Iterator[Value]:
        both = pairs[int(generator.integers(len(pairs)))]
        yield Value(*both, both, both)

    return draw


def _formulas(generator: np.random.Generator, fixed: str | None, bare: bool) -> Iterator[Value]:
    both = FORMULAS[int(generator.integers(len(FORMULAS)))]
    prose = both if bare else (f"${both[0]}$", f"${both[1]}$")
    yield Value(*both, prose, both)


KINDS = (
    Kind("number", "number", "number", _numbers),
    Kind("number, fall back", "number", "number", _numbers, fall_back=True),
    Kind("gsm8k", "number", "number", _numbers, type="gsm8k"),
    Kind("choice", "choice", "choice", _options("ABCD"), labels=("", *"ABCD")),
    Kind("choice, fall back", "choice", "choice", _options("ABCD"), fall_back=True, labels=("", *"ABCD")),
    Kind("choice, digits", "choice", "choice", _options("1234"), labels=("", *"1234")),
    Kind("yes_no", "yes_no", "yes_no", _yes_no),
    Kind("yes_no, fall back", "yes_no", "yes_no", _yes_no, fall_back=True),
    Kind("classes", "label", "classes", _classes, labels=("", *"012")),
    Kind("label", "label", "free", _texts(FREE)),
    Kind("exact", "exact", "exact", _texts(EXACT)),
    Kind("math", "math", "math", _formulas),
)
