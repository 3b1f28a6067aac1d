"""Numbers: exact values, canonical text, and a fast path that agrees with the general one."""

import re
from fractions import Fraction

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from adastar_core.records import FinishReason, Observation, Outcome
from adastar_core.verifiers import numbers
from adastar_core.verifiers.extraction import Parsed
from adastar_core.verifiers.number import NumberVerifier
from adastar_core.verifiers.numbers import decimal_text, read_number

WORDS = [
    "clips",
    "dollars",
    "half",
    "million",
    "or",
    "dozen",
    "plus",
    "more",
    "per",
    "percent",
    "thirds",
    "in total",
    "x",
    "pi",
]
written_numbers = st.builds(
    lambda before, number, after, word, end: f"{before}{number}{after}{word}{end}",
    st.sampled_from(["", " ", "$", "-", "  $", "**", "$-", " **$"]),
    st.one_of(
        st.integers(0, 10**16).map(str), st.integers(0, 10**9).map(lambda n: f"{n:,}"), st.just("0,111")
    ),
    st.sampled_from(["", " ", "  ", "-", ".50", ".5 ", ".00 ", ".125 "]),
    st.sampled_from(["", *WORDS]),
    st.sampled_from(["", ".", " ", "!", ". ", "**", "**.", "..", "*"]),
)


def verdict(response: str, reference: str, *, fall_back: bool = False):  # noqa: ANN201
    return NumberVerifier(fall_back).verify(Observation("x", "", reference), response, FinishReason.EOS)


@given(written_numbers)
@example("1,080 dollars.")
@example("$-5")
def test_the_fast_path_reads_as_the_general_one(written: str) -> None:
    fast = read_number(written)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(numbers, "_SIMPLE", re.compile(r"(?!)"))
        assert read_number(written) == fast


@given(st.fractions(max_denominator=10**6))
def test_canonical_text_is_the_number(value: Fraction) -> None:
    text = decimal_text(value)
    assert Fraction(text) == value
    read = read_number(text)
    assert isinstance(read, Parsed)
    assert read.value.certain == (value,)
    assert read.text == text


@given(st.integers(-(10**30), 10**30), st.integers(1, 9), st.data())
def test_another_digit_is_another_number(value: int, shift: int, data: st.DataObject) -> None:
    digits = str(abs(value))
    place = data.draw(st.integers(0, len(digits) - 1))
    other = digits[:place] + str((int(digits[place]) + shift) % 10) + digits[place + 1 :]
    sign = "-" if value < 0 else ""
    assert verdict(f"#### {value}", str(value)).outcome is Outcome.RIGHT
    assert verdict(f"#### {sign}{other}", str(value)).outcome is Outcome.WRONG


def test_what_was_found_and_where_is_recorded() -> None:
    found = verdict("48 + 24 = 72, so the answer is $1,072.50.", "1072.5")
    assert (found.extracted, found.found_by, found.verifier) == ("1072.5", "The answer is X", "number/3")
    assert verdict("She has 1,072.", "1072", fall_back=True).found_by == "last number"
    assert verdict("She has 1,072.", "1072", fall_back=True).verifier == "number/3+last"


@pytest.mark.parametrize("size", [10, 1_000, 100_000])
def test_long_numerals_and_exponents_are_bounded(size: int) -> None:
    for response in (
        f"#### {'9' * size}",
        f"#### 1e{'9' * size}",
        f"#### 1/{'9' * size}",
        f"#### 1.{'9' * size}",
    ):
        assert verdict(response, "5").outcome is not Outcome.RIGHT
