"""Numbers: exact values, canonical text, and a fast path that agrees with the general one."""

import re
from fractions import Fraction
from itertools import product

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from adastar_core.records import FinishReason, Observation, Outcome
from adastar_core.verifiers import numbers
from adastar_core.verifiers.arithmetic import evaluate
from adastar_core.verifiers.extraction import Parsed
from adastar_core.verifiers.number import NumberVerifier
from adastar_core.verifiers.number_words import ONE_OF, SCALES, words
from adastar_core.verifiers.numbers import read_number
from adastar_core.verifiers.numerals import decimal_text, value_in_words

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
UNITS = [
    "",
    " clips",
    " red marbles",
    " dollars per week",
    " km/h",
    "kg",
    " m^2",
    " hours of work in May",
    " apples left",
    " pens in total",
    " dollars a day",
    " boxes for each of the shops",
    " times",
    " times a week",
    " slices of bread and butter",
]
TAILS = [
    "",
    ".",
    "!",
    " .",
    ". I hope this helps.",
    ", because she had some and got more.",
    " since the rest is gone.",
    "\n\nLet me know if you have any questions.",
]
LEADS = [
    "#### ",
    "The answer is ",
    "So the final answer is: ",
    "**Answer:** ",
    "Answer: x = ",
    "The answer is about ",
]
FORMATS = [
    "{}",
    "{:,}",
    "**{}**",
    "({})",
    "{}.0",
    "{}.00",
    "${}$",
    "\\({}\\)",
    "\\text{{{}}}",
    "\\boxed{{{:,}}}",
]
SPEAKING = words("""or nor but unless if than over under above below beyond between without against plus minus till until after before when where
    while whether though although i he she it we they who which what that is are was were be been has have had can could will would
    shall should might must not no none neither either any some many few several another too very quite rather almost nearly maybe
    perhaps less least most best worst zero one two seven twelve forty twice thrice double half third fourth tenth hundredth
    seventeenth thirtieth squared cubed doubled tripled increased decreased rounded divided factorial mod sqrt sin log pi wrong
    incorrect mistaken wait oops sorry actually instead otherwise else possibly approximately roughly probably certainly isn't don't
    xy q zz""")
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


def is_right(response: str, reference: str) -> bool:
    return verdict(response, reference).outcome is Outcome.RIGHT


@pytest.mark.parametrize("value", [0, 72, 60792, 1234567])
def test_a_plain_number_phrase_is_right(value: int) -> None:
    for lead, form, unit, tail in product(LEADS, FORMATS, UNITS, TAILS):
        response = f"{lead}{form.format(value)}{unit}{tail}"
        assert is_right(response, str(value)), response
        assert not is_right(response, str(value + 1)), response


@given(
    st.integers(0, 10**6),
    st.sampled_from(SPEAKING),
    st.sampled_from(["", " clips"]),
    st.sampled_from(["", " clips", " of Tom", "."]),
)
def test_a_function_word_behind_a_number_is_never_right(value: int, word: str, unit: str, after: str) -> None:
    assert not is_right(f"The answer is {value}{unit} {word}{after}", str(value))


@given(
    st.integers(0, 10**6),
    st.sampled_from(UNITS),
    st.sampled_from(
        [
            " or 6",
            " to 9",
            "^5",
            "+",
            "!=",
            " and 6",
            "; 6",
            ", 6",
            " (6)",
            "...",
            " - 6",
            " plus 6",
            "?",
            " ± 1",
            " < 7",
            " or so",
            " each, so 9 in all",
        ]
    ),
    st.sampled_from(["#### ", "The answer is ", "\\boxed{", "$\\boxed{"]),
)
def test_what_goes_on_after_a_number_is_never_right(value: int, unit: str, more: str, lead: str) -> None:
    closed = "}" if lead.endswith("{") else ""
    for response in (f"{lead}{value}{unit}{more}{closed}", f"{lead}{value}{unit}{closed}{more}"):
        assert not is_right(response, str(value)), response


@given(st.integers(1, 10**6), st.sampled_from(sorted(SCALES)))
def test_a_word_that_multiplies_is_never_ignored(value: int, word: str) -> None:
    scale = SCALES[word]
    response = f"The answer is {value} {word}."
    if not scale.bare_is_certain:
        assert not is_right(response, str(value))
    if scale.product_is_certain:
        assert is_right(response, str(value * scale.factor))


@given(st.integers(0, 10**6), st.sampled_from(sorted(ONE_OF)))
def test_a_part_is_added(value: int, word: str) -> None:
    article = "an" if word[0] in "e" else "a"
    response = f"The answer is {value} and {article} {word} miles."
    assert is_right(response, str(value + ONE_OF[word].factor))
    assert not is_right(response, str(value))


def expressions() -> st.SearchStrategy[tuple[str, Fraction]]:
    def combined(parts: st.SearchStrategy[tuple[str, Fraction]]) -> st.SearchStrategy[tuple[str, Fraction]]:
        def join(left: tuple[str, Fraction], sign: str, right: tuple[str, Fraction]) -> tuple[str, Fraction]:
            one, other = left[1], right[1]
            values = {
                "+": one + other,
                "-": one - other,
                "×": one * other,
                "/": one / other if other else Fraction(0),
            }
            return (f"({left[0]}) {sign} ({right[0]})" if other or sign != "/" else "0"), values[sign]

        return st.builds(join, parts, st.sampled_from("+-×/"), parts)

    numerals = st.integers(0, 999).map(lambda n: (str(n), Fraction(n))) | st.integers(0, 999).map(
        lambda n: (f"{n / 100:.2f}", Fraction(n, 100))
    )
    return st.recursive(numerals, combined, max_leaves=8)


@given(expressions(), st.sampled_from(["", "x = ", "total cost = "]), st.integers(1, 9))
@example(("2 + 3 × 4", Fraction(14)), "", 1)
@example(("(2 + 3) × 4 - 6 / 4", Fraction(37, 2)), "", 1)
@example(("-2^2 + 10", Fraction(6)), "", 1)
def test_an_equation_counts_only_if_it_is_true(made: tuple[str, Fraction], name: str, off: int) -> None:
    text, value = made
    assert evaluate(text) == value
    assert is_right(f"The answer is {name}{text} = {value}.", str(value))
    assert not is_right(f"The answer is {name}{text} = {value + off}.", str(value + off))


@pytest.mark.parametrize(
    "text",
    ["", "1/0", "2 3", "(2", "2)", "2x", "9^9^9", "9^99999", "2 +", "1,23", "e", "(" * 40 + "1" + ")" * 40],
)
def test_what_is_no_arithmetic_has_no_value(text: str) -> None:
    assert evaluate(text) is None


@pytest.mark.parametrize(
    ("words", "value"),
    [
        ("seven", 7),
        ("seventy-two", 72),
        ("one hundred and five", 105),
        ("two thousand three hundred", 2300),
        ("twelve clips", None),
    ],
)
def test_numbers_in_words(words: str, value: int | None) -> None:
    assert value_in_words(words) == value


@pytest.mark.parametrize(
    "text",
    [
        "Step 7",
        "see Figure 7",
        "at 10:7",
        "2-7",
        "pages 3 to 7",
        "between 3 and 7",
        "9/x^7",
        "not 7",
        "x < 7",
        "more than 7",
        "4, 7",
    ],
)
def test_the_last_number_counts_only_where_it_stands_alone(text: str) -> None:
    assert verdict(f"So it is {text}", "7", fall_back=True).outcome is not Outcome.RIGHT
    assert verdict(f"First {text}. So she has 7 clips left.", "7", fall_back=True).outcome is Outcome.RIGHT
