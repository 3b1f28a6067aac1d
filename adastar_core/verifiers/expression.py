"""The verifier of expressions that reach a value with given numbers: any of them is right, not only the reference."""

import re
from dataclasses import dataclass
from functools import partial

from adastar_core.records import FinishReason, Observation, Outcome, Verdict
from adastar_core.verifiers.declarations import Declared
from adastar_core.verifiers.expressions import Expression, expression_of, parse, tokens_of
from adastar_core.verifiers.extraction import Parsed, Unclear, extract
from adastar_core.verifiers.markup import without_marks
from adastar_core.verifiers.tidy import is_asked

_FRAME = re.compile(r"\$|`|\\[()\[\]]|\\left(?![a-z])|\\right(?![a-z])")
"""Marks of a formula around an expression, and in it."""
_WRAPPED = re.compile(
    r"\s*(?:\*\*(?P<bold>[^*].*?)\*\*|\\boxed\{(?P<boxed>[^{}]*)\})(?P<rest>\s*[.;]?\s*)", re.DOTALL
)
"""An answer that is bold, or boxed, from end to end. Two stars between numbers are a power, and stay."""
_MAY_FOLLOW = re.compile(r"\s*(?:$|[.;](?!\S)|(?<=\s)[A-Za-z]|\n)")
"""How what follows may begin: where anything else stands, the formula perhaps goes on, as in ``3*7/2`` or ``3!``."""
_LONGEST_VALUE = 20


@dataclass(frozen=True, slots=True)
class ExpressionVerifier:
    """Right is what has the reference's value and uses the reference's numbers, each as often as the reference does."""

    @property
    def version(self) -> str:
        return "expression/1"

    def verify(self, observation: Observation, response: str, finish_reason: FinishReason) -> Verdict:
        found = extract(response, finish_reason, _read, Expression.means)
        return found.verdict(self.version, partial(_compare, observation.answer))

    def declare(self, observation: Observation) -> str:
        return f"\n#### {observation.answer}"


def _compare(written: str, found: Expression) -> tuple[Outcome, str]:
    reference = parse(written)
    if reference is None:
        return Outcome.UNDECIDED, f"the reference {written!r} is not an expression of numbers with + - * ( )"
    if found.value != reference.value:
        return Outcome.WRONG, f"is {str(found.value)[:_LONGEST_VALUE]}, not {reference.value}"
    if found.numbers != reference.numbers:
        return Outcome.WRONG, f"uses {_listed(found)}, not {_listed(reference)}"
    return Outcome.RIGHT, f"is {reference.value} with {_listed(reference)}"


def _listed(expression: Expression) -> str:
    return ", ".join(map(str, expression.numbers))


def _read(declared: Declared) -> Parsed[Expression] | Unclear | None:
    """Read an expression, and perhaps what it equals: ``3*7+4`` or ``3*7+4 = 25``."""
    if is_asked(declared.following):
        return Unclear("the declared answer is a question")
    text, following = (_FRAME.sub(" ", without_marks(part)) for part in (declared.text, declared.following))
    if wrapped := _WRAPPED.fullmatch(text):
        text = f"{wrapped['bold'] or wrapped['boxed'] or ''}{wrapped['rest']}"
    tokens, rest = tokens_of(text)
    if not any(token.isdigit() for token in tokens):
        return Unclear("what is declared does not begin with a number") if re.search(r"\d", text) else None
    goes_on = not _MAY_FOLLOW.match(rest) if rest.strip() else not _MAY_FOLLOW.match(f"{rest}{following}")
    found = None if goes_on else _equal_sides(tokens)
    if found is None:
        kind = "an equation with one side to calculate, and equal ones" if "=" in tokens else "an expression"
        return Unclear(f"not {kind} of numbers with + - * ( ): {text.strip()[:40]!r}")
    return Parsed(found, found.text, rest + following)


def _equal_sides(tokens: list[str]) -> Expression | None:
    """Return the one side of an equation that calculates; ``None`` where two do, or sides differ in value."""
    sides: list[list[str]] = [[]]
    for token in tokens:
        if token == "=":
            sides.append([])
        else:
            sides[-1].append(token)
    read = [expression_of(side) for side in sides]
    known = [side for side in read if side is not None]
    calculated = [side for side in known if side.steps] or known[:1]
    if len(known) < len(sides) or len(calculated) != 1 or len({side.value for side in known}) != 1:
        return None
    return calculated[0]
