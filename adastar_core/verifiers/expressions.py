"""Expressions of whole numbers with + - * and parentheses, by a closed grammar: no powers, no division, no ``eval``.

``sum = product (("+" | "-") product)*``, ``product = atom ("*" atom)*``, ``atom = number | "(" sum ")"``. A number has at
most six digits and an expression at most 64 tokens, so no value has more than 640 bits and nesting stays shallow.
"""

import re
from dataclasses import dataclass
from typing import NamedTuple

MOST_TOKENS = 64
_MOST_DIGITS = 6
_SIGNS = {"×": "*", "·": "*", "⋅": "*", "∗": "*", "\\times": "*", "\\cdot": "*", "−": "-"}
_TOKEN = re.compile(r"\s*([0-9]+|[-+*()=×·⋅∗−]|\\(?:times|cdot)(?![A-Za-z]))")
_BINDS = {"+": 0, "-": 0, "*": 1}
_NUMBER_BINDS = 2


class Step(NamedTuple):
    """One calculation: ``3*7=21``."""

    a: int
    sign: str
    b: int

    @property
    def result(self) -> int:
        match self.sign:
            case "+":
                return self.a + self.b
            case "-":
                return self.a - self.b
            case _:
                return self.a * self.b

    def __str__(self) -> str:
        return f"{self.a}{self.sign}{self.b}={self.result}"


@dataclass(frozen=True, slots=True)
class Expression:
    """An expression: its text without needless parentheses, its value, its numbers in order, and its calculations.

    ``binds`` is how strongly its outermost sign does: 0 for a sum, 1 for a product, 2 for a number.
    """

    text: str
    value: int
    numbers: tuple[int, ...]
    steps: tuple[Step, ...] = ()
    binds: int = _NUMBER_BINDS

    def __str__(self) -> str:
        return self.text

    def means(self, other: "Expression") -> bool:
        """Return whether it has the same value, from the same numbers, as another one."""
        return (self.value, self.numbers) == (other.value, other.numbers)


def number(value: int) -> Expression:
    """Return a number alone as an expression."""
    return Expression(str(value), value, (value,))


def combined(left: Expression, sign: str, right: Expression) -> Expression:
    """Return ``left sign right``, whose text has parentheses where reading it again needs them."""
    binds = _BINDS[sign]
    step = Step(left.value, sign, right.value)
    texts = (
        f"({left.text})" if left.binds < binds else left.text,
        f"({right.text})" if right.binds <= binds else right.text,
    )
    numbers = tuple(sorted(left.numbers + right.numbers))
    return Expression(sign.join(texts), step.result, numbers, (*left.steps, *right.steps, step), binds)


class _Refused(Exception):
    """The tokens are no expression of this grammar."""


def tokens_of(text: str) -> tuple[list[str], str]:
    """Return the tokens, ``=`` among them, that a text begins with, and the rest of it."""
    tokens: list[str] = []
    at = 0
    while len(tokens) <= MOST_TOKENS and (match := _TOKEN.match(text, at)):
        tokens.append(_SIGNS.get(match[1], match[1]))
        at = match.end()
    return tokens, text[at:]


def parse(text: str) -> Expression | None:
    """Return the expression that a text is from end to end; ``None`` where it is none."""
    tokens, rest = tokens_of(text)
    return None if rest.strip() else expression_of(tokens)


def expression_of(tokens: list[str]) -> Expression | None:
    """Return the expression that all of the tokens are; ``None`` where they are none, or too many."""
    if not tokens or len(tokens) > MOST_TOKENS:
        return None
    left = tokens[::-1]
    try:
        found = _sum(left)
    except _Refused:
        return None
    return None if left else found


def _sum(left: list[str]) -> Expression:
    """Read a sum off the tokens that are left, the next one last."""
    found = _product(left)
    while left and left[-1] in ("+", "-"):
        found = combined(found, left.pop(), _product(left))
    return found


def _product(left: list[str]) -> Expression:
    found = _atom(left)
    while left and left[-1] == "*":
        found = combined(found, left.pop(), _atom(left))
    return found


def _atom(left: list[str]) -> Expression:
    token = left.pop() if left else ""
    if token == "(":
        found = _sum(left)
        if not left or left.pop() != ")":
            raise _Refused
        return found
    if not token.isdigit() or len(token) > _MOST_DIGITS:
        raise _Refused
    return number(int(token))
