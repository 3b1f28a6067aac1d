"""Expressions: every one that reaches the value with the numbers is right, nothing else is, and nothing hostile runs."""

import ast
import time
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adastar_core.records import FinishReason, Observation, Outcome
from adastar_core.verifiers.expression import ExpressionVerifier
from adastar_core.verifiers.expressions import Expression, combined, number, parse

REFERENCE = Observation("3 4 7 -> 25", "3 4 7 -> 25", "3*7+4")
numbers = st.integers(0, 999_999).map(number)
expressions = st.recursive(
    numbers, lambda inner: st.builds(combined, inner, st.sampled_from("+-*"), inner), max_leaves=8
)


def outcome(response: str, observation: Observation = REFERENCE) -> Outcome:
    return ExpressionVerifier().verify(observation, response, FinishReason.EOS).outcome


def value_of(node: ast.expr) -> tuple[int, Counter[int]] | None:
    """Return value and numbers of a tree of Python's parser, ``None`` beyond numbers with + - *: an independent reading."""
    match node:
        case ast.Constant(value=int(value)):
            return value, Counter([value])
        case ast.BinOp(left=left, op=ast.Add() | ast.Sub() | ast.Mult() as sign, right=right):
            sides = value_of(left), value_of(right)
            if sides[0] is None or sides[1] is None:
                return None
            (a, first), (b, second) = sides
            result = a + b if isinstance(sign, ast.Add) else a - b if isinstance(sign, ast.Sub) else a * b
            return result, first + second
    return None


def read_by_python(text: str) -> tuple[int, Counter[int]] | None:
    try:
        return value_of(ast.parse(text.strip(), mode="eval").body)
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        return None


@given(expressions)
def test_an_expression_is_read_again_as_it_was_made(expression: Expression) -> None:
    assert parse(expression.text) == expression
    assert read_by_python(expression.text) == (expression.value, Counter(expression.numbers))
    assert expression.value == (expression.steps[-1].result if expression.steps else expression.numbers[0])


@given(one=expressions, other=expressions)
def test_right_is_what_has_the_value_and_the_numbers(one: Expression, other: Expression) -> None:
    observation = Observation("x", "", one.text)
    assert outcome(f"#### {one.text}", observation) is Outcome.RIGHT
    assert outcome(ExpressionVerifier().declare(observation), observation) is Outcome.RIGHT
    same = (one.value, one.numbers) == (other.value, other.numbers)
    assert (outcome(f"#### {other.text}", observation) is Outcome.RIGHT) == same


@given(st.permutations([3, 4, 7]), st.lists(st.sampled_from("+-*"), min_size=2, max_size=2), st.booleans())
def test_any_order_and_any_parentheses_that_reach_the_target_are_right(
    order: list[int], signs: list[str], first: bool
) -> None:
    a, b, c = map(number, order)
    joined = (
        combined(combined(a, signs[0], b), signs[1], c)
        if first
        else combined(a, signs[0], combined(b, signs[1], c))
    )
    assert (outcome(f"#### {joined}") is Outcome.RIGHT) == (joined.value == 25)


@settings(max_examples=600)
@given(st.text("3347+-*/^()= .,!xe%\\_", max_size=24) | st.text(max_size=40))
def test_whatever_is_declared_is_right_only_where_python_reads_the_same(declared: str) -> None:
    if outcome(f"#### {declared}") is Outcome.RIGHT:
        sides = [read_by_python(side.rstrip(" .!")) for side in declared.splitlines()[0].split("=")]
        assert (25, Counter([3, 4, 7])) in sides


@settings(max_examples=300)
@given(st.text("+-*/^()=!%.,<>|&²x0123456789", min_size=1, max_size=6))
def test_nothing_that_changes_a_right_expression_is_overlooked(rest: str) -> None:
    if outcome(f"#### 3*7+4{rest}") is Outcome.RIGHT:
        expression, *values = f"3*7+4{rest}".rstrip(".").split("=")
        assert read_by_python(expression) == (25, Counter([3, 4, 7]))
        assert all(read_by_python(value) == (25, Counter([25])) for value in values)


HOSTILE = [
    "9**9**9**9**9",
    "9^9^9^9",
    "1<<999999999",
    "*".join(["999999"] * 5000),
    "9" * 200_000,
    "9" * 7 + "*1",
    "(" * 100_000 + "1" + ")" * 100_000,
    "(" * 100_000,
    "1+" * 50_000 + "1",
    "=" * 100_000,
    "1=" * 50_000 + "1",
    "__import__('os').system('true')",
    "[].__class__",
    "3*7+4 if True else 0",
    "0x3*7+4",
    "3_0*7+4",
    "٣*7+4",
    "3*7+4#",
    "3*7+4\u200b*0",
    "3*7+4\x00",
    "lambda: 3*7+4",
]


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
@pytest.mark.parametrize("pattern", ["#### {}", "\\boxed{{{}}}", "The answer is {}."])
def test_hostile_expressions_are_not_right_and_cost_nothing(text: str, pattern: str) -> None:
    began = time.process_time()
    assert outcome(pattern.format(text)) is not Outcome.RIGHT
    assert time.process_time() - began < 1


def test_the_largest_expression_there_is_has_a_small_value() -> None:
    largest = parse("*".join(["999999"] * 32))
    assert largest is not None
    assert largest.value.bit_length() <= 640
    assert parse("*".join(["999999"] * 33)) is None


def test_the_reason_says_what_is_wrong() -> None:
    def reason(response: str) -> str:
        return ExpressionVerifier().verify(REFERENCE, response, FinishReason.EOS).reason

    assert reason("#### 7*3+4") == "is 25 with 3, 4, 7"
    assert reason("#### 7*4+3") == "is 31, not 25"
    assert reason("#### 5*5") == "uses 5, 5, not 3, 4, 7"
    assert "not an expression" in reason("#### 3**7+4")
    unreadable = Observation("x", "", "25/1")
    assert (
        "is not an expression" in ExpressionVerifier().verify(unreadable, "#### 25", FinishReason.EOS).reason
    )


def test_a_cut_response_is_undecided() -> None:
    verdict = ExpressionVerifier().verify(REFERENCE, "#### 3*7+4", FinishReason.LENGTH)
    assert verdict.outcome is Outcome.UNDECIDED
